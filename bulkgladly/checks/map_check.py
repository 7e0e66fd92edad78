"""`map init` and `map check` without their output: samples of files, a draft, rows before and after."""

import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from bulkgladly.errors import UsageError
from bulkgladly.files.contract import Reader, ReadOptions
from bulkgladly.files.csv_files import refuse_wrong_delimiter
from bulkgladly.files.inputs import Inputs
from bulkgladly.gladly.fields import Kind
from bulkgladly.gladly.phone_regions import RegionGuess, likely_region
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.gladly.table import import_spec
from bulkgladly.imports.drafts import Preparer
from bulkgladly.imports.import_inputs import passing_files
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.imports.mapping_choice import (
    MapChoice,
    check_mapped_columns,
    columns_read,
    mapper_for,
    mapping_of,
    reading_for,
    refuse_cut_identity,
)
from bulkgladly.imports.preview import Previewer, PreviewRow
from bulkgladly.mapping.check import Difference, compare, outputs, read_cases
from bulkgladly.mapping.column_profiles import profiles
from bulkgladly.mapping.draft import DraftFiles, draft_mapping
from bulkgladly.mapping.draft_contacts import phone_columns
from bulkgladly.mapping.draft_targets import Target, normal_name
from bulkgladly.mapping.mapper import Mapper
from bulkgladly.mapping.row_values import Fields
from bulkgladly.records import Mode, Problem, Row, Word
from bulkgladly.shown import escaped_toml

__all__ = ("MapCheck", "MappedRow", "MappingDraft", "check_mapping", "draft_for", "targets_of")

SAMPLE_ROWS = 1000
DRAFT_ROWS = 10_000
"""Dirt that one row in a thousand has must be seen some times, to be told from an accident."""
DRAFT_BYTES = 32 * 1024 * 1024
_IN_PIECES = ("activities", "notes", "task-comments")
"""Objects whose text may be split, because they follow each other on a timeline. Two tasks would be two tasks."""

_UNIQUE = frozenset({("answers", "name")})
"""Fields of which no two objects have the same value, so that they identify a row that has no other key."""
_COUNTRY, _LAND = "country", ("land", "pays", "pais")
_MONTH_FIRST = frozenset({"US", "CA", "PH"})
"""Countries in which people write the month before the day; elsewhere the day comes first."""


@dataclass(frozen=True, slots=True)
class MappingDraft:
    """The draft of a mapping, and the flags with which its files are then checked and imported."""

    text: str
    to: str
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MappedRow:
    """A row before and after: `output` has its records, `problems` why an import would reject some of them.

    In place of a record that the mapping could not make, there is one with a `problem`. `preview` is what people see:
    what is sent where it differs from the row, and the values that records are sent without.
    """

    file: str
    number: int
    input: dict[str, Any]
    output: list[dict[str, Any]]
    problems: list[Problem]
    preview: PreviewRow


@dataclass(frozen=True, slots=True)
class MapCheck:
    """The result of trying a mapping.

    `unused` are columns of the samples that the mapping does not read, `absent` those that it reads
    and no sample has. `tested` counts the expectations.
    """

    examples: Sequence[MappedRow]
    unused: tuple[str, ...]
    absent: tuple[str, ...]
    tested: int
    differences: Sequence[Difference]
    notes: Sequence[str] = ()
    """What was recognised in the files, a line each."""

    @property
    def exit_code(self) -> int:
        """1 if a row shown is rejected or an expectation is not met, else 0."""
        return 1 if self.differences or any(example.problems for example in self.examples) else 0


def draft_for(
    resource_name: str,
    files: Sequence[str],
    reading: ReadOptions,
    *,
    rows: int = DRAFT_ROWS,
    show_values: bool = False,
    stdin: BinaryIO | None = None,
) -> MappingDraft:
    """Return the draft of a mapping from files to an object, based on the first `rows` rows of each file.

    A single `-` reads `stdin`.

    Raises:
        UsageError: The object is unknown, a file cannot be read, or there are no rows.
    """
    spec = import_spec(resource_name)
    with tempfile.TemporaryDirectory(prefix="bulkgladly-map-") as folder:
        paths, names = passing_files(files, ImportOptions(reading=reading), stdin, Path(folder))
        inputs = Inputs.open(paths, reading, names=names)
        return _drafted(spec, inputs, names or files, reading, rows=rows, show_values=show_values)


