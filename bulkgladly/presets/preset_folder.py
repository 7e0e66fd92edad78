"""Writes a preset for an export: a folder of mappings, and a `migrate.toml` that puts them in order."""

import datetime as dt
import glob
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bulkgladly.commands import next_command
from bulkgladly.errors import UsageError
from bulkgladly.files.contract import ReadOptions
from bulkgladly.mapping.draft_lines import toml
from bulkgladly.mapping.mapping import parse_mapping
from bulkgladly.mapping.row_values import Unmappable
from bulkgladly.presets.export_recognition import SAMPLE_ROWS, SourceExport, found_in, recognise
from bulkgladly.presets.preset_catalog import Preset, PresetInput, PresetStep, load_preset
from bulkgladly.presets.preset_text import PresetText
from bulkgladly.shown import escaped_toml
from bulkgladly.storage.durable import write_new

__all__ = ("PROJECT_FILE", "PresetFolder", "preset_folder", "write_folder")

PROJECT_FILE = "migrate.toml"
_DAYS_TO_GO_LIVE = 30
_LOCAL = re.compile(r"(?!\+|00)[(]?\d(?:[^\w+]*\d){6,14}")
"""A phone number without a country."""
_DIGITS = "0123456789"
_TOLD_UNKNOWN = 10
_TOLD_FILES = 3
"""Files of one input that are told by name; the API of some systems makes one for each conversation."""


@dataclass(frozen=True, slots=True)
class PresetFolder:
    """The files to write into `folder`, by name, and what a person must know about them.

    `imports` are the objects and the files that are imported, or a pattern of them, in order; `missing` what was not
    found and is not carried over.
    """

    folder: Path
    texts: dict[str, str]
    imports: list[tuple[str, tuple[str, ...], str]] = field(default_factory=list)
    recognised: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    local_numbers: int = 0
    """How many of the phone numbers that were looked at have no country, so that a default is needed."""

    @property
    def local_note(self) -> str:
        """The beginning of a sentence about them."""
        one = self.local_numbers == 1
        return f"{self.local_numbers:,} phone number{' has' if one else 's have'} no country"

    @property
    def next_command(self) -> str:
        """The command that checks the mappings on the files."""
        if len(self.imports) == 1:
            ((name, files, mapping),) = self.imports
            return next_command("check", name, *files, "--map", self.folder / mapping)
        return next_command("migrate", "check", self.folder / PROJECT_FILE)


def preset_folder(
    system: str, path: Path, reading: ReadOptions, *, folder: Path | None, today: dt.date, rows: int = SAMPLE_ROWS
) -> PresetFolder:
    """Return the mappings of a system's preset, fitted to the export in a folder or file. Nothing is written.

    The first `rows` rows of each file are looked at.

    Raises:
        UsageError: There is no such preset, or nothing in `path` is part of such an export.
    """
    preset = load_preset(system)
    export = recognise(preset, path, reading, rows=rows)
    out = folder or Path(f"{preset.name}-to-gladly")
    go_live = (today + dt.timedelta(days=_DAYS_TO_GO_LIVE)).isoformat()
    relative = _RelativePaths(export, out)
    steps = [step for step in preset.steps if _can_run(step, export)]
    missing = list(_missing(preset, export, steps))
    if not steps:
        raise UsageError(f"{path}: has nothing to import: {'; '.join(missing)}")
    texts = _mappings(preset, steps, PresetText(export, relative.pattern, go_live))
    made = PresetFolder(
        folder=out,
        texts={
            name: _escaped(_head(step, export, out)) + text
            for (name, text), step in zip(texts.items(), steps, strict=True)
        },
        imports=[(step.object, _inputs(export, step.input), step.mapping) for step in steps],
        recognised=list(_recognised(export)),
        missing=missing,
        local_numbers=sum(
            _local_numbers(texts[step.mapping], export.rows(step.input)) for step in steps if step.object == "customers"
        ),
    )
    project = _project(preset, steps, relative, go_live, made)
    made.texts[PROJECT_FILE] = _escaped("\n".join(project) + "\n")
    return made


