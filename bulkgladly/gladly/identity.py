"""Who a record is: source keys, the ids we derive from them, and fingerprints of content. Pure."""

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Any

import orjson
import xxhash

from bulkgladly.gladly.spec import Policy
from bulkgladly.records import Problem, Row
from bulkgladly.source_keys import NotAKey, SourceKey, is_plain, read_key

__all__ = ("derive_id", "digest64", "fingerprint", "former_id", "id_problem", "key_in", "key_of_content")

_HALF = 1 << 63
_URL_SAFE = re.compile(r"[A-Za-z0-9_-]+")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyzABCDEFGHIJKL"


def derive_id(host: str, resource: str, namespace: str, key: str) -> str:
    """Return the id that a source key has in an organisation: 22 URL-safe characters.

    The same four inputs give the same id for ever, on every machine, so that a repeat of
    a create is refused as taken instead of making a twin. The first character is mapped
    to a letter, since a leading `-` or `_` is unproven for some resources.
    """
    digest = hashlib.blake2b(f"{host}\x1f{resource}\x1f{namespace}\x1f{key}".encode(), digest_size=16).digest()
    text = base64.urlsafe_b64encode(digest)[:22].decode()
    return _LETTERS[digest[0] >> 2] + text[1:]


def key_of_content(payload: Mapping[str, Any]) -> str:
    """Return the source key of a record that has no key of its own: a hash of its content.

    Two rows with equal content are one record. Never derived from the row's position, so
    a corrected file does not become new customers.
    """
    content = orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)
    return "content:" + hashlib.blake2b(content, digest_size=16).hexdigest()


def fingerprint(value: Any) -> str:
    """Return 16 hex characters that change when the value does, whatever the order of its keys."""
    return xxhash.xxh3_64_hexdigest(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))


def digest64(kind: str, value: str) -> int:
    """Return a signed 64-bit hash, the form in which claims are stored."""
    return xxhash.xxh3_64_intdigest(f"{kind}\x1f{value}".encode()) - _HALF


def id_problem(text: str, *, most: int | None = 49) -> str | None:
    """Say what is wrong with an id, or None.

    Rule: URL-safe; under 50 characters for customers, and `most` for others, where None
    stands for a length that is not known [gladly-api, schemas, conventions].
    """
    if not _URL_SAFE.fullmatch(text):
        return "the id may hold letters, digits, - and _ only"
    if most is not None and len(text) > most:
        return f"the id has {len(text)} characters; Gladly takes fewer than {most + 1}"
    return None


def key_in(row: Row, column: str) -> SourceKey | Problem:
    """Return the source key in the key column, or why that is no key.

    A key may also be a custom attribute (`customAttribute:crm_id`), in a row of either form.
    """
    value = row.fields.get(column) if row.fields else None
    if type(value) is str and row.former_key is None and is_plain(value):
        return SourceKey(value)
    try:
        key = read_key(_cell(row.fields or {}, column))
    except NotAKey as error:
        if error.code == "key_type":
            detail = f"the key column {column} must hold a text or a whole number"
        else:
            detail = f"the key column {column} is empty; every row needs its own key"
        return Problem(error.code, detail, column)
    if row.former_key is not None:
        return key._replace(former=row.former_key, is_odd=True)
    return key


def former_id(policy: Policy, resource: str, former_key: str | None, own_id: str | None) -> str | None:
    """Return the id that earlier versions derived from a key's former spelling; None where there is none."""
    if former_key is None or own_id is not None:
        return None
    return derive_id(policy.host, resource, policy.namespace, former_key)


def _cell(fields: Mapping[str, Any], column: str) -> Any:
    if column in fields:
        return fields[column]
    prefix, _, name = column.partition(":")
    if prefix == "customAttribute":
        attributes = fields.get("customAttributes")
        return attributes.get(name) if isinstance(attributes, dict) else None
    return None
