"""The variables of a mapping file: values with a name, in the table `[vars]`. Pure."""

import json
import tomllib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from bulkgladly.choices import closest
from bulkgladly.errors import UsageError
from bulkgladly.mapping.tables import Table

__all__ = ("NO_VARIABLES", "Variables", "compile_variables", "variable_text", "variables_in")


class Variables:
    """The values of `{ var = "NAME" }`."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = MappingProxyType(dict(values))

    def value(self, name: Any, table: Table, key: str) -> Any:
        """Return the value of a variable, which the key of a table names.

        Raises:
            UsageError: There is no such variable; the message suggests a similar one.
        """
        if not isinstance(name, str):
            table.fail(key, "var must be the name of a variable, in quotes")
        if name not in self._values:
            meant = closest(name, self._values)
            hint = f"did you mean {meant}?" if meant else f'add it to [vars], such as {name} = "2026-12-01"'
            table.fail(key, f"there is no variable {name!r}; {hint}")
        return self._values[name]

    def resolved(self, given: Any, table: Table, key: str) -> Any:
        """Return the value of `{ var = "NAME" }`, and any other value as it is.

        Raises:
            UsageError: As `value`.
        """
        if isinstance(given, dict) and set(given) == {"var"}:
            return self.value(given["var"], table, key)
        return given


NO_VARIABLES = Variables({})


def compile_variables(table: Table | None, given: Mapping[str, Any]) -> Variables:
    """Return the variables of `[vars]`; those that are given from outside go before them.

    Raises:
        UsageError: A value is not a text, a number, true or false.
    """
    own: dict[str, Any] = {}
    if table is not None:
        for name, value in table.items():
            if not isinstance(value, str | int | float):  # a bool is an int
                table.fail(name, "must be a text, a number, true or false; write dates in quotes")
            own[name] = table.plain(name)
    return Variables({**own, **given})


def variables_in(texts: Iterable[str]) -> dict[str, Any]:
    """Return the variables that texts such as `go_live=2026-12-01` give.

    A value is a number, true, false or a text in quotes, as in the mapping file; anything else is a text as it is.

    Raises:
        UsageError: A text has no name, or a name comes twice.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, mark, value = text.partition("=")
        if not mark or not name.strip():
            raise UsageError(f"--var {text}: write NAME=VALUE, such as --var go_live=2026-12-01")
        if name.strip() in found:
            raise UsageError(f"--var: {name.strip()} is given twice; remove one of them")
        found[name.strip()] = _value_in(value)
    return found


def variable_text(name: str, value: Any) -> str:
    """Return the text from which `variables_in` reads a variable."""
    is_plain = isinstance(value, str) and _value_in(value) == value
    return f"{name}={value if is_plain else json.dumps(value, ensure_ascii=False)}"


def _value_in(text: str) -> Any:
    try:
        value = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    found = value.get("value")
    return found if len(value) == 1 and isinstance(found, str | int | float) else text
