"""What a customer profile may contain, and the form in which it is stored."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from bulkgladly.emulator.organisation.addresses import bare_email, e164, is_email
from bulkgladly.emulator.protocol.replies import problem, refuse

__all__ = ("MAX_ID_LENGTH", "checked_fields", "checked_id", "patched")

MAX_ID_LENGTH = 50

_ID = re.compile(r"[A-Za-z0-9_-]+")
_PHONE_TYPES = frozenset({"", "HOME", "MOBILE", "OFFICE"})
_SMS_PREFERENCES = frozenset({"ON", "OFF", "FORBIDDEN"})


class _Wrong(ValueError):  # says what a value is
    """A field is not valid; the text says why."""


def checked_id(value: object) -> str:
    """Check the id that a client chose: letters, digits, `-` and `_`, at most 50 characters.

    Raises:
        Refusal: 400 with `attr=id code=invalid`.
    """
    if isinstance(value, str) and len(value) <= MAX_ID_LENGTH and _ID.fullmatch(value):
        return value
    detail = f"id must be 1 to {MAX_ID_LENGTH} URL-safe characters"
    raise refuse(400, problem("invalid", detail, attr="id"))


def checked_fields(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the known profile fields of a request body, normalized; None for null.

    Unknown fields are dropped, because Gladly promises to ignore them. So are read-only fields, which
    come back when a client sends a whole profile that it has read.

    Raises:
        Refusal: 400 with `code=invalid` for every field at fault.
    """
    fields: dict[str, Any] = {}
    problems = []
    for name, check in _CHECKS.items():
        if name not in payload:
            continue
        value = payload[name]
        try:
            fields[name] = None if value is None else check(value)
        except _Wrong as wrong:
            problems.append(problem("invalid", str(wrong), attr=name))
    if problems:
        raise refuse(400, *problems)
    return fields


def patched(profile: Mapping[str, Any], fields: Mapping[str, Any], *, merge_attributes: bool) -> dict[str, Any]:
    """Return a copy of the profile with these fields. Arrays are replaced as a whole; None removes a field.

    With `merge_attributes` only the given keys of `customAttributes` change, and None removes a key.
    """
    result = dict(profile)
    for name, value in fields.items():
        if value is None:
            result.pop(name, None)
        elif name == "customAttributes" and merge_attributes:
            both = profile.get(name, {}) | value
            result[name] = {key: kept for key, kept in both.items() if kept is not None}
        else:
            result[name] = value
    return result


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _Wrong("must be a string")
    return value


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Wrong("must be an object")
    return value


def _emails(value: object) -> list[dict[str, Any]]:
    return _addresses(value, _email)


def _phones(value: object) -> list[dict[str, Any]]:
    return _addresses(value, _phone)


def _addresses(value: object, check: Callable[[Mapping[str, Any]], dict[str, Any]]) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise _Wrong("must be an array of objects")
    entries = [check(entry) for entry in value]
    if sum(entry.get("primary", False) for entry in entries) > 1:
        raise _Wrong("at most one can be primary")
    return entries


def _email(entry: Mapping[str, Any]) -> dict[str, Any]:
    original = bare_email(_original(entry))
    if not is_email(original):
        raise _Wrong("an entry is not an email address")
    return {"original": original, "normalized": original.lower()} | _primary(entry)


def _phone(entry: Mapping[str, Any]) -> dict[str, Any]:
    original = _original(entry)
    region = entry.get("regionCode") or "US"
    normalized = e164(original, region) if isinstance(region, str) else None
    if normalized is None:
        raise _Wrong("an entry is not a phone number of its region")
    kind = entry.get("type") or ""
    if kind not in _PHONE_TYPES:
        raise _Wrong("type must be HOME, MOBILE or OFFICE")
    phone = {"original": original, "normalized": normalized, "regionCode": region, "type": kind}
    if entry.get("extension") is not None:
        phone["extension"] = _text(entry["extension"])
    if entry.get("smsPreference"):
        if entry["smsPreference"] not in _SMS_PREFERENCES:
            raise _Wrong("smsPreference must be ON, OFF or FORBIDDEN")
        phone["smsPreference"] = entry["smsPreference"]
    return phone | _primary(entry)


def _original(entry: Mapping[str, Any]) -> str:
    original = entry.get("original")
    if not isinstance(original, str) or not original.strip():
        raise _Wrong("an entry has no original")
    return original


def _primary(entry: Mapping[str, Any]) -> dict[str, Any]:
    primary = entry.get("primary")
    if primary is None:
        return {}
    if not isinstance(primary, bool):
        raise _Wrong("primary must be true or false")
    return {"primary": primary}


_CHECKS: dict[str, Callable[[object], Any]] = {
    "name": _text,
    "image": _text,
    "address": _text,
    "emails": _emails,
    "phones": _phones,
    "externalCustomerId": _text,
    "customAttributes": _object,
}
