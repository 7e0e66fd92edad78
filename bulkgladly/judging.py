"""What a reply means. Only this module looks at the status of a reply. Pure.

A reply confirms only what its operation declares (`bulkgladly.operations`). It refuses, or says that
something is absent, only in the form of Gladly's own errors. All other replies are unclear: the request may have
been executed. Facts: gladly-api, README, "Errors" and "Merged customers".
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import unquote

import orjson

from bulkgladly.messages import GET_ORGANIZATION, ApiProblem, Meaning, Request
from bulkgladly.operations import Body, Operation
from bulkgladly.strict_json import exact_value

__all__ = ("Judgement", "claims_success", "is_server_error", "judge", "problems_in")

CODES = frozenset(
    {
        "blank",
        "in_use",
        "invalid",
        "invalid_state",
        "moved",
        "not_a_number",
        "not_exist",
        "present",
        "taken",
        "temporary_failure",
        "too_long",
        "version_outdated",
        "wrong_length",
    }
)
"""The documented codes of errors. Others may come; a bare error is recognised by one of these only."""


class Judgement(NamedTuple):
    """What a reply means, and what was read from it to find that out."""

    meaning: Meaning
    content: Any = None
    problems: tuple[ApiProblem, ...] = ()
    successor: str | None = None


_UNCLEAR = Judgement(Meaning.UNCLEAR)
_CONFIRMED = Judgement(Meaning.CONFIRMED)
_REFUSED, _CONFLICT = 400, 409
_ABSENT, _MOVED = 404, 301
# Gladly's bodies for these are UNKNOWN, and a wrong guess does no harm: all of them stop or wait.
_BY_STATUS = {
    401: Judgement(Meaning.NOT_AUTHENTICATED),
    403: Judgement(Meaning.NOT_PERMITTED),
    429: Judgement(Meaning.THROTTLED),
}
_PROFILES = "/api/v1/customer-profiles"
_DEEP = 200  # of 254 levels that can be written


def judge(request: Request, status: int, headers: Mapping[str, str], body: bytes) -> Judgement:
    """Return what a reply says about its request.

    If the operation's body is streamed, only the head is judged here; its reader judges the body. A host
    without an organisation is absent, in whatever form it says so.
    """
    expected = request.declared
    if status == expected.status:
        return _confirmed(request, expected, headers, body)
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if request.operation == GET_ORGANIZATION.operation and (status == _ABSENT or 300 <= status < 400):
        return Judgement(Meaning.ABSENT)
    return _by_errors(request, status, headers, _json(body))


def _by_errors(request: Request, status: int, headers: Mapping[str, str], content: Any) -> Judgement:
    """Judge a reply that confirms nothing by its errors, if they have one of Gladly's forms."""
    problems = problems_in(content)
    if status == _MOVED and (successor := _successor(request, headers, problems)) is not None:
        return Judgement(Meaning.MOVED, content, problems, successor)
    if status in (_REFUSED, _CONFLICT) and problems:
        is_taken = status == _CONFLICT or any(problem.code == "taken" for problem in problems)
        return Judgement(Meaning.TAKEN if is_taken else Meaning.REFUSED, content, problems)
    if status == _ABSENT and any(problem.code is None or problem.code in CODES for problem in problems):
        return Judgement(Meaning.ABSENT, content, problems)
    return Judgement(Meaning.UNCLEAR, problems=problems)


def claims_success(status: int) -> bool:
    """Tell whether a status claims success, which may come from a gateway."""
    return 200 <= status < 300


def is_server_error(status: int) -> bool:
    """Tell whether a status says that the host is there, but could not serve the request."""
    return status >= 500


def problems_in(content: Any) -> tuple[ApiProblem, ...]:
    """Return the errors of a body in one of Gladly's forms; none for any other body.

    There are four: `errors` as a list or as one object, a bare list, a bare object. A documented code
    distinguishes the bare forms from errors of others.
    """
    is_bare = not (isinstance(content, dict) and "errors" in content)
    found = content if is_bare else content["errors"]
    entries = [found] if isinstance(found, dict) else found
    if not isinstance(entries, list):
        return ()
    problems = tuple(_problem(entry) for entry in entries if isinstance(entry, dict))
    if is_bare and not all(problem.code in CODES for problem in problems):
        return ()
    return tuple(problem for problem in problems if problem.code or problem.attr or problem.detail)


def _problem(entry: Mapping[str, Any]) -> ApiProblem:
    meta = entry.get("meta")
    return ApiProblem(
        code=_text(entry.get("code")),
        attr=_text(entry.get("attr")),
        detail=_text(entry.get("detail")),
        meta=meta if isinstance(meta, dict) else {},
    )


