"""What a step takes from the rows of its files: which value becomes which field, and which ones decide something."""

import enum
import glob
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bulkgladly.files.columns import unknown_columns
from bulkgladly.mapping.read_paths import paths_read
from bulkgladly.mapping.transform import Transform, load_transform
from bulkgladly.projects.planned_steps import PlannedStep

__all__ = ("SourceUse", "StepRead", "reads_of_columns", "reads_of_lookups", "reads_of_mapping", "transform_of")

_PLACE = re.compile(r'\{\{|\{(?:"([^"]+)"|([^"{}:$][^{}:]*))')
_NESTED = ("from", "join", "column", "path", "template")


class SourceUse(enum.StrEnum):
    """What a value is used for."""

    FIELD = "field"
    ATTRIBUTE = "attribute"
    LOOKUP = "lookup"
    KEY = "key"
    FILTER = "filter"
    LIST = "list"
    """One record is made for each of its elements."""
    TRANSFORM = "transform"
    """The user's own function looks at it."""


class StepRead(NamedTuple):
    """A value that a step reads: its path in the row (`comments[].body`), and what for. `target` is Gladly's field."""

    path: str
    use: SourceUse
    target: str = ""


def reads_of_mapping(plan: PlannedStep) -> list[StepRead]:
    """Return what the mapping of a step reads, in the order of its file. The mapping has been checked before."""
    choice = plan.options.mapping
    found = [StepRead(plan.options.key, SourceUse.KEY)] if plan.options.key else []
    if choice is None or choice.file is None:
        return found
    content = tomllib.loads(choice.text)
    if not found:
        found = [StepRead(path, SourceUse.KEY) for path in _paths(content.get("key"))]
    if isinstance(where := content.get("where"), str):
        found += [StepRead(path, SourceUse.FILTER) for path in paths_read(where)]
    each = content.get("each")
    prefix = plan.step.spec.columns.open_prefix
    for target, given in content.get("fields", {}).items():
        is_attribute = prefix is not None and target.startswith(f"{prefix}:")
        use = SourceUse.ATTRIBUTE if is_attribute else SourceUse.FIELD
        if isinstance(given, dict) and "lookup" in given:
            use = SourceUse.LOOKUP
        found += [StepRead(path, use, target) for path in _paths(given)]
    if isinstance(each, dict):
        found += [StepRead(path, SourceUse.KEY) for path in _paths(each.get("key"))]
        found = _of_elements(found, each)
    return list(dict.fromkeys(found))


def reads_of_lookups(plan: PlannedStep) -> dict[Path, list[StepRead]]:
    """Return what the mapping of a step reads in the files in which it looks values up."""
    choice, file = plan.options.mapping, plan.step.map
    if choice is None or file is None:
        return {}
    content = tomllib.loads(choice.text)
    uses = [(target, text) for target, given in content.get("fields", {}).items() for text in _looked_up(given)]
    uses += [("", text) for text in _looked_up(content.get("key"))]
    found: dict[Path, list[StepRead]] = {}
    for name, given in content.get("lookup", {}).items():
        reads = found.setdefault(Path(glob.escape(str(file.parent)), given["file"]), [])
        reads += [StepRead(path, SourceUse.KEY) for path in _paths(given.get("key"))]
        reads += [StepRead(path, SourceUse.FILTER) for path in paths_read(given.get("where") or "@")]
        for target, text in uses:
            looked_up, _, path = text.partition(".")
            if looked_up == name:
                paths = _paths(given["value"]) if "value" in given else paths_read(path) if path else ()
                reads += [StepRead(one, SourceUse.LOOKUP, target) for one in paths]
    return found


def _looked_up(given: Any) -> Iterator[str]:
    """Yield the lookups that a field or a key uses, also in its parts."""
    if isinstance(given, list):
        for one in given:
            yield from _looked_up(one)
    elif isinstance(given, Mapping):
        yield from (given[name] for name in ("lookup", "same_as") if isinstance(given.get(name), str))
        for name in _NESTED:
            if isinstance(given.get(name), list | dict):
                yield from _looked_up(given[name])


def reads_of_columns(plan: PlannedStep, columns: Sequence[str]) -> list[StepRead]:
    """Return what a step without a mapping takes from rows with these columns, which are Gladly's own."""
    columns_plan, ignored = plan.step.spec.columns, plan.options.ignore_columns
    found = [StepRead(plan.options.key, SourceUse.KEY)] if plan.options.key else []
    sent = set(columns) - set(unknown_columns(columns, columns_plan)) - set(ignored) - set(columns_plan.read_only)
    prefix = columns_plan.open_prefix
    for column in columns:
        if column in sent and column != plan.options.key:
            is_attribute = column == columns_plan.open_map or (prefix and column.startswith(f"{prefix}:"))
            found.append(StepRead(column, SourceUse.ATTRIBUTE if is_attribute else SourceUse.FIELD, column))
    return found


def transform_of(plan: PlannedStep) -> Transform | None:
    """Return the function that gets each row of a step before the mapping, if there is one.

    Raises:
        UsageError: It cannot be loaded.
    """
    choice = plan.options.mapping
    if choice is None or choice.transform is None:
        return None
    return load_transform(choice.transform, Path(choice.root or "."))


def _paths(given: Any) -> Iterator[str]:
    """Yield the paths that a field, a key or a part of one is made from, whatever form it has."""
    if isinstance(given, str):
        yield given
    elif isinstance(given, list):
        for one in given:
            yield from _paths(one)
    elif isinstance(given, Mapping):
        for name in _NESTED:
            value = given.get(name)
            if name == "path" and isinstance(value, str):
                yield from paths_read(value)
            elif name == "template" and isinstance(value, str):
                # A column in quotes, or a path; `{{` stands for a brace, and `{$name}` for a variable.
                yield from (place[1] or place[2] for place in _PLACE.finditer(value) if place[0] != "{{")
            elif value is not None:
                yield from _paths(value)


def _of_elements(reads: Sequence[StepRead], each: Mapping[str, Any]) -> list[StepRead]:
    """Return reads with the paths of the row: fields see an element of the list as a value of its own."""
    name, lists = each.get("as", "item"), paths_read(str(each.get("of", "")))
    made = {f"{name}_number", f"{name}_count"}
    found: list[StepRead] = [StepRead(path, SourceUse.LIST) for path in lists]
    for read in reads:
        first, dot, rest = read.path.partition(".")
        if read.path in made:
            continue
        if first != name:
            found.append(read)
            continue
        # The last path is the list; the ones before it are looked at to choose its elements.
        found.append(read._replace(path=f"{lists[-1].removesuffix('[]')}[]{dot}{rest}"))
    return found
