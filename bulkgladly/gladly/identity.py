"""What identifies a record: source keys, the ids derived from them, and fingerprints of content. Pure."""

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Any

import orjson
import xxhash

from bulkgladly.records import Problem, Row
from bulkgladly.source_keys import NotAKey, SourceKey, is_plain, read_key

__all__ = ("derive_id", "digest64", "fingerprint", "id_problem", "key_in", "key_of_content")

_HALF = 1 << 63
_URL_SAFE = re.compile(r"[A-Za-z0-9_-]+")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyzABCDEFGHIJKL"


def derive_id(host: str, resource: str, namespace: str, key: str) -> str:
    """Return the id that a source key has in an organisation: 22 URL-safe characters.

    The same four inputs always give the same id, on every machine, so that a repeated create is
    refused as taken instead of creating a duplicate.
    """
    digest = hashlib.blake2b(f"{host}\x1f{resource}\x1f{namespace}\x1f{key}".encode(), digest_size=16).digest()
    # The first character becomes a letter: whether Gladly accepts a leading - or _ everywhere was not tried.
    text = base64.urlsafe_b64encode(digest)[:22].decode()
    return _LETTERS[digest[0] >> 2] + text[1:]


def key_of_content(payload: Mapping[str, Any]) -> str:
    """Return the source key of a record without a key of its own: a hash of its content.

    Two rows with equal content are one record. The position of a row is never used, so a
    corrected file does not create new customers.
    """
    content = orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)
    return "content:" + hashlib.blake2b(content, digest_size=16).hexdigest()


def fingerprint(value: Any) -> str:
    """Return 16 hex characters that depend on the value, but not on the order of its keys."""
    return xxhash.xxh3_64_hexdigest(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))


def digest64(kind: str, value: str) -> int:
    """Return a signed 64-bit hash, as claims are stored."""
    return xxhash.xxh3_64_intdigest(f"{kind}\x1f{value}".encode()) - _HALF


def id_problem(text: str, *, most: int | None = 49) -> str | None:
    """Return what is wrong with an id, or None.

    Ids are URL-safe and have `most` characters at most: 49 for customers, None if the limit is
    not known [gladly-api, schemas, conventions].
    """
    if not _URL_SAFE.fullmatch(text):
        return "an id can only have letters, digits, - and _"
    if most is not None and len(text) > most:
        return f"the id has {len(text)} characters; Gladly allows {most}"
    return None


def key_in(row: Row, column: str) -> SourceKey | Problem:
    """Return the source key in the key column, or why it is not a key.

    The key column may also be a custom attribute (`customAttribute:crm_id`), nested or flat.
    """
    value = row.fields.get(column) if row.fields else None
    if type(value) is str and row.former_key is None and is_plain(value):
        return SourceKey(value)
    try:
        key = read_key(_cell(row.fields or {}, column))
    except NotAKey as error:
        if error.code == "key_type":
            detail = f"the key column {column} must be a text or a whole number"
        else:
            detail = f"the key column {column} is empty or holds a placeholder such as N/A; each row needs its own key"
        return Problem(error.code, detail, column)
    if row.former_key is not None:
        return key._replace(former=row.former_key, is_odd=True)
    return key


def _cell(fields: Mapping[str, Any], column: str) -> Any:
    if column in fields:
        return fields[column]
    prefix, _, name = column.partition(":")
    if prefix == "customAttribute":
        attributes = fields.get("customAttributes")
        return attributes.get(name) if isinstance(attributes, dict) else None
    return None
