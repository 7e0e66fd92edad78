"""Where the source key of a row, or of an element of its list, is found. Pure."""

from typing import Any

from bulkgladly.mapping.definitions import Definitions
from bulkgladly.mapping.row_values import REFERENCES, Fields, Reference, compile_reference, is_empty
from bulkgladly.mapping.tables import Table
from bulkgladly.mapping.templates import compile_template
from bulkgladly.mapping.value_operations import Operation

__all__ = ("compile_key",)


def compile_key(table: Table, definitions: Definitions) -> Reference | None:
    """Return where the `key` of a table says that keys are, or None if it has none.

    Raises:
        UsageError: It is not valid.
    """
    if "key" not in table:
        return None
    given: Any = table.value("key")
    if not isinstance(given, dict) or not {"template", "same_as"} & set(given):
        return compile_reference(given, table, "key", definitions.variables)
    key = Table(table.file, f"{table.name}.key" if table.name else "key", given)
    follow = definitions.following(key)
    if (template := key.text("template")) is not None:
        found = compile_template(template, key, "template", definitions.variables, is_key=True)
    else:
        place = {name: key.value(name) for name in sorted(REFERENCES) if name in key}
        found = compile_reference(place, table, "key", definitions.variables)
    key.finish()
    return found if follow is None else _followed(found, follow)


def _followed(reference: Reference, follow: Operation) -> Reference:
    def read(row: Fields) -> Any:
        value = reference.read(row)
        return value if is_empty(value) else follow(value)

    return Reference(read, reference.text, reference.columns)
