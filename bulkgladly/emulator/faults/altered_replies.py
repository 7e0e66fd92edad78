"""The operation's own reply, changed into a wrong one."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from bulkgladly.emulator.faults.fault import Alteration, Fault
from bulkgladly.emulator.protocol.replies import Reply

__all__ = ("alter_reply",)

_OTHER: Mapping[str, Any] = {
    "name": "Somebody Else",
    "emails": [{"normalized": "somebody.else@example.org", "original": "somebody.else@example.org", "primary": True}],
    "phones": [{"original": "+16505550198", "mobile": True, "primary": True}],
}


def alter_reply(fault: Fault, own: Reply, *, path: str, url: str) -> Reply:
    """Return the reply, changed as the fault says."""
    reply = fault.reply or own
    if fault.alter != "none":
        body = reply.body if reply.stream is None else b"".join(reply.stream.blocks())
        headers = {name: _ALTERED_HEADERS.get(fault.alter, str)(value) for name, value in reply.headers.items()}
        reply = reply._replace(body=_ALTERED[fault.alter](body), headers=headers, stream=None)
    if fault.headers:
        told = {name: value.replace("{path}", path).replace("{url}", url) for name, value in fault.headers.items()}
        reply = reply._replace(headers={**reply.headers, **told})
    return reply if fault.status is None else reply._replace(status=fault.status)


def _other(body: bytes) -> bytes:
    """Return another object of the same kind, or lines or a list of others."""
    lines = body.splitlines() or [body]
    return b"\n".join(
        orjson.dumps(_another(orjson.loads(line))) if line[:1] in (b"{", b"[") else line for line in lines
    )


def _another(found: Any) -> Any:
    if isinstance(found, list):
        return [_another(each) for each in found]
    if not isinstance(found, dict):
        return found
    changed = {name: value for name, value in _OTHER.items() if name in found}
    return {**found, **changed, **({"id": f"other-{found['id']}"} if "id" in found else {})}


def _elsewhere(location: str) -> str:
    head, _, last = location.rpartition("/")
    return f"{head}/other-{last}"


_ALTERED: Mapping[Alteration, Callable[[bytes], bytes]] = {
    "other": _other,
    "wrapped": lambda body: b'{"data":' + (body or b"null") + b"}",
    "listed": lambda body: b"[" + body + b"]",
    "cut": lambda body: body[: len(body) // 2],
}
_ALTERED_HEADERS: Mapping[Alteration, Callable[[str], str]] = {"other": _elsewhere}
