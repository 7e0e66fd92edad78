"""`check`: the files, the objects they refer to and what earlier runs have left, given to a `RowChecker`."""

import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import anyio.to_thread

from bulkgladly.checks.check_report import CheckReport, Findings
from bulkgladly.checks.known_parents import Parents, files_by_resource
from bulkgladly.checks.planned_keys import PlannedKeys
from bulkgladly.checks.row_checker import RowChecker
from bulkgladly.errors import UsageError
from bulkgladly.gladly.spec import ImportSpec, Policy
from bulkgladly.gladly.table import import_spec
from bulkgladly.imports.forecast import opened_memory
from bulkgladly.imports.import_inputs import open_passing, passing_files
from bulkgladly.imports.import_options import ImportOptions

__all__ = ("CheckTerms", "check", "check_one_of")


async def check(
    resource_name: str,
    files: Sequence[str | Path],
    options: ImportOptions | None = None,
    *,
    host: str = "",
    languages: Sequence[str] = (),
    parents: Sequence[str] = (),
    parents_key: str | None = None,
    show_values: bool = False,
    rows: int = 0,
    stdin: BinaryIO | None = None,
) -> CheckReport:
    """Check every row of the files, and return what Gladly would refuse or change. Nothing is sent, no run begins.

    `languages` are those of the organisation. `parents` are files of the objects that rows refer
    to, `FILE` or `OBJECT=FILE`, with their source keys in the column `parents_key`, by default the
    key of the options. `host` selects the organisation whose earlier imports are looked up for
    source keys and for the estimate. With `show_values`, examples hold the values of the row. The report has the first
    `rows` rows with their records.

    Memory grows by one byte a row. Hashes are kept on disk, in the folder for temporary files,
    16 bytes for each value that must be unique.

    Raises:
        UsageError: As `start_import`, or a file in `parents` cannot be used.
    """
    about = CheckTerms(
        host=host, languages=languages, parents=parents, parents_key=parents_key, show_values=show_values, rows=rows
    )
    return await check_one_of(import_spec(resource_name), [str(file) for file in files], options, about, stdin=stdin)


@dataclass(frozen=True, slots=True)
class CheckTerms:
    """What a check knows beside the rows and the options; see `check`.

    `earlier` has the keys that other imports will have created before this one, by object; `planned` takes those
    that this one would create.
    """

    host: str = ""
    languages: Sequence[str] = ()
    parents: Sequence[str] = ()
    parents_key: str | None = None
    show_values: bool = False
    rows: int = 0
    earlier: Sequence[tuple[str, PlannedKeys]] = ()
    planned: PlannedKeys | None = None


async def check_one_of(
    spec: ImportSpec,
    patterns: Sequence[str],
    options: ImportOptions | None,
    about: CheckTerms,
    *,
    stdin: BinaryIO | None = None,
) -> CheckReport:
    """Check the rows of one import, which may be one of several, and return what Gladly would refuse or change.

    Raises:
        UsageError: As `check`.
    """
    options = (options or ImportOptions()).for_resource(spec)
    languages = tuple(language.lower() for language in about.languages)
    policy = replace(options.policy(about.host), languages=languages)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bulkgladly-check-") as folder:
        parents = await anyio.to_thread.run_sync(_parent_files, about.parents, patterns, options, stdin, Path(folder))
        inputs = await open_passing(spec, patterns, options, stdin, Path(folder))
        known = Parents(Path(folder) / "parents")
        key = about.parents_key or options.key
        await anyio.to_thread.run_sync(_collect, known, spec, policy, options, parents, key)
        for resource, keys in about.earlier:
            known.add_planned(resource, keys.digests)
        memory = await anyio.to_thread.run_sync(opened_memory, options.state_dir / "state.sqlite", spec, policy)
        with ExitStack() as opened:
            if memory is not None:
                opened.callback(memory.close)
            findings = Findings(show_values=about.show_values)
            checker = RowChecker(spec, policy, options, inputs, known, Path(folder), findings, memory)
            checker.planned = about.planned
            await anyio.to_thread.run_sync(checker.look_at_all)
            await checker.look_again()
            samples = await anyio.to_thread.run_sync(checker.samples, about.rows)
            return replace(await anyio.to_thread.run_sync(checker.report, started), samples=samples)


def _parent_files(
    parents: Sequence[str], files: Sequence[str | Path], options: ImportOptions, stdin: BinaryIO | None, folder: Path
) -> Sequence[str]:
    """Return the files of parents, with a copy of the standard input in place of `-`."""
    piped = [text for text in parents if text.rpartition("=")[2] == "-"]
    if not piped:
        return parents
    if len(piped) > 1 or "-" in [str(file) for file in files]:
        raise UsageError("`-` (the standard input) can be read only once; name a file in its other places")
    place = folder / "piped"
    place.mkdir()
    [copy], _ = passing_files(["-"], options, stdin, place)
    return [text.removesuffix("-") + copy if text in piped else text for text in parents]


def _collect(
    known: Parents,
    spec: ImportSpec,
    policy: Policy,
    options: ImportOptions,
    named: Sequence[str],
    key: str | None,
) -> None:
    """Collect the objects that rows may refer to."""
    for kind, file in files_by_resource(named, spec):
        known.add_file(kind, file, key)
    if policy.host:
        known.add_state(options.state_dir / "state.sqlite", policy, spec.references)
