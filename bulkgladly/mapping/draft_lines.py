"""How a draft is written: the lines of `[fields]` with their comments, and values as TOML. Pure."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bulkgladly.mapping.column_profiles import Profile

__all__ = ("WIDTH", "DraftLine", "Options", "column_reference", "source_option", "toml", "toml_key", "toml_table")

Options = tuple[tuple[str, object], ...]
WIDTH = 110


@dataclass(frozen=True, slots=True)
class DraftLine:
    """One entry of `[fields]`: its field, the options of its table, and a comment."""

    target: str
    options: Options
    note: str = ""

    def lines(self) -> list[str]:
        """Return the entry, with its comment behind it, or in front of it if both are long."""
        entry = self.entry()
        if not self.note:
            return [entry]
        text = f"{entry}  # {self.note}"
        is_short = len(text) <= WIDTH and "\n" not in self.note
        return [text] if is_short else [*(f"# {line}" for line in self.note.splitlines()), entry]

    def entry(self) -> str:
        """Return the entry without its comment."""
        named = dict(self.options)
        value = toml(named["from"]) if set(named) == {"from"} else toml_table(self.options)
        return f"{toml_key(self.target)} = {value}"


def source_option(profile: Profile, *, is_single: bool = False) -> tuple[str, object]:
    """Return the option of a table that says where a column is; `is_single` takes the first of what a path finds."""
    if profile.is_column:
        return ("from", profile.names[0])
    return ("path", f"{profile.path} | [0]" if is_single and profile.inside else profile.path)


def column_reference(profile: Profile) -> object:
    """Return where a column is, as an element of a list of columns."""
    return profile.names[0] if profile.is_column else {"path": profile.path}


def toml(value: object) -> str:
    """Return a value as TOML. Texts are written as in JSON; `escaped_toml` later fixes what TOML writes otherwise."""
    if isinstance(value, Mapping):
        return toml_table(value.items())
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def toml_table(options: Iterable[tuple[str, object]]) -> str:
    """Return options as a table on one line."""
    return "{ " + ", ".join(f"{toml_key(name)} = {toml(value)}" for name, value in options) + " }"


def toml_key(name: str) -> str:
    """Return a name as a key of TOML, in quotes if it needs them."""
    is_bare = name[:1].isalnum() and all(char.isascii() and (char.isalnum() or char in "_-") for char in name)
    return name if is_bare else toml(name)
