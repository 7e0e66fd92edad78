"""Fits a mapping of a preset to the files that are really there. Pure.

A template is a mapping with lines for this module, which begin with `#:`, and with places like `@{users}`:

- `#: if users` ... `#: else` ... `#: end`: only if the export has this input; `if tickets has priority`: only if its
  rows have this column, or the path finds something in them;
- `#: attributes users user_fields`: a line for each member of this object, as a custom attribute;
- `#: columns`: a line for each column of a table that the mapping does not use;
- `#: table groups id name`: a line for each row of an input, to translate its key into its name;
- `@{users}`: the path of the input's file, or a pattern for several; `@{go_live}`: a day;
- `@{labelled tickets custom_fields ticket_fields}`: a path that makes `<br>Title: value` of each custom field.
"""

import html
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bulkgladly.mapping.draft_lines import toml, toml_key
from bulkgladly.mapping.mapping import parse_mapping
from bulkgladly.mapping.row_values import is_empty
from bulkgladly.presets.export_recognition import SourceExport, column_of, found_in
from bulkgladly.presets.preset_catalog import PresetInput
from bulkgladly.shown import escaped_toml

__all__ = ("PresetText",)

_DIRECTIVE = re.compile(r"#:\s*(if|else|end|attributes|columns|table)\b\s*(.*)")
_PLACE = re.compile(r"@\{([^}]*)\}")
_ENTRY = re.compile(r'(?:"(?:[^"\\]|\\.)+"|[A-Za-z]\w*)\s*=\s')
_SUFFIX = re.compile(r"__c$|\s*\([^)]*\)$")
"""What systems add to the names of custom fields: Salesforce `__c`, Shopify the full name of a metafield."""
_NOT_ALNUM = re.compile(r"[^a-z0-9]+")
_MOST_FIELDS = 60
_COLUMNS = "#: columns"
_PARTS = ("from", "join")


@dataclass(frozen=True, slots=True)
class PresetText:
    """Makes the texts of mappings for one export. `path_of` writes the path of an input's files for the mapping."""

    export: SourceExport
    path_of: Callable[[str], str]
    go_live: str

    def fitted(self, template: str, source: PresetInput) -> str:
        """Return a mapping for the rows of an input, made from its template."""
        lines = list(self._chosen(template.splitlines()))
        if self._is_table(source.name):
            lines = list(_with_columns(lines, self._columns(source.name)))
            marked = [number for number, line in enumerate(lines) if line == _COLUMNS]
            for number in marked:
                lines[number : number + 1] = self._unused(lines, source)
        lines = [line for line in lines if line != _COLUMNS]
        return "".join(f"{escaped_toml(line)}\n" for line in lines)

    # --- the lines that apply, with their places filled ---

    def _chosen(self, lines: Iterable[str]) -> Iterator[str]:
        applies = [True]
        for line in lines:
            found = _DIRECTIVE.fullmatch(line.strip())
            if found is None:
                if all(applies):
                    yield _PLACE.sub(lambda place: self._filled(place[1]), line)
                continue
            word, rest = found[1], found[2].strip()
            if word == "if":
                applies.append(self._holds(rest))
            elif word == "else":
                applies[-1] = not applies[-1]
            elif word == "end":
                applies.pop()
            elif all(applies):
                yield from self._lines(word, rest.split())

    def _lines(self, word: str, given: Sequence[str]) -> Iterator[str]:
        match word:
            case "columns":
                yield _COLUMNS
            case "attributes":
                yield from self._attributes(*given)
            case _:
                name, key, value = given
                rows = {str(row.get(key)): str(row.get(value)) for row in self.export.rows(name)}
                yield from (f"{toml(key)} = {toml(value)}" for key, value in rows.items())

    def _holds(self, condition: str) -> bool:
        name, has, path = condition.partition(" has ")
        files = self.export.files.get(name.strip(), ())
        if not has or not files:
            return bool(files)
        if self._is_table(name):
            return column_of(path, self._columns(name)) is not None
        return found_in(self.export.rows(name), path)

    def _filled(self, place: str) -> str:
        if place == "go_live":
            return toml(self.go_live)
        words = place.split()
        if words[0] == "labelled":
            return toml(self._labelled(*words[1:]))
        return toml(self.path_of(place))

    def _labelled(self, name: str, path: str, titles: str) -> str:
        """Return a JMESPath that makes one text of a row's custom fields, which are objects with `id` and `value`."""
        known = {row.get("id"): row.get("title") for row in self.export.rows(titles)}
        seen = dict.fromkeys(
            field["id"]
            for row in self.export.rows(name)
            for field in row.get(path) or ()
            if isinstance(field, dict) and "id" in field and field.get("value") not in (None, "", [])
        )
        parts = []
        for number in list(seen)[:_MOST_FIELDS]:
            title = html.escape(str(known.get(number) or f"Field {number}")).replace("\\", "&#92;")
            chosen = f"not_null({path}, `[]`)[?id == `{json.dumps(number)}` && value]"
            parts.append(f"map(&join('', ['<br>{title}: ', to_string(value)]), {chosen})")
        return f"join('', [{', '.join(parts)}][])"

    def _attributes(self, name: str, path: str) -> Iterator[str]:
        """Yield a line for each member of an object in the rows: as a comment if none of the rows has a value."""
        steps = path.split(".")
        found: dict[str, list[Any]] = {}
        for row in self.export.rows(name):
            value: Any = row
            for step in steps:
                value = value.get(step) if isinstance(value, dict) else None
            for key, member in value.items() if isinstance(value, dict) else ():
                found.setdefault(key, []).append(member)
        targets: set[str] = set()
        for key, members in ((key, members) for key, members in found.items() if key.strip()):
            given = [member for member in members if member not in (None, "", [], {})]
            # In the name of a field, a colon and an asterisk have a meaning of their own.
            name = _free_target(re.sub(r"[:*]", "_", key), targets)
            targets.add(name)
            target = toml(name)
            options = f"path = {toml(f'{path}.{_quoted(key)}')}"
            if any(isinstance(member, list) for member in given):
                options = f"path = {toml(_joined(f'{path}.{_quoted(key)}'))}"
            line = f'{target} = {{ {options}, on_error = "drop" }}'
            yield line if given and not all(isinstance(one, dict) for one in given) else f"# {line}  # never filled"

    # --- tables: only the columns that they have ---

    def _is_table(self, name: str) -> bool:
        return all(file.is_table for file in self.export.files.get(name, ()))

    def _columns(self, name: str) -> tuple[str, ...]:
        """Return the columns that all files of an input have."""
        first, *others = (file.columns for file in self.export.files[name])
        return tuple(column for column in first if all(column in other for other in others))

    def _unused(self, lines: Sequence[str], source: PresetInput) -> list[str]:
        mapping = parse_mapping("\n".join(line for line in lines if line != _COLUMNS), source.name)
        taken = set(mapping.targets)
        ignored = {column_of(name, self._columns(source.name)) for name in source.ignored}
        found: list[str] = []
        filled = {column for row in self.export.rows(source.name) for column, cell in row.items() if not is_empty(cell)}
        for column in self._columns(source.name):
            if column in mapping.columns or column in ignored or column not in filled:
                continue
            target = _attribute_name(column, taken)
            taken.add(target)
            line = f'{toml(target)} = {{ from = {toml(column)}, on_error = "drop" }}'
            is_custom = bool(source.custom) and re.search(source.custom, column) is not None
            found.append(line if is_custom else f"# {line}")
        if any(line.startswith("#") for line in found):
            found.insert(0, "# Other columns. Uncomment a line to keep that column as a custom attribute.")
        return found


