"""`map init` and `map check` without their output: samples of files, a draft, rows before and after."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bulkgladly.errors import UsageError
from bulkgladly.files.contract import Reader, ReadOptions
from bulkgladly.files.csv_files import refuse_wrong_delimiter
from bulkgladly.files.inputs import Inputs
from bulkgladly.gladly.fields import Kind
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.gladly.table import import_spec
from bulkgladly.imports.drafts import Preparer
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
from bulkgladly.mapping.check import Difference, compare, outputs, read_cases
from bulkgladly.mapping.draft import Target, draft_mapping
from bulkgladly.mapping.mapper import Mapper
from bulkgladly.mapping.row_values import Fields
from bulkgladly.records import Mode, Problem, Row, Word
from bulkgladly.shown import escaped_toml

__all__ = ("MapCheck", "MappedRow", "check_mapping", "draft_for", "targets_of")

SAMPLE_ROWS = 1000
_IN_PIECES = ("activities", "notes", "task-comments")
"""Objects whose text may be split, because they follow each other on a timeline. Two tasks would be two tasks."""


@dataclass(frozen=True, slots=True)
class MappedRow:
    """A row before and after: `output` has its records, `problems` why an import would reject some of them.

    In place of a record that the mapping could not make, there is one with a `problem`.
    """

    file: str
    number: int
    input: dict[str, Any]
    output: list[dict[str, Any]]
    problems: list[Problem]


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
    rows: int = SAMPLE_ROWS,
    show_values: bool = False,
) -> str:
    """Return the draft of a mapping from files to an object, based on the first `rows` rows of each file.

    Raises:
        UsageError: The object is unknown, a file cannot be read, or there are no rows.
    """
    spec = import_spec(resource_name)
    inputs = Inputs.open(files, reading)
    for reader in inputs.readers:
        refuse_wrong_delimiter(reader)
    read = [row for reader in inputs.readers for row in reader.sample(rows)]
    samples = [row.fields for row in read if row.fields is not None]
    problems = [one.problem.detail for one in read if one.problem and one.problem.word is not Word.SKIPPED]
    if not samples:
        why = f"; the first row {problems[0]}" if problems else ""
        raise UsageError(f"{', '.join(files)}: the file has no rows to draft a mapping from{why}")
    recognised = "".join(f"# {escaped_toml(note)}\n" for note in inputs.notes)
    return recognised + draft_mapping(
        samples,
        targets_of(spec),
        to=spec.name,
        files=files,
        unread=problems,
        reading=reading.flags(),
        show_values=show_values,
    )


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
    choice: MapChoice | None,
    files: Sequence[str],
    reading: ReadOptions,
    *,
    key: str | None = None,
    rows: int = 5,
    expect: Path | None = None,
) -> MapCheck:
    """Try a mapping on the first rows of files, and compare its output with the expectations.

    Without files, the expectations must have their own input. Nothing is sent.

    Raises:
        UsageError: The mapping, a file or the expectations cannot be used.
    """
    mapping = mapping_of(choice)
    if choice is None or mapping is None:
        raise UsageError("no mapping to check; pass --map FILE")
    spec = import_spec(mapping.to)
    mapper = mapper_for(choice, spec, key)
    inputs = Inputs.open(files, reading_for(choice, reading)) if files else None
    readers: Sequence[Reader] = inputs.readers if inputs else ()
    refuse_cut_identity(choice, spec)
    check_mapped_columns(choice, readers, key)
    cases = read_cases(expect) if expect is not None else []
    # More rows than are shown: a column that few rows have would be reported as missing.
    samples = [row for reader in readers for row in reader.sample(max(rows, SAMPLE_ROWS)) if row.fields is not None]
    if any(case.input is None for case in cases) and not files:
        raise UsageError(f"{expect}: has outputs without inputs; also name the files that they are made from")
    options = ImportOptions(key=key, mapping=choice).for_resource(spec)
    preparer = Preparer(spec, options.policy(""))
    names = [str(reader.path) for reader in readers]
    unused, absent = _columns(choice, samples, key)
    return MapCheck(
        examples=[_example(row, names, mapper, preparer) for row in samples[:rows]],
        unused=unused,
        absent=absent,
        tested=len(cases),
        differences=compare(mapper, cases, list(_needed(cases, readers))),
        notes=inputs.notes if inputs else (),
    )


def _example(row: Row, names: Sequence[str], mapper: Mapper, preparer: Preparer) -> MappedRow:
    source = row.fields or {}
    problems = [found for made in mapper(row) if isinstance(found := preparer.draft_of(made), Problem)]
    return MappedRow(names[row.position.file], row.position.number, source, outputs(mapper, source), problems)


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