def _drafted(
    spec: ImportSpec, inputs: Inputs, files: Sequence[str], reading: ReadOptions, *, rows: int, show_values: bool
) -> MappingDraft:
    for reader in inputs.readers:
        refuse_wrong_delimiter(reader)
    read = [row for reader in inputs.readers for row in _first_rows(reader, rows)]
    samples = [row.fields for row in read if row.fields is not None]
    problems = [one.problem.detail for one in read if one.problem and one.problem.word is not Word.SKIPPED]
    if not samples:
        why = f"; the first row {problems[0]}" if problems else ""
        raise UsageError(f"{', '.join(files)}: the file has no rows to draft a mapping from{why}")
    targets = targets_of(spec)
    region = _region(samples, targets, spec.name)
    found = DraftFiles(
        files,
        unread=problems,
        flags=(*reading.flags(), *_mode_flags(spec, samples), *(("--phone-region", region.region) if region else ())),
        notes=_region_notes(region),
    )
    month_first = region is None or region.region in _MONTH_FIRST
    text = draft_mapping(samples, targets, to=spec.name, files=found, month_first=month_first, show_values=show_values)
    recognised = "".join(f"# {escaped_toml(note)}\n" for note in inputs.notes)
    return MappingDraft(recognised + text, spec.name, tuple(found.flags))


def _first_rows(reader: Reader, most: int) -> list[Row]:
    """Return the first rows of a file, fewer if they are large: they are all in memory."""
    found: list[Row] = []
    with closing(cast("Generator[list[Row]]", reader.batches())) as batches:
        for batch in batches:
            found += batch
            # The offset of a columnar file is that of its row group: such rows are small.
            if len(found) >= most or batch[-1].position.offset - found[0].position.offset > DRAFT_BYTES:
                break
    return found[:most]


def _region(samples: Sequence[Fields], targets: Sequence[Target], to: str) -> RegionGuess | None:
    """Return the country of the local numbers in columns that fill phones."""
    if not any(target.name == "phone:*" for target in targets):
        return None
    found = profiles(samples)
    texts = [text for one in phone_columns(found, targets, to) for text in one.texts]
    named = [one for one in found if normal_name(one.label).startswith(_COUNTRY) or normal_name(one.label) in _LAND]
    countries = [text for one in named for text in one.texts]
    return likely_region(texts, countries)


def _region_notes(region: RegionGuess | None) -> tuple[str, ...]:
    if region is None:
        return ()
    share = f"{region.valid:,} of {region.local:,} phone numbers without a + are valid in {region.region}"
    return (f"{share}; if they belong elsewhere, change --phone-region.",)


def _mode_flags(spec: ImportSpec, samples: Sequence[Fields]) -> tuple[str, ...]:
    """Return the mode that an import of these rows needs if it is not the usual one."""
    if list(spec.procedures) == [Mode.DELETE]:
        return ("--mode", str(Mode.DELETE))
    # Rows that name nothing but existing objects cannot create any.
    is_update = spec.name == "tasks" and all(set(map(str.lower, row)) <= {"taskid"} for row in samples)
    return ("--mode", str(Mode.UPDATE)) if is_update else ()


def targets_of(spec: ImportSpec) -> list[Target]:
    """Return the fields of an object for a draft, numbered columns with a `*`."""
    if spec.fields:
        making = (Mode.CREATE, Mode.UPSERT)
        return [
            Target(
                item.name if item.parts is None else f"{item.name}:*",
                most=item.most,
                choices=item.choices,
                is_required=any(mode in item.required for mode in making),
                is_time=item.kind is Kind.MOMENT,
                is_identity=item.is_identity,
                is_optional=spec.is_optional(item.name),
                in_pieces=spec.name in _IN_PIECES and item.kind is Kind.TEXT,
                is_list=item.kind is Kind.TEXTS,
                is_unique=(spec.name, item.name) in _UNIQUE,
                help=item.help,
            )
            for item in spec.fields
        ]
    plan = spec.columns
    found = [
        Target(name, is_identity=spec.is_identity(name), is_optional=spec.is_optional(name)) for name in plan.scalars
    ]
    found += [Target(f"{item.prefix}:*", is_identity=True, is_optional=True) for item in plan.lists]
    return found + ([Target(f"{plan.open_prefix}:*", is_optional=True)] if plan.open_prefix else [])