def _mappings(preset: Preset, steps: Sequence[PresetStep], text: PresetText) -> dict[str, str]:
    inputs = {one.name: one for one in preset.inputs}
    return {step.mapping: text.fitted(preset.template(step.mapping), inputs[step.input]) for step in steps}


def _head(step: PresetStep, export: SourceExport, folder: Path) -> str:
    try_it = next_command("check", step.object, *_inputs(export, step.input), "--map", folder / step.mapping)
    return f"# Review every line, then run\n# {try_it}\n#\n"


def _inputs(export: SourceExport, name: str) -> tuple[str, ...]:
    """Return the files of an input as a command names them: one pattern, if it matches just these."""
    paths = export.paths(name)
    pattern = pattern_of(paths) if len(paths) > 1 else None
    return tuple(map(str, paths)) if pattern is None else (pattern,)


def _recognised(export: SourceExport) -> Iterator[str]:
    for name, files in export.files.items():
        told = files if len(files) <= _TOLD_FILES else files[:1]
        more = f" and {len(files) - 1:,} more files" if told != files else ""
        yield from (escaped_toml(f"{file.path}{more}: {name}") for file in told)


def write_folder(made: PresetFolder) -> None:
    """Write the files of a preset that are not there yet; `migrate.toml` comes last.

    After a kill, the same command writes the rest: a file with the same content is left as it is.

    Raises:
        UsageError: One of them exists with other content, so that nothing was written; or the folder cannot be written.
    """
    contents = {made.folder / name: text.encode() for name, text in made.texts.items()}
    try:
        there = {path: path.read_bytes() for path in contents if os.path.lexists(path)}
        if changed := [path for path, content in there.items() if content != contents[path]]:
            raise UsageError(
                f"{changed[0]} already exists and may have been reviewed; delete it, or choose another folder with -o"
            )
        made.folder.mkdir(parents=True, exist_ok=True)
        for path, content in contents.items():
            if path not in there:
                write_new(path, content)
    except OSError as error:
        raise UsageError(f"{made.folder} cannot be written: {error.strerror}") from error


def _escaped(text: str) -> str:
    # Names of files may have unprintable characters.
    return "\n".join(escaped_toml(line) for line in text.split("\n"))


class _RelativePaths:
    """The paths of an export's files, as files in a folder write them."""

    def __init__(self, export: SourceExport, folder: Path) -> None:
        self._export, self._folder = export, folder

    def listed(self, name: str) -> str | list[str]:
        """Return the path of an input's file, or one pattern, so that pages of a later export count; or else a list."""
        paths = self._export.paths(name)
        if len(paths) > 1 and (pattern := pattern_of(paths)) is not None:
            return self._pattern_from_here(pattern)
        found = [os.path.relpath(path, self._folder) for path in paths]
        return found[0] if len(found) == 1 else found

    def pattern(self, name: str) -> str:
        """Return the path of an input's file, or one pattern that matches its files and no others.

        Raises:
            UsageError: There is no such pattern.
        """
        paths = self._export.paths(name)
        if len(paths) == 1:
            return os.path.relpath(paths[0], self._folder)
        pattern = pattern_of(paths)
        if pattern is None:
            raise UsageError(
                f"{', '.join(map(str, paths))}: no pattern matches just these files with {name}; "
                f"rename them to {name}-1, {name}-2, ..."
            )
        return self._pattern_from_here(pattern)

    def _pattern_from_here(self, pattern: str) -> str:
        return os.path.relpath(pattern, glob.escape(str(self._folder)))