def _attribute_name(column: str, taken: Iterable[str]) -> str:
    return _free_target(_NOT_ALNUM.sub("_", _SUFFIX.sub("", column).lower()).strip("_") or "column", taken)


def _free_target(plain: str, taken: Iterable[str]) -> str:
    """Return a custom attribute of this name, with a number behind it if the name is taken."""
    name, number = plain, 2
    while f"customAttribute:{name}" in taken:
        name, number = f"{plain}_{number}", number + 1
    return f"customAttribute:{name}"


def _with_columns(lines: Iterable[str], columns: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a mapping; those of `[fields]` that name no column of the table become comments."""
    table = ""
    for line in lines:
        if line.startswith("["):
            table = line.strip()
        is_key = table == "" and line.startswith("key ")
        if not (is_key or table == "[fields]") or not _ENTRY.match(line):
            yield line
            continue
        ((target, value),) = tomllib.loads(line).items()
        kept = _kept(value, columns)
        if kept == value:
            yield line
        elif kept is None:
            yield f"# {line}  # these files have no such column"
        else:
            yield f"{toml_key(target)} = {toml(kept)}"


def _kept(value: Any, columns: Sequence[str]) -> Any:
    """Return what is left of a source without the columns that are missing, spelled as in the file; None if nothing."""
    if isinstance(value, str):
        return column_of(value, columns)
    if isinstance(value, list):
        parts = [_kept(part, columns) for part in value]
        left = [part for part in parts if part is not None]
        has_column = any(isinstance(part, str) or "constant" not in part for part in left)
        return (left if len(left) > 1 else left[0]) if has_column else None
    for key in _PARTS:
        if key in value:
            left = _kept(value[key], columns)
            if key == "join" and left is not None and not isinstance(left, list):
                left = [left]
            return None if left is None else {**value, key: left}
    return value


# --- TOML ---


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) else json.dumps(name, ensure_ascii=False)


def _joined(path: str) -> str:
    return f"join(', ', map(&to_string(@), {path}))"
