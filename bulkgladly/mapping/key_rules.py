"""Where the source key of a row, or of an element of its list, is found. Pure."""

from typing import Any

from bulkgladly.mapping.definitions import Definitions
from bulkgladly.mapping.row_values import Reference, compile_reference
from bulkgladly.mapping.tables import Table
from bulkgladly.mapping.templates import compile_template

__all__ = ("compile_key",)


def compile_key(table: Table, definitions: Definitions) -> Reference | None:
    """Return where the `key` of a table says that keys are, or None if it has none.

    Raises:
        UsageError: It is not valid.
    """
    if "key" not in table:
        return None
    given: Any = table.value("key")
    if not isinstance(given, dict) or "template" not in given:
        return compile_reference(given, table, "key", definitions.variables)
    key = Table(table.file, f"{table.name}.key" if table.name else "key", given)
    found = compile_template(key.text("template") or "", key, "template", definitions.variables, is_key=True)
    key.finish()
    return found