def pattern_of(paths: Sequence[Path]) -> str | None:
    """Return a pattern that matches these files and no others, or None."""
    names = [str(path) for path in paths]
    start = os.path.commonprefix(names)  # noqa: RUF071 - of the characters, not of folders
    end = os.path.commonprefix([name[len(start) :][::-1] for name in names])[::-1]  # noqa: RUF071
    # First without the digits that pages 10 to 19 have in common, or page 20 of the next export would be missed.
    for before, after in ((start.rstrip(_DIGITS), end.lstrip(_DIGITS)), (start, end)):
        pattern = f"{glob.escape(before)}*{glob.escape(after)}"
        if set(names) == set(glob.glob(pattern)):  # noqa: PTH207 - may be absolute
            return pattern
    return None


def _can_run(step: PresetStep, export: SourceExport) -> bool:
    if not all(name in export.files for name in (step.input, *step.needs)):
        return False
    if any(name in export.files for name in step.unless):
        return False
    return not step.has or found_in(export.rows(step.input), step.has)


def _local_numbers(text: str, rows: Iterable[Mapping[str, Any]]) -> int:
    """Return how many phone numbers a mapping of customers makes of rows that have no country in them."""
    rules = [rule for rule in parse_mapping(text, "preset").rules if rule.target.startswith("phone:")]
    count = 0
    for row in rows:
        for rule in rules:
            try:
                found = rule.value(row, [])
            except Unmappable:
                continue
            count += sum(_is_local(one) for one in (found if isinstance(found, list) else [found]))
    return count


def _is_local(value: Any) -> bool:
    number = value.strip(" '") if isinstance(value, str) else ""
    return _LOCAL.fullmatch(number) is not None


def _missing(preset: Preset, export: SourceExport, steps: Sequence[PresetStep]) -> Iterator[str]:
    """Yield a line for each thing that is not carried over because its file is not there, or has no such rows."""
    by_name: dict[str, PresetInput] = {one.name: one for one in preset.inputs}
    for step in preset.steps:
        is_replaced = any(name in export.files for name in step.unless)
        if step in steps or is_replaced or any(step.input in other.unless for other in steps):
            continue
        absent = [name for name in (step.input, *step.needs) if name not in export.files]
        where = "; ".join(f"no {name} ({by_name[name].get})" for name in absent)
        yield f"{step.lost}: {where or f'{step.input} have none'}"
    for one in preset.inputs:
        is_used = any(one.name in (step.input, *step.needs) for step in preset.steps)
        if one.name not in export.files and not is_used:
            yield f"{one.name}: not found ({one.get})"
    told = export.unknown[:_TOLD_UNKNOWN]
    for file in told:
        yield f"{escaped_toml(str(file.path))}: not recognised"
    if more := len(export.unknown) - len(told):
        yield f"{more:,} more file{'' if more == 1 else 's'}: not recognised"
    for path, why in export.unread:
        yield escaped_toml(f"{path}: {why}")


def _project(
    preset: Preset, steps: Sequence[PresetStep], relative: _RelativePaths, go_live: str, made: PresetFolder
) -> Iterator[str]:
    yield f"# From {preset.title} to Gladly, in this order."
    yield "# Run `bulkgladly migrate check`, then `bulkgladly migrate run`."
    yield "version = 1"
    yield f"name = {toml(f'{preset.title} to Gladly')}"
    yield ""
    yield "[defaults]"
    if made.local_numbers:
        yield f"# {made.local_note}, so the row would be rejected. Uncomment this, with the country of local numbers."
    yield '# phone_region = "US"'
    yield ""
    yield "[vars]"
    yield f"go_live = {toml(go_live)}  # the day on which your agents begin to work in Gladly"
    for step in steps:
        yield ""
        yield "[[steps]]"
        if step.name != step.object:
            yield f"name = {toml(step.name)}"
        yield f"import = {toml(step.object)}"
        yield f"files = {toml(relative.listed(step.input))}"
        yield f"map = {toml(step.mapping)}"
        if after := [name for name in step.after if any(one.name == name for one in steps)]:
            yield f"after = {toml(after)}"
    if made.missing:
        yield ""
        yield "# Not carried over:"
        yield from (f"# - {line}" for line in made.missing)
