"""What the rows of an input would take, by what earlier runs left in the state: to create, to update, unchanged.

`check` and the start of a run use it, so that the second import of a file is not announced as if all of it was new.
Nothing is sent, and memory stays flat.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import orjson

from bulkgladly.files.inputs import Inputs
from bulkgladly.files.layouts import ColumnProblem
from bulkgladly.gladly.directory import Directory
from bulkgladly.gladly.fingerprints import fingerprints_of, is_accepted
from bulkgladly.gladly.preparation import complete
from bulkgladly.gladly.spec import Draft, ImportSpec, Policy, Screening, ready
from bulkgladly.imports.baseline import Baseline
from bulkgladly.imports.drafts import Preparer
from bulkgladly.journal.entries import known_by
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.state_reader import StateReader, known_hosts
from bulkgladly.messages import Request
from bulkgladly.records import Known, Mark, Mode, Problem, Row, Word
from bulkgladly.runs.observer import Estimate
from bulkgladly.settings import Foreseen
from bulkgladly.source_keys import is_plain

__all__ = (
    "REJECTED",
    "UNCHANGED",
    "Forecast",
    "estimate_of",
    "first_step",
    "foreseen",
    "label_of",
    "memory_text",
    "of_import",
    "opened_memory",
    "state_of",
    "with_looks",
)

UNCHANGED = "unchanged"
REJECTED = "to reject"
_NO_REQUEST = frozenset({UNCHANGED, REJECTED, *(word.value for word in Word)})
_ROWS_AT_ONCE = 256
_LOOK_AND_WRITE = 2
_DRAFTS_PER_ROW = 5
"""Making a draft takes about as long as comparing this many rows with what is known of them."""
_LABELS: Mapping[str, str] = {
    **dict.fromkeys(("create", "add"), "to create"),
    **dict.fromkeys(("update", "patch", "change"), "to update"),
    **dict.fromkeys(("send", "reply"), "to send"),
    "delete": "to delete",
    "redact": "to redact",
}
"""By the verb with which the name of an operation begins. All others read."""


def label_of(operation: str) -> str:
    """Return what the first request of a record is for; an operation is called after what it does."""
    return next((label for verb, label in _LABELS.items() if operation.startswith(verb)), "to look up first")


def first_step(spec: ImportSpec, policy: Policy, known: Known | None, request: Request) -> tuple[str, bool]:
    """Return what the first request of a record is for, and whether it is a look that only `--undoable` adds."""
    is_kept = known is not None or policy.mode in spec.unread
    if not (policy.undoable and is_kept and request.effect is None):
        return label_of(request.operation), False
    label = "to delete" if policy.mode is Mode.DELETE else "to update"
    return label, spec.requests_per_record[policy.mode][0] < _LOOK_AND_WRITE


def with_looks(estimate: Estimate, looks: int, spec: ImportSpec, policy: Policy) -> Estimate:
    """Return an estimate with the looks that `--undoable` adds. The most may have room for them already."""
    low, high = estimate.requests_low + looks, estimate.requests_high
    high += looks if policy.mode in spec.unread else 0
    operations = {} if looks else estimate.operations  # they would not be all of the fewest any more
    return replace(estimate, requests_low=low, requests_high=max(low, high), operations=operations)


def memory_text(state: Path, spec: ImportSpec, host: str, memory: StateReader | None) -> str:
    """Return what an estimate knows of earlier runs, for people: which ones, or why none."""
    if memory is not None:
        return f"counting what earlier runs sent to {host}"
    if host:
        return f"no earlier run has sent {spec.name} to {host}, as far as {state.parent} knows"
    hosts = known_hosts(state, spec.name)
    known = f", such as those into {', '.join(hosts)}" if hosts else ""
    return f"without earlier runs{known}: set GLADLY_HOST or pass --profile to count them"


def state_of(run: RunFolder, spec: ImportSpec, policy: Policy) -> StateReader:
    """Return what earlier runs have left, also if that is only of the objects that rows refer to.

    Raises:
        JournalDamaged: The state cannot be read.
    """
    return StateReader(run.state_dir / "state.sqlite", policy.host, spec.name, policy.namespace)


def opened_memory(state: Path, spec: ImportSpec, policy: Policy) -> StateReader | None:
    """Return what earlier runs have left of an object; None if that is nothing, or if the host is not known.

    Raises:
        JournalDamaged: The state cannot be read.
    """
    if not policy.host or not state.is_file():
        return None
    memory = StateReader(state, policy.host, spec.name, policy.namespace)
    if memory.is_empty():
        memory.close()
        return None
    return memory


def estimate_of(
    spec: ImportSpec, policy: Policy, rows: int, pace: float | Foreseen, *, rows_exact: bool = True
) -> Estimate:
    """Return the estimate of rows of which nothing is known yet: all of them are taken to be new."""
    each = spec.requests_for(policy)
    operations = _by_operation(spec, {_label_of_new(spec, policy.mode): rows}, each[0])
    return of_import(Estimate.of(each, rows, rows_exact, pace, operations=operations), spec)


def of_import(estimate: Estimate, spec: ImportSpec) -> Estimate:
    """Return the estimate of an import from that of its rows.

    Rows with an address or a name of another object, and those with the key of an earlier row, take more or less.
    """
    return replace(estimate.of_run(len(spec.directories)), is_about=True)


def _label_of_new(spec: ImportSpec, mode: Mode) -> str:
    usual = "to send" if spec.contacts_people else "to create"
    return {Mode.UPDATE: "to look up first", Mode.DELETE: "to delete"}.get(mode, usual)


def _by_operation(spec: ImportSpec, split: Mapping[str, int], least: int) -> dict[str, int]:
    """Return the first request of each row by its operation; nothing if that is not all that the fewest requests are.

    Later requests depend on what Gladly holds.
    """
    found: dict[str, int] = {}
    for label, number in split.items():
        if label in _NO_REQUEST or not number:
            continue
        operation = next((name for name in spec.operations if label_of(name) == label), None)
        if operation is None or least != 1:
            return {}
        found[operation] = found.get(operation, 0) + number
    return found


class Forecast:
    """Counts what becomes of rows. `counts` has the rows by label: `to create`, `unchanged` and so on.

    Most rows of a repeated import are unchanged. So a row is first compared, field by field, with what is known of its
    key, which takes a fifth of the time of a draft. Only if that shows a difference is the draft made.
    """

    def __init__(
        self,
        spec: ImportSpec,
        policy: Policy,
        preparer: Preparer,
        memory: StateReader | None,
        *,
        baseline: Baseline | None = None,
        trusts_links: bool = False,
    ) -> None:
        """`memory` is None if earlier runs have left nothing, and `baseline` what a data set says besides.

        With `trusts_links`, an object that a row refers to exists even if no earlier run has imported it.
        """
        self._spec, self._policy, self._preparer, self._memory = spec, policy, preparer, memory
        self._baseline, self._trusts_links = baseline, trusts_links
        self._knows_contents = memory is not None and memory.has_prefix("content:")
        self._new = _label_of_new(spec, policy.mode)
        self._is_new_read = policy.undoable and policy.mode in spec.unread
        self.counts: Counter[str] = Counter()
        self.drafts = 0
        """How many drafts had to be made."""
        self._looks = 0
        """How many of the changes are read first, because of `--undoable` alone."""

    def take_fine(self, rows: Sequence[Row]) -> None:
        """Count rows that are certainly valid, and of which no draft was made yet."""
        keys = [self._key_of(row) for row in rows]
        known = self._accepted([key for key in keys if key])
        for row, key in zip(rows, keys, strict=True):
            if key is None:
                self.take(self._preparer.draft_of(row))
            elif (found := known.get(key)) is None:
                if self._baseline is None:
                    self.counts[self._new] += 1
                    self._looks += self._is_new_read
                else:
                    self.take(self._preparer.draft_of(row))
            elif self._is_unchanged(row, found):
                self.counts[UNCHANGED] += 1
            else:
                self.take(self._preparer.draft_of(row))

    def take_unread(self, rows: Sequence[Row]) -> None:
        """Count rows of which nothing is known yet, not even whether they are valid."""
        keys = [self._key_of(row) for row in rows]
        known = self._accepted([key for key in keys if key])
        left: list[Row] = []
        for row, key in zip(rows, keys, strict=True):
            found = known.get(key or "")
            if found is not None and not row.dropped and self._is_unchanged(row, found):
                self.counts[UNCHANGED] += 1
            else:
                left.append(row)
        self.drafts += len(left)
        self._take_all([self._preparer.draft_of(row) for row in left])

    def take(self, item: Draft | Problem, number: int = 1) -> None:
        """Count a record; with -1 as `number`, one that was counted before is not counted any more."""
        self._take_all([item], number)

    def _take_all(self, items: Sequence[Draft | Problem], number: int = 1) -> None:
        linked = [self._linked(item) for item in items]
        # One question to the state and one to the data set, whatever the number of drafts.
        known = iter(self._known_of([item for item in linked if isinstance(item, Draft)]))
        for item in linked:
            label, is_read = (item, False) if isinstance(item, str) else self._label_of(item, next(known))
            self.counts[label] += number
            self._looks += number * is_read

    def estimate(self, pace: float | Foreseen, *, rows: int | None = None, rows_exact: bool = True) -> Estimate:
        """Return the estimate of the rows that were counted, or of `rows` like them."""
        seen = self.counts.total()
        whole = seen if rows is None else rows
        factor = whole / seen if seen else 1.0
        split = {label: round(number * factor) for label, number in self.counts.most_common() if number > 0}
        unsent = sum(number for label, number in split.items() if label in _NO_REQUEST)
        each = self._spec.requests_per_record[self._policy.mode]
        operations = _by_operation(self._spec, split, each[0])
        judged = "" if whole == seen else f"by the first {seen:,} rows"
        found = Estimate.of(
            each, whole, rows_exact, pace, unsent=unsent, split=split, judged=judged, operations=operations
        )
        return of_import(with_looks(found, round(self._looks * factor), self._spec, self._policy), self._spec)

    def _accepted(self, keys: Sequence[str]) -> Mapping[str, str | bytes]:
        return {} if self._memory is None else self._memory.accepted(keys)

    def _key_of(self, row: Row) -> str | None:
        """Return the source key of a row, if it is plain; None if only the draft can tell it."""
        fields = row.fields
        if fields is None or row.former_key is not None:
            return None
        key = fields.get(self._policy.key) if self._policy.key is not None else fields.get("id")
        if type(key) is str and is_plain(key):
            return key
        # A hash of the content is only worth its time if some run has sent records without a key.
        is_by_content = self._spec.screening is Screening.CONTACTS and key in (None, "") and self._policy.key is None
        return "" if is_by_content and not self._knows_contents else None

    def _is_unchanged(self, row: Row, known: str | bytes) -> bool:
        """Tell whether all fields of a row are certainly as Gladly last accepted them; that is JSON of fingerprints."""
        if not known or self._policy.mode is Mode.DELETE or row.fields is None:
            return False
        try:
            nested = self._preparer.nested(row.fields)
        except ColumnProblem:
            return False
        nested.pop("id", None)
        # What a draft writes otherwise than the row (a number in another form) has another fingerprint.
        is_kept = self._policy.null == "keep"
        given = {name: value for name, value in nested.items() if value is not None or not is_kept}
        found = fingerprints_of(given, self._policy.owners)
        # Most rows have the same fields as when they were accepted, so the text is equal and need not be parsed.
        if (orjson.dumps(found) if isinstance(known, bytes) else orjson.dumps(found).decode()) == known:
            return True
        accepted: dict[str, str] = orjson.loads(known)
        return all(is_accepted(accepted.get(name), print_) for name, print_ in found.items())

    def _linked(self, item: Draft | Problem) -> Draft | str:
        """Return the draft of a record with ids in place of keys, or what a record without a draft is counted as."""
        if isinstance(item, Problem):
            return REJECTED if item.word is Word.REJECTED else item.word.value
        if not item.links:
            return item
        linked = self._with_ids(item)
        if isinstance(linked, Draft):
            return linked
        return item if self._trusts_links else REJECTED

    def _known_of(self, drafts: Sequence[Draft]) -> Sequence[Known | None]:
        """Return what earlier runs and the data set know of each draft."""
        known: list[Known | None] = [None] * len(drafts)
        if self._memory is not None:
            keys = [key for draft in drafts for key in (draft.key, draft.former_key) if key is not None]
            found = self._memory.known(keys)
            known = [known_by(found, draft.key, draft.former_key) for draft in drafts]
        return known if self._baseline is None else self._baseline.add(drafts, known)

    def _label_of(self, draft: Draft, known: Known | None) -> tuple[str, bool]:
        """Return what a record is counted as, and whether it is a change that is read first, to be kept."""
        try:
            request = next(self._spec.steps(ready(draft, known), self._policy))
        except StopIteration as end:
            word: Word = end.value.word
            return (REJECTED if word is Word.REJECTED else word.value), False
        return first_step(self._spec, self._policy, known, request)

    def _with_ids(self, draft: Draft) -> Draft | Problem:
        found: dict[tuple[str, str], str] = {}
        for link in draft.links:
            if link.is_key and self._memory is not None:
                asked = [key for key in (link.text, link.former) if key is not None]
                ids = self._memory.ids(link.kind, self._policy.namespace_of(link.kind), asked)
                if gladly_id := next(filter(None, map(ids.get, asked)), None):
                    found[link.kind, link.text] = gladly_id
        return complete(draft, self._spec, Directory(), found)


def foreseen(
    inputs: Inputs,
    forecast: Forecast,
    *,
    start: Mark,
    is_settled: Callable[[int], bool],
    most: int,
    limit: int | None,
) -> bool:
    """Count the rows from a mark on that are not settled, up to `limit` or about `most`; return whether it was all.

    Raises:
        InputError: A file cannot be read.
        JournalDamaged: The state cannot be read.
    """
    with closing(inputs.batches(start, size=_ROWS_AT_ONCE)) as batches:
        for rows in batches:
            seen = forecast.counts.total()
            if seen == limit:
                break
            if seen + forecast.drafts * _DRAFTS_PER_ROW >= most:
                return False
            left = [row for row in rows if not is_settled(row.seq)]
            forecast.take_unread(left if limit is None else left[: limit - seen])
    return True