def _confirmed(request: Request, expected: Operation, headers: Mapping[str, str], body: bytes) -> Judgement:
    match expected.body:
        case Body.NOTHING:
            return _CONFIRMED if _is_nothing(request, expected, headers, body) else _UNCLEAR
        case Body.LINES | Body.CSV | Body.BYTES:
            return _CONFIRMED
        case Body.ELSEWHERE:
            return _CONFIRMED if headers.get("Location") else _UNCLEAR
    content = _json(body)
    is_expected = _is_object if expected.body is Body.OBJECT else _is_list
    return Judgement(Meaning.CONFIRMED, content) if is_expected(request, expected, content) else _UNCLEAR


def _is_nothing(request: Request, expected: Operation, headers: Mapping[str, str], body: bytes) -> bool:
    if expected.located is not None:
        identity = unquote(headers.get("Location", "").rstrip("/").rpartition("/")[2])
        if not identity or not _is_own(request, expected.located, identity):
            return False
    if not body or body.isspace():
        return True
    # Gladly may add fields to a reply without a new version. An added error, or a page, is not Gladly's.
    content = _json(body)
    return expected.located is not None and isinstance(content, dict) and "errors" not in content and not _bare(content)


def _bare(content: Mapping[str, Any]) -> bool:
    return bool(problems_in(content)) or "error" in content or "message" in content


def _is_object(request: Request, expected: Operation, content: Any) -> bool:
    # No object of Gladly's has a member for an error or a message.
    if not isinstance(content, dict) or any(name in content for name in ("errors", "error", "message")):
        return False
    return _has_members(request, expected, content)


def _is_list(request: Request, expected: Operation, content: Any) -> bool:
    if not isinstance(content, list):
        return False
    fits = (isinstance(entry, dict) and _has_members(request, expected, entry) for entry in content)
    if expected.body is Body.ENTRIES:
        return not content or any(fits)
    return all(fits)


def _has_members(request: Request, expected: Operation, content: Mapping[str, Any]) -> bool:
    if not all(_is_there(content.get(name)) for name in expected.needs):
        return False
    if expected.one_of and not any(name in content for name in expected.one_of):
        return False
    for name, source in expected.equals:
        wanted = _own(request, source[5:]) if source.startswith("body.") else _asked(request, expected)[source]
        # A create without an id of ours gets an id from Gladly.
        if not isinstance(content.get(name), str) or (wanted is not None and content[name] != wanted):
            return False
    if not all(is_fit(content[name]) for name, is_fit in expected.shapes if content.get(name) is not None):
        return False
    for name, source in expected.echoes:
        said = content.get(name)
        if isinstance(said, str) and said.lower() != _asked(request, expected)[source].lower():
            return False
    return True


def _is_there(value: Any) -> bool:
    return isinstance(value, list) or (isinstance(value, str) and value != "")


def _asked(request: Request, expected: Operation) -> Mapping[str, str]:
    """Return the variables of a request's path, unquoted."""
    found = _pattern(expected.path).fullmatch(request.path)
    if found is None:
        raise ValueError(f"{request.operation} does not have the path {expected.path}")
    return {name: unquote(value) for name, value in found.groupdict().items()}


@lru_cache(maxsize=128)
def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))


def _is_own(request: Request, member: str, identity: str) -> bool:
    """Tell whether an id is the one in this member of a create's body; any id is if the body has none."""
    # The id usually comes first in the body: this check saves reading it again.
    if not member or (request.body or b"").startswith(b'{"%b":"%b"' % (member.encode(), identity.encode())):
        return True
    return _own(request, member) in (None, identity)


def _own(request: Request, member: str) -> str | None:
    """Return a text from the request's body: the id under which a create makes its object."""
    content = orjson.loads(request.body or b"null")
    return _text(content.get(member)) if isinstance(content, dict) else None


def _successor(request: Request, headers: Mapping[str, str], problems: tuple[ApiProblem, ...]) -> str | None:
    """Return the customer that a reply names in place of the requested one; never the same, which would be a loop."""
    asked = _asked(request, request.declared).get("customerId")
    for problem in problems:
        if isinstance(new := problem.meta.get("new"), str) and new and new != asked:
            return new
    # It is not declared for getCustomer, but one known client reads it there.
    head, _, last = headers.get("Location", "").rpartition("/")
    is_profile = head.endswith(_PROFILES) and asked is not None and unquote(last) != asked
    return unquote(last) if is_profile and last else None


def _json(body: bytes) -> Any:
    """Return what a body holds; None if it is not JSON, or is nested so deeply that it could not be sent back."""
    try:
        content = exact_value(body)
        if body.count(b"{") + body.count(b"[") > _DEEP:
            orjson.dumps(content)
    except (ValueError, TypeError, RecursionError):
        return None
    return content


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