def check_mapping(
    options: ImportOptions,
    files: Sequence[str],
    *,
    rows: int = 3,
    expect: Path | None = None,
    stdin: BinaryIO | None = None,
) -> MapCheck:
    """Try the mapping of an import on the first rows of files, and compare its output with the expectations.

    Without files, the expectations must have their own input. A single `-` reads `stdin`. Nothing is sent.

    Raises:
        UsageError: The mapping, a file or the expectations cannot be used.
    """
    choice = options.mapping
    mapping = mapping_of(choice)
    if choice is None or mapping is None:
        raise UsageError("no mapping to check; pass --map FILE")
    spec = import_spec(mapping.to)
    options = options.for_resource(spec)
    with tempfile.TemporaryDirectory(prefix="bulkgladly-map-") as folder:
        paths, names = passing_files(files, options, stdin, Path(folder))
        inputs = Inputs.open(paths, reading_for(choice, options.reading), names=names) if files else None
        return _tried(choice, spec, options, inputs, rows, expect)


def _tried(
    choice: MapChoice, spec: ImportSpec, options: ImportOptions, inputs: Inputs | None, rows: int, expect: Path | None
) -> MapCheck:
    mapper = mapper_for(choice, spec, options.key, drops=options.drops)
    readers: Sequence[Reader] = inputs.readers if inputs else ()
    refuse_cut_identity(choice, spec)
    check_mapped_columns(choice, readers, options.key)
    cases = read_cases(expect) if expect is not None else []
    # More rows than are shown: a column that few rows have would be reported as missing.
    samples = [row for reader in readers for row in reader.sample(max(rows, SAMPLE_ROWS)) if row.fields is not None]
    if any(case.input is None for case in cases) and inputs is None:
        raise UsageError(f"{expect}: has outputs without inputs; also name the files that they are made from")
    unused, absent = _columns(choice, samples, options.key)
    return MapCheck(
        examples=[] if inputs is None else list(_examples(samples[:rows], spec, options, mapper, inputs)),
        unused=unused,
        absent=absent,
        tested=len(cases),
        differences=compare(mapper, cases, list(_needed(cases, readers))),
        notes=inputs.notes if inputs else (),
    )


def _examples(
    samples: Sequence[Row], spec: ImportSpec, options: ImportOptions, mapper: Mapper, inputs: Inputs
) -> Iterator[MappedRow]:
    """Yield rows with their records, as an import with these options makes them."""
    preparer = Preparer(spec, options.policy(""), options.ignore_columns)
    previewer = Previewer(spec, options, preparer, mapper, inputs)
    for row in samples:
        source = row.fields or {}
        preview = previewer.shown(row)
        problems = [record.problem for record in preview.records if record.problem is not None]
        name = inputs.names[row.position.file]
        yield MappedRow(name, row.position.number, source, outputs(mapper, source), problems, preview)


def _needed(cases: Sequence[Any], readers: Sequence[Reader]) -> Iterator[Fields]:
    """Yield all rows of the files if expectations are about them."""
    if any(case.input is None for case in cases):
        for reader in readers:
            for batch in reader.batches():
                yield from (row.fields for row in batch if row.fields is not None)


def _columns(choice: MapChoice, samples: Sequence[Row], key: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the columns that the mapping does not read, and those it reads that no sample has."""
    # A function of the user's may read any column, so nothing can be said about those that are not used.
    if not samples or choice.transform is not None or choice.file is None:
        return (), ()
    read = columns_read(choice, key)
    present = dict.fromkeys(name for row in samples for name in row.fields or ())
    return tuple(name for name in present if name not in read), tuple(name for name in read if name not in present)
