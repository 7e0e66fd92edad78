"""A catalogue of replies that an operation does not give: from gateways, proxies, caches and lost packets.

A name says the status and the body, or what is odd: `404_html`, `429_retry_after_negative`, `own_wrapped`. Each
entry is a `Fault` for one request that is not carried out; `replace(fault, executes=True)` is the same for a
request that is. Names that end in `_after`, and those with `own`, which spoil the operation's own reply, carry the
request out already. A storm is the same reply several times in a row.
"""

import gzip
from collections.abc import Iterator, Mapping
from dataclasses import replace

import orjson

from bulkgladly.emulator.faults.fault import Alteration, Fault, answer, drop_reply, hang, reset
from bulkgladly.emulator.protocol.replies import JSON

__all__ = ("BODIES", "CATALOGUE", "RETRY_AFTER")

_PAGE = (
    b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Sign in</h1>"
    b"<form method=post action=/login><input name=user></form></body></html>"
)
_HTML = "text/html; charset=utf-8"

BODIES: Mapping[str, tuple[bytes, str]] = {
    "html": (_PAGE, _HTML),
    "empty": (b"", JSON),
    "errors": (orjson.dumps({"errors": [{"code": "invalid", "detail": "scripted"}]}), JSON),
    "message": (b'{"message": "scripted by a gateway"}', JSON),
    "object": (b"{}", JSON),
    "list": (b"[]", JSON),
    "text": (b'"text"', JSON),
    "numbers": (b"[1, 2]", JSON),
    "null": (b"null", JSON),
    "cut_json": (b'{"id": "c-1", "emails": [{"orig', JSON),
}
"""Bodies by name, with their content type; each is used with many statuses."""

RETRY_AFTER: Mapping[str, str] = {
    "zero": "0",
    "seconds": "1",
    "fraction": "0.25",
    "date_past": "Thu, 01 Jan 2015 00:00:00 GMT",
    "date_future": "Fri, 01 Jan 2100 00:00:00 GMT",
    "date_rfc850": "Thursday, 01-Jan-15 00:00:00 GMT",
    "negative": "-5",
    "huge": "99999999999999999999",
    "infinite": "1e999",
    "not_a_number": "nan",
    "garbage": "soon; or later",
    "blank": "",
    "list": "1, 2",
}
"""Forms of `Retry-After`, valid and not."""

_SUCCESSES = (200, 201, 202, 203, 204, 206, 207, 226)
_REDIRECTS = (300, 301, 302, 303, 304, 307, 308)
_REFUSALS: tuple[int, ...] = (400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 413, 414, 415, 418, 421, 422)
_REFUSALS += (425, 426, 428, 431, 451, 499)
_FAILURES = (500, 501, 502, 503, 504, 505, 507, 511, 520, 522, 524, 529, 599, 600, 999)
_ALTERATIONS: tuple[Alteration, ...] = ("other", "wrapped", "listed", "cut")


def _statuses() -> Iterator[tuple[str, Fault]]:
    dressed = {
        _SUCCESSES: ("html", "empty", "errors", "message", "object", "list", "text", "numbers", "null", "cut_json"),
        _REDIRECTS: ("html", "empty", "errors", "message"),
        _REFUSALS: ("html", "empty", "errors", "message", "object", "cut_json"),
        _FAILURES: ("html", "empty", "errors", "message"),
        (429,): ("html", "empty", "errors", "message", "cut_json"),
    }
    for statuses, bodies in dressed.items():
        for status in statuses:
            for name in bodies:
                yield f"{status}_{name}", _with(status, name)


def _redirects() -> Iterator[tuple[str, Fault]]:
    places = {
        "self": "{path}",
        "self_absolute": "{url}{path}",
        "foreign": "https://elsewhere.example.org{path}",
        "sign_in": "/login?next={path}",
        "garbage": "://",
        "other_id": "/api/v1/customer-profiles/other-id",
    }
    for status in (301, 302, 303, 307, 308):
        for name, place in places.items():
            yield f"{status}_to_{name}", replace(_with(status, "empty"), headers={"Location": place})
    moved = {"errors": [{"code": "moved", "meta": {"old": "c-1", "new": "other-id"}}]}
    yield "301_moved_to_other", answer(301, json=moved)


def _throttles() -> Iterator[tuple[str, Fault]]:
    for name, value in RETRY_AFTER.items():
        yield f"429_retry_after_{name}", replace(_with(429, "errors"), headers={"Retry-After": value})
        yield f"503_retry_after_{name}", replace(_with(503, "html"), headers={"Retry-After": value})
    odd = {"Ratelimit-Limit-Second": "999999999", "Ratelimit-Remaining-Second": "-1"}
    yield "429_odd_limits", replace(_with(429, "errors"), headers=odd)
    yield "200_own_odd_limits", Fault(headers=odd)


