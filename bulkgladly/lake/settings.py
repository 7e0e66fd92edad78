"""How each column is laid out in Parquet."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import pyarrow as pa
from pyarrow import types

__all__ = ("parquet_settings",)

_MANY_VALUES = frozenset(
    {
        *("id", "body", "content", "_extra", "recordingUrl", "sessionId", "filename", "summary"),
        *("messageId", "noteId", "commentId", "bodyHtml", "comment", "transcript", "path", "blake2b"),
    }
)
"""Texts that hardly repeat: looking each up in a dictionary costs time and saves nothing."""

_SEARCHED = frozenset({"contentType", "type", "conversationId", "customerId", "_job_id", "_asked_id"})
"""Texts whose smallest and largest value are worth keeping, beside all numbers and times."""


def parquet_settings(schema: pa.Schema) -> dict[str, Any]:
    """Return the arguments of a Parquet writer for a declared schema."""
    # With Arrow 20 a schema that has metadata cannot be hashed.
    return _settings(schema.remove_metadata())


@cache
def _settings(schema: pa.Schema) -> dict[str, Any]:
    leaves = [leaf for field in schema for leaf in _leaves(field.name, field.type)]
    repeating = [path for path, kept in leaves if types.is_string(kept) and path.rpartition(".")[2] not in _MANY_VALUES]
    return {
        "use_dictionary": repeating,
        "write_statistics": [path for path, kept in leaves if not types.is_string(kept) or path in _SEARCHED],
        "store_schema": True,
    }


def _leaves(path: str, kept: pa.DataType) -> Iterator[tuple[str, pa.DataType]]:
    if isinstance(kept, pa.StructType):
        for at in range(kept.num_fields):
            member = kept.field(at)
            yield from _leaves(f"{path}.{member.name}", member.type)
    elif types.is_map(kept):
        yield from ((f"{path}.key_value.{name}", pa.string()) for name in ("key", "value"))
    elif isinstance(kept, pa.ListType):
        yield from _leaves(f"{path}.list.element", kept.value_type)
    else:
        yield path, kept
