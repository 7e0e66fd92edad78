"""A verification as a run: of an earlier run, of a plan, or of files; and how it is resumed."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

import anyio.to_thread

from bulkgladly.commands import next_command
from bulkgladly.errors import UsageError
from bulkgladly.files.inputs import Inputs
from bulkgladly.gladly.proofs import Proof
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.gladly.table import IMPORTS, import_spec
from bulkgladly.imports.import_inputs import copy_of_stdin, hashed, open_checked
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.journal.results import count_by_word
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.run_header import InputFile, RunHeader
from bulkgladly.journal.run_outcomes import RunOutcomes
from bulkgladly.journal.runs import find_run, newest_import
from bulkgladly.journal.undone_runs import taken_back
from bulkgladly.journal.verdicts import VERIFY
from bulkgladly.plans.plan_folder import opened_plan
from bulkgladly.records import Word
from bulkgladly.runs.beginning import NewRun, refuse_other_host, resumed
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.runs.observer import Observer
from bulkgladly.runs.options import for_next_session, restored, stored
from bulkgladly.runs.session import Session, Terms
from bulkgladly.settings import Credentials, refuse_unlimited
from bulkgladly.verification.verify_forget import refuse_to_forget
from bulkgladly.verification.verify_inputs import files_as_read, inputs_of_plan, inputs_of_run
from bulkgladly.verification.verify_options import VerifyOptions
from bulkgladly.verification.verify_summary import VerifyReport
from bulkgladly.verification.verify_work import VerifyWork

__all__ = ("VERIFY", "resume_verify", "verify_files", "verify_plan", "verify_run")

_UNSENT = (Word.REJECTED, Word.SKIPPED)


# --- what is verified ---


async def verify_files(
    resource_name: str,
    files: Sequence[str | Path],
    options: ImportOptions,
    terms: Terms,
    *,
    chosen: VerifyOptions | None = None,
    stdin: BinaryIO | None = None,
) -> VerifyReport:
    """Compare the rows of files with what Gladly holds, as an import with these options would see them.

    `chosen` has the sample, and whether values are shown; everything else in it is taken from `options`. A single `-`
    reads `stdin`, which is copied into the run's folder.

    Raises:
        UsageError: The object cannot be verified, or the options or the files cannot be used. Nothing was sent.
    """
    spec = import_spec(resource_name)
    proof = _proof_of(spec)
    options = options.for_resource(spec)
    refuse_unlimited(options.pace, terms.credentials)
    patterns = [str(file) for file in files]
    make_input = copy_of_stdin(patterns, stdin, options)
    mine = _verify_options(chosen, options)
    with NewRun(options.state_dir, spec.name, VERIFY) as new:
        if make_input is not None:
            patterns = [str(await anyio.to_thread.run_sync(make_input, new.folder.path))]
        inputs = open_checked(spec, patterns, options)
        digests = await anyio.to_thread.run_sync(hashed, inputs)
        return await _begin(new, spec, proof, mine, terms, inputs=inputs, files=digests)


async def verify_run(
    run: RunFolder, chosen: VerifyOptions, terms: Terms, *, moved: Sequence[str | Path] = ()
) -> VerifyReport:
    """Compare what a run has sent with what Gladly holds now; rows that it has not sent are only listed.

    `moved` are input files of the run that are at another place now; they are recognised by their content.

    Raises:
        InputChanged: An input file, the mapping or the transform is not the one with which the run began.
        JournalDamaged: The run cannot be used; the message says why.
        UsageError: The run is no import, its object cannot be verified, a file is gone, or the credentials are for
            another host.
    """
    run.check()
    header = run.header()
    if not header.is_import:
        raise UsageError(_not_an_import(run, header))
    refuse_other_host(header, terms.credentials)
    spec = import_spec(header.resource)
    proof = _proof_of(spec)
    options = _options_of(header, run.state_dir)
    paths = [str(path) for path in moved]
    inputs = await anyio.to_thread.run_sync(partial(inputs_of_run, run, header, spec, options, moved=paths))
    mine = replace(chosen, rows=stored(options), run=run.name)
    refuse_unlimited(mine.pace, terms.credentials)
    if (gone := await anyio.to_thread.run_sync(taken_back, run)) is not None:
        terms.observer.note(f"{gone.text(run.name)}; what it took back is told as missing or different")
    with NewRun(mine.state_dir, spec.name, VERIFY) as new:
        files = files_as_read(header.inputs, inputs)
        return await _begin(new, spec, proof, mine, terms, inputs=inputs, files=files)


async def verify_plan(
    folder: Path, chosen: VerifyOptions, terms: Terms, *, moved: Sequence[str | Path] = ()
) -> VerifyReport:
    """Compare the rows of a plan with what Gladly holds now; `moved` are files of it that are at another place.

    Raises:
        InputChanged: An input file is not the one that was planned.
        UsageError: The folder has no plan that can be used, a file is gone, or the credentials are for another host.
            If another organisation answers there, the run ends as failed, and nothing is compared.
    """
    plan = await anyio.to_thread.run_sync(opened_plan, folder)
    if plan.host != terms.credentials.host:
        raise UsageError(
            f"{folder} was made for {plan.host}, but the credentials are for {terms.credentials.host}; use those for "
            f"{plan.host}"
        )
    spec = import_spec(plan.resource)
    proof = _proof_of(spec)
    options = restored(ImportOptions, plan.options, chosen.state_dir).for_resource(spec)
    paths = [str(path) for path in moved]
    inputs = await anyio.to_thread.run_sync(partial(inputs_of_plan, folder, plan, spec, options, moved=paths))
    mine = replace(chosen, rows=stored(options), organisation=plan.organisation)
    refuse_unlimited(mine.pace, terms.credentials)
    with NewRun(mine.state_dir, spec.name, VERIFY) as new:
        files = files_as_read(plan.inputs, inputs)
        return await _begin(new, spec, proof, mine, terms, inputs=inputs, files=files)


def _not_an_import(run: RunFolder, header: RunHeader) -> str:
    """Return why a run cannot be verified, and the run that is meant, if one is."""
    parent = None if header.parent is None else newest_import(run.state_dir, name=header.parent)
    meant = parent or newest_import(run.state_dir, resource=header.resource)
    fix = "name a run that has sent rows to Gladly"
    if meant is not None:
        fix += f": `{next_command('verify', meant.name, state_dir=run.state_dir, connects=True)}`"
    return f"run {run.name} is not an import ({header.mode}); {fix}"


def _verify_options(chosen: VerifyOptions | None, options: ImportOptions) -> VerifyOptions:
    mine = chosen or VerifyOptions()
    return replace(mine, rows=stored(options), pace=options.pace, limits=options.limits, state_dir=options.state_dir)


def _proof_of(spec: ImportSpec) -> Proof:
    if spec.proof is None:
        able = ", ".join(name for name, one in IMPORTS.items() if one.proof is not None)
        why = spec.unproven or "there is no way to read it back"
        raise UsageError(f"{spec.name} cannot be verified: {why}. These can: {able}")
    return spec.proof


def _options_of(header: RunHeader, state_dir: Path) -> ImportOptions:
    """Return the options with which a run has read its rows."""
    options = restored(ImportOptions, header.settings, state_dir)
    if "is_plain" not in header.settings.get("reading", {}):  # begun by a version that recognised nothing
        options = replace(options, reading=replace(options.reading, is_plain=True))
    return options


# --- the run ---


async def resume_verify(
    run: RunFolder,
    credentials: Credentials,
    *,
    change: Callable[[VerifyOptions], VerifyOptions] = lambda options: options,
    observer: Observer | None = None,
    with_signals: bool = False,
    environment: Environment = USUAL,
) -> VerifyReport:
    """Continue a verification where it stopped, and return the report of all its sessions.

    `change` can set another pace and other limits.

    Raises:
        InputChanged: An input file, the mapping or the transform has changed since the verification began.
        RunLocked: Another process works on the run.
        UsageError: The credentials are for another host, or the run that is verified was removed.
    """
    with resumed(run, credentials) as header:
        options = for_next_session(restored(VerifyOptions, header.settings, run.state_dir), change)
        refuse_unlimited(options.pace, credentials)
        spec = import_spec(header.resource)
        inputs = await anyio.to_thread.run_sync(inputs_of_run, run, header, spec, options.of_import())
        terms = Terms(credentials, observer or Observer(), with_signals, environment)
        return await _work(Session(run, options, terms), spec, _proof_of(spec), options, inputs, header.inputs)


async def _begin(
    new: NewRun,
    spec: ImportSpec,
    proof: Proof,
    options: VerifyOptions,
    terms: Terms,
    *,
    inputs: Inputs,
    files: Sequence[InputFile],
) -> VerifyReport:
    if options.forget:
        refuse_to_forget(spec, spec.mode(options.of_import().mode))
    told = await new.begin(terms.credentials.host, stored(options), inputs=files, parent=options.run)
    for line in (*inputs.notes, *told):
        terms.observer.note(line)
    return await _work(Session(new.folder, options, terms), spec, proof, options, inputs, files)


async def _work(
    session: Session,
    spec: ImportSpec,
    proof: Proof,
    options: VerifyOptions,
    inputs: Inputs,
    files: Sequence[InputFile],
) -> VerifyReport:
    # Rules about the present moment, such as a due date in the future, are for rows that are about to be sent.
    policy = replace(options.of_import().policy(session.connection.host), now=None)
    with ExitStack() as stack:
        outcomes, expected = None, None
        if options.run is not None:
            verified = find_run(options.state_dir, options.run)
            outcomes = stack.enter_context(RunOutcomes(verified.path))
            by_word = await anyio.to_thread.run_sync(count_by_word, verified.path)
            expected = sum(number for word, number in by_word.items() if word not in _UNSENT)
        work = VerifyWork(
            session,
            spec,
            proof,
            policy,
            options,
            inputs=inputs,
            digests=[file.digest for file in files],
            outcomes=outcomes,
            expected=expected,
        )
        inputs.hold()
        stack.callback(inputs.let_go)
        return await session.drive(work)