def _own_replies() -> Iterator[tuple[str, Fault]]:
    """Yield the operation's own reply, with another status, in another form, or of another object."""
    for status in (200, 201, 202, 203, 204, 206, 303, 404, 408, 499, 500):
        yield f"own_as_{status}", Fault(status=status)
    for alteration in _ALTERATIONS:
        yield f"own_{alteration}", Fault(alter=alteration)
    yield "own_in_gzip", Fault(coding="gzip")
    yield "own_in_gzip_lie", Fault(coding="gzip_lie")
    yield "own_in_gzip_cut", Fault(coding="gzip_cut")
    yield "own_in_unknown_coding", Fault(headers={"Content-Encoding": "zstd"})
    yield "own_in_chunks", Fault(framing="chunked")
    yield "own_unframed", Fault(framing="unframed")
    yield "own_half", Fault("close", framing="half")
    yield "own_overlong", Fault("close", framing="overlong")
    yield "own_overlong_and_silence", Fault("hang", framing="overlong")
    yield "own_short", Fault("close", framing="short")
    yield "own_chunks_cut", Fault("close", framing="chunked_cut")
    yield "own_chunks_cut_by_reset", Fault("reset", framing="chunked_cut")
    yield "own_slow", Fault(delay_s=0.05)
    yield "own_slow_drip", Fault(drip_s=0.0001)
    yield "own_then_stale", Fault("stale")
    yield "own_then_close", Fault("close")
    yield "own_then_reset", Fault("reset")
    yield "own_then_refused", Fault("refuse", refuse_s=0.05)
    yield "own_as_html", Fault(headers={"Content-Type": _HTML})
    yield "own_location_elsewhere", Fault(headers={"Location": "https://elsewhere.example.org/api/v1/x/other-id"})
    yield "own_location_empty", Fault(headers={"Location": ""})


def _connections() -> Iterator[tuple[str, Fault]]:
    """What happens to the connection instead of a reply."""
    for when, executes in (("before", False), ("after", True)):
        yield f"reset_{when}", reset(executes=executes)
        yield f"closed_{when}", replace(drop_reply(), executes=executes)
        yield f"silence_{when}", hang(executes=executes)
        yield f"refused_{when}", Fault("refuse", executes, framing="nothing", refuse_s=0.05)
    yield "head_cut", answer(framing="raw", body=b"HTTP/1.1 200 O", ending="close")
    yield "head_without_end", answer(framing="raw", body=b"HTTP/1.1 201 Created\r\nLocation: /x\r\n", ending="close")
    yield "not_http", answer(framing="raw", body=b"SSH-2.0-OpenSSH_9.6\r\n", ending="close")
    yield "http_09", answer(framing="raw", body=_PAGE, ending="close")
    yield "two_lengths", _raw(b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}")
    yield "length_and_chunks", _raw(b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}")
    yield "negative_length", _raw(b"Content-Length: -1\r\n\r\n{}")
    yield "bad_chunk_size", _raw(b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n")
    yield "header_with_nul", _raw(b"X-Odd: a\0b\r\nContent-Length: 2\r\n\r\n{}")
    yield "huge_header", _raw(b"X-Odd: " + b"a" * 100_000 + b"\r\nContent-Length: 2\r\n\r\n{}")
    yield "many_headers", _raw(b"X-Odd: a\r\n" * 20_000 + b"Content-Length: 2\r\n\r\n{}")
    yield (
        "escapes_in_reason",
        answer(
            framing="raw",
            body=b"HTTP/1.1 418 \x1b]0;owned\x07\r\nContent-Length: 0\r\n\r\n",
            ending="close",
        ),
    )
    yield "interim_forever", answer(framing="raw", body=b"HTTP/1.1 100 Continue\r\n\r\n" * 200, ending="close")
    yield "switching_protocols", answer(framing="raw", body=b"HTTP/1.1 101 Switching Protocols\r\n\r\n", ending="close")
    yield "two_answers", _raw(b"Content-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")


def _bodies() -> Iterator[tuple[str, Fault]]:
    """Bodies that are too large or odd in themselves."""
    yield "200_endless", answer(200, body=b'{"a": 1}\n', framing="endless")
    yield "200_endless_blanks", answer(200, body=b" ", framing="endless")
    yield "200_html_in_gzip", replace(_with(200, "html"), coding="gzip")
    # 64 MiB, as 64 gzip members of 1 MiB.
    bomb = gzip.compress(b" " * (1 << 20), mtime=0) * 64
    yield "200_gzip_bomb", answer(200, body=bomb, headers={"Content-Encoding": "gzip"})
    yield "200_deep_json", answer(200, body=b"[" * 100_000 + b"]" * 100_000)
    yield "200_deep_object", answer(200, body=b'{"a":' * 100_000 + b"1" + b"}" * 100_000)
    yield "200_not_utf8", answer(200, body=b'{"id": "\xff\xfe"}')
    yield "200_bom", answer(200, body=b"\xef\xbb\xbf{}")
    yield "200_nan", answer(200, body=b'{"id": NaN}')
    yield "400_escapes", answer(400, json={"errors": [{"code": "\x1b[2J", "detail": "x\r\nerror: all is well"}]})
    yield "404_gladly", answer(404, json={"errors": [{"code": "not_exist", "detail": "no object has this id"}]})
    yield "409_gladly_taken", answer(409, json={"errors": [{"attr": "id", "code": "taken", "detail": "taken"}]})


def _with(status: int, name: str) -> Fault:
    content, content_type = BODIES[name]
    return answer(status, body=content, content_type=content_type)


def _raw(rest: bytes) -> Fault:
    return answer(framing="raw", body=b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + rest, ending="close")


_PARTS = (_statuses, _redirects, _throttles, _own_replies, _connections, _bodies)

CATALOGUE: Mapping[str, Fault] = {name: fault for part in _PARTS for name, fault in part()}
"""All entries by name."""
