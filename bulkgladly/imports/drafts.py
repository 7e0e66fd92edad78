"""Reads the rows of an import: each as the draft of a record, with what the journal knows of it.

An import, its dry run and `check` use the same functions, so that they agree about every row: what it means, what is
wrong with it, how many rows are read, and which earlier row it clashes with. Nothing is sent.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import anyio.to_thread

from bulkgladly.errors import UsageError
from bulkgladly.files.columns import compile_columns, nest
from bulkgladly.files.inputs import Inputs
from bulkgladly.files.layouts import ColumnProblem, FlatLayout
from bulkgladly.gladly.directory import Directory
from bulkgladly.gladly.identity import digest64
from bulkgladly.gladly.preparation import complete
from bulkgladly.gladly.spec import Draft, ImportSpec, Policy
from bulkgladly.imports.baseline import Baseline
from bulkgladly.imports.dropped_values import ColumnNames, DropRules
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.journal.entries import Admission, Clash, Standing
from bulkgladly.journal.ledger import Ledger
from bulkgladly.records import DroppedValue, Mark, Outcome, Problem, Row, Stage, Word, place_of_row

if TYPE_CHECKING:
    # It leads to what speaks HTTP, which `explain` does not need to read a row.
    from bulkgladly.runs.environment import Bounds

__all__ = (
    "AdmittedRow",
    "DraftReader",
    "KeySource",
    "Linker",
    "Preparer",
    "admission_of",
    "in_sending_order",
    "outcome_of_clash",
    "refuse_too_many",
)

_MADE_BY_DROPS = frozenset({"blank", "customer", "no_identifier", "nothing_to_do"})
"""Codes of rows that lack something, which may be what was left out of them. A key is never left out."""

AdmittedRow = tuple[Row, Draft | Problem | None, Standing]
"""A row, its draft (None if an earlier session has finished the row), and what the journal knows of it."""


class DraftReader:
    """Reads the rows of an import in batches: as drafts that refer to others by id, admitted to the journal.

    `taken` counts the rows that were read, without those that an earlier session has finished. `is_full` becomes
    true when the row limit is reached and there are more rows.
    """

    def __init__(
        self,
        spec: ImportSpec,
        policy: Policy,
        options: ImportOptions,
        *,
        inputs: Inputs,
        ledger: Ledger,
        bounds: "Bounds",
    ) -> None:
        """`policy` is that of the options, as of now. Set `baseline` before the first batch, if there is one."""
        self._spec, self._inputs, self._ledger = spec, inputs, ledger
        self._max_rows, self._most_in_order = options.limits.max_rows, bounds.rows_in_order
        self.names = inputs.names
        """The names of the input files, by number."""
        self.preparer = Preparer(spec, policy, options.ignore_columns)
        self.linker = Linker(spec, policy, ledger)
        self.baseline: Baseline | None = None
        self.taken = 0
        self.is_full = False

    @contextmanager
    def rows(self, start: Mark, size: int) -> Iterator[Iterator[list[Row]]]:
        """Open the input at a mark. If the object has to be put in order, all rows come as one batch.

        Raises:
            InputError: A file cannot be read (also from the iterator).
            UsageError: From the iterator: there are more rows than can be put in order.
        """
        # Closed here: a run that stops early would leave an open file to the garbage collector.
        with closing(self._inputs.batches(start, size=size)) as batches:
            yield batches if self._spec.arrange is None else self._all_at_once(batches)

    def _all_at_once(self, batches: Iterator[list[Row]]) -> Iterator[list[Row]]:
        rows: list[Row] = []
        for batch in batches:
            rows += batch
            refuse_too_many(self._spec, len(rows), self._most_in_order)
        if rows:
            yield rows

    async def next_batch(self, rows: Iterator[list[Row]]) -> list[AdmittedRow] | None:
        """Return the next batch from `rows`, in input order; None at the end of the input.

        At the row limit the batch is cut and `is_full` becomes true; do not ask for another batch then.
        """
        batch = await anyio.to_thread.run_sync(next, rows, None)
        if batch is None:
            return None
        self._cut_to_limit(batch)
        wants, draft_of = self._ledger.wants, self.preparer.draft_of
        linked = await self.linker.link([draft_of(row) if wants(row.seq) else None for row in batch])
        # Admitted in the order of the input, so that the first of two equal rows counts.
        admissions = [admission_of(row, item) for row, item in zip(batch, linked, strict=True)]
        standings = await self._ledger.admit(admissions)
        if self.baseline is not None:
            standings = await anyio.to_thread.run_sync(_compared, self.baseline, linked, standings)
        return list(zip(batch, linked, standings, strict=True))

    def _cut_to_limit(self, batch: list[Row]) -> None:
        # Rows that an earlier session has finished do not count towards the limit of this one.
        wanted = [row.seq for row in batch if self._ledger.wants(row.seq)]
        left = len(wanted) if self._max_rows is None else self._max_rows - self.taken
        self.taken += min(left, len(wanted))
        if left < len(wanted):
            batch[:] = [row for row in batch if row.seq < wanted[left]]
            self.is_full = True


def _compared(
    baseline: Baseline, items: Sequence[Draft | Problem | None], standings: Sequence[Standing]
) -> list[Standing]:
    """Return what is known of rows, with what a data set says of those that earlier runs do not know."""
    result = list(standings)
    # What an earlier process may have sent is looked up, whatever a data set says.
    places = [at for at, item in enumerate(items) if isinstance(item, Draft) and not standings[at].doubt]
    # And that may have changed, or will change, an object that other rows mean.
    pairs = zip(items, standings, strict=True)
    baseline.suspect([item for item, one in pairs if isinstance(item, Draft) and one.doubt])
    drafts = [item for at in places if isinstance(item := items[at], Draft)]
    for at, known in zip(places, baseline.add(drafts, [result[at].known for at in places]), strict=True):
        if known is not result[at].known:
            before = result[at]
            result[at] = Standing(known, before.doubt, before.clash, before.sent_at, before.written)
    return result


class Preparer:
    """Turns rows into drafts of records, by the fields of the object and the user's policy. Nothing is looked up."""

    def __init__(self, spec: ImportSpec, policy: Policy, ignore: Collection[str] = ()) -> None:
        self._spec = spec
        self._policy = policy
        extra = (policy.key,) if policy.key else ()
        self._layout: FlatLayout = compile_columns((), spec.columns, ignore, extra_known=extra)
        self.names = ColumnNames(spec, policy, ignore)
        self._drops = DropRules(spec, policy, self.names)

    def nested(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the payload of a row; raises `ColumnProblem` where `nest` does."""
        return nest(fields, self._spec.columns, self._layout)

    def draft_of(self, row: Row) -> Draft | Problem:
        """Return the draft of a row's record, or why it cannot be sent."""
        if row.problem is not None or row.fields is None:
            return row.problem or Problem("unreadable", "the row could not be read", stage=Stage.READ)
        try:
            item = self._spec.prepare(row, nest(row.fields, self._spec.columns, self._layout), self._policy)
        except ColumnProblem as error:
            item = error.problem
        if isinstance(item, Draft):
            return item
        if self._drops:
            return self._draft_without(row, row.fields, list(row.dropped))
        return self.named(item, row.fields)

    def named(self, problem: Problem, fields: Mapping[str, Any]) -> Problem:
        """Return a problem of a row, with the column named as in the user's file."""
        return self.names.named(problem, fields)

    def is_droppable_cell(self, fields: Mapping[str, Any], problem: Problem) -> bool:
        """Tell whether the column at fault would be left out, so that it does not reject the row."""
        return self._drops.without_cell(fields, problem) is not None

    def is_droppable(self, nested: Mapping[str, Any], problem: Problem, entries: Mapping[str, list[str]]) -> bool:
        """Tell the same of a value in a nested row; `entries` are those of the row."""
        copied = {name: [*columns] for name, columns in entries.items()}
        return self._drops.without_value(nested, problem, copied) is not None

    def _draft_without(self, row: Row, fields: Mapping[str, Any], dropped: list[DroppedValue]) -> Draft | Problem:
        """Return the draft of a row without the values that are not valid, as far as they may be left out.

        Each turn takes one value out, so that this ends. A row that cannot do without what was taken out is rejected
        for that value: "no email" would be no help to somebody who sees one.
        """
        problems = [Problem(one.code, one.detail, one.field) for one in dropped]
        while True:
            try:
                nested = self.nested(fields)
                break
            except ColumnProblem as error:
                problem = self.named(error.problem, fields)
                if (less := self._drops.without_cell(fields, error.problem)) is None:
                    return _refused(problem, problems)
                problems.append(problem)
                fields = less.fields
                dropped.append(less.dropped)
        entries = self.names.entries_of(fields)
        while isinstance(item := self._spec.prepare(row, dict(nested), self._policy), Problem):
            problem = self.names.renamed(item, self.names.target_of(item.attr or "", entries))
            if (less := self._drops.without_value(nested, item, entries)) is None:
                return _refused(problem, problems)
            problems.append(problem)
            nested = less.fields
            dropped.append(less.dropped)
        return item._replace(row=replace(row, dropped=tuple(dropped)))


def _refused(problem: Problem, before: Sequence[Problem]) -> Problem:
    """Return why a row is rejected: the first value that was taken out, if only its absence is the problem."""
    cause = next(iter(before), None)
    if problem.code == "blank":
        cause = next((one for one in before if one.attr is not None and one.attr == problem.attr), None)
    if cause is None or problem.code not in _MADE_BY_DROPS:
        return problem
    return replace(cause, detail=f"{cause.detail.rstrip('.')}; the record cannot be sent without it")


class KeySource(Protocol):
    """Knows the ids in Gladly of source keys that were imported before. A `Ledger` does."""

    async def known_in(self, host: str, resource: str, namespace: str, keys: Sequence[str]) -> dict[str, str]:
        """Return the ids of source keys, as far as they are known."""
        ...


class Linker:
    """Replaces names and keys in drafts by ids, one batch at a time."""

    def __init__(self, spec: ImportSpec, policy: Policy, ledger: KeySource, directory: Directory | None = None) -> None:
        self._spec, self._policy, self._ledger = spec, policy, ledger
        self.directory = directory or Directory()

    async def link(self, items: Sequence[Draft | Problem | None]) -> list[Draft | Problem | None]:
        """Return the items, in their order, with ids in place of the names and keys that they refer to.

        A draft with an unknown reference becomes a problem. A draft that refers to a record of the same object which
        is not known yet keeps that link open, for `link_last`.
        """
        if not self._spec.fields:
            return list(items)
        drafts = [item for item in items if isinstance(item, Draft)]
        if self._spec.arrange is not None:
            drafts = self._spec.arrange(drafts)
        known = await self._known(drafts)
        linked = {draft.row.seq: complete(draft, self._spec, self.directory, known) for draft in drafts}
        return [linked[item.row.seq] if isinstance(item, Draft) else item for item in items]

    async def link_last(self, draft: Draft) -> Draft | Problem:
        """Return a draft with its open links replaced by ids, now that all records before it have ended."""
        return complete(draft, self._spec, self.directory, await self._known([draft]), is_last=True)

    async def _known(self, drafts: Iterable[Draft]) -> Mapping[tuple[str, str], str]:
        wanted: dict[str, dict[str, dict[str, None]]] = {}
        for draft in drafts:
            for link in draft.links:
                if link.is_key:
                    formers = wanted.setdefault(link.kind, {}).setdefault(link.text, {})
                    if link.former is not None:
                        formers[link.former] = None
        # One question to the state for each object, whatever the size of the batch.
        found: dict[tuple[str, str], str] = {}
        for resource, keys in wanted.items():
            namespace = self._policy.namespace_of(resource)
            asked = [*keys, *(former for formers in keys.values() for former in formers)]
            ids = await self._ledger.known_in(self._policy.host, resource, namespace, asked)
            for key, formers in keys.items():
                if gladly_id := next(filter(None, (ids.get(one) for one in (key, *formers))), None):
                    found[resource, key] = gladly_id
        return found


def admission_of(row: Row, item: Draft | Problem | None) -> Admission:
    """Return what the journal needs to know about a row that was read."""
    if not isinstance(item, Draft):
        return Admission(row.seq, row.position)
    prints = item.fingerprints
    content = digest64("content", _form_of(tuple(prints)) % tuple(prints.values()))
    return Admission(row.seq, row.position, item.key, content, item.claims, item.former_key)


@lru_cache(maxsize=256)
def _form_of(names: tuple[str, ...]) -> str:
    """Return the form of the text of which the content of a record is a hash; most rows have the same fields."""
    return "".join(f"{name.replace('%', '%%')}=%s," for name in names)


def in_sending_order(spec: ImportSpec, batch: list[AdmittedRow]) -> list[AdmittedRow]:
    """Return a batch in the order in which it must be sent; problems come first."""
    if spec.arrange is None:
        return batch
    drafts = spec.arrange([item for _, item, _ in batch if isinstance(item, Draft)])
    place = {draft.row.seq: index for index, draft in enumerate(drafts)}
    return sorted(batch, key=lambda entry: place.get(entry[0].seq, -1))


def outcome_of_clash(clash: Clash, policy: Policy, names: Sequence[str]) -> Outcome | None:
    """Return the outcome of a row that clashes with an earlier row of the input, or None if it is processed.

    A row that equals the earlier one is processed after it: it needs no request if that one was accepted, and ends
    in the same way if it was not.
    """
    earlier = place_of_row(names[clash.earlier_file], clash.earlier)
    if clash.attr in ("key", "id"):
        if clash.is_equal or policy.on_duplicate == "last":
            return None
        fix = "remove one of the rows, or pass --on-duplicate last to keep the last one"
        detail = f"{earlier} has the same {clash.attr}; {fix}"
        return Outcome.rejected(Problem("duplicate_key", detail, clash.attr))
    if policy.on_conflict in ("update", "merge"):
        return None
    what = "number" if (clash.attr or "").startswith("phone") else "address"
    detail = f"{earlier} has the same {what}; keep it in one row only, or pass --on-conflict update or merge"
    outcome = Outcome.rejected(Problem("duplicate_address", detail, clash.attr))
    return outcome._replace(word=Word.SKIPPED) if policy.on_conflict == "skip" else outcome


def refuse_too_many(spec: ImportSpec, rows: int, most: int) -> None:
    """Refuse an input that has to be put in order and has more rows than fit into memory.

    Raises:
        UsageError: It does.
    """
    if rows > most:
        raise UsageError(
            f"the input has more than {most:,} {spec.name}, which must be put in order before they are sent; "
            "split it into several files, parents first"
        )
