"""The story of one record of a run: its row, its key, what was sent, what came back, how it ended, and why.

Everything is read from the run's folder, from its input as far as that is unchanged, and from the runs before it.
Values are texts, masked unless they may be shown.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import orjson

from bulkgladly.errors import BulkgladlyError
from bulkgladly.explanations.explain_earlier import EarlierRun, earlier_run_with
from bulkgladly.explanations.explain_identity import IdentityTeller
from bulkgladly.explanations.explain_row import RowFound, row_of
from bulkgladly.explanations.explain_target import PendingRecord, input_names
from bulkgladly.explanations.explain_undone import undone_text
from bulkgladly.explanations.explain_words import (
    Background,
    decision_of,
    fields_of,
    key_text,
    reply_words,
    said,
    time_text,
)
from bulkgladly.explanations.record_story import (
    PENDING,
    UNCERTAIN,
    RecordStory,
    StoryDropped,
    StoryField,
    StoryRequest,
    ToldRecord,
)
from bulkgladly.gladly.change import Action
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.gladly.table import import_spec
from bulkgladly.imports.fixes import UNKNOWN_FIX, fix_for
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.imports.preview import KEY
from bulkgladly.imports.reject_reasons import reason_for
from bulkgladly.journal.record_lookup import RecordLookup, SettledRecord
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.run_header import RunHeader
from bulkgladly.journal.run_writes import RunWrites, WrittenChange
from bulkgladly.journal.undone_runs import UNDO
from bulkgladly.plans.plan_options import PLAN_MODE
from bulkgladly.plans.planned_changes import PlannedChange
from bulkgladly.records import Position, Problem, Stage, Word, place_of_row
from bulkgladly.runs.options import restored

__all__ = ("StoryTeller",)


class StoryTeller:
    """Tells the stories of records of one run.

    Chapters: the story; the row; earlier runs; requests and writes.
    """

    def __init__(
        self, run: RunFolder, header: RunHeader, lookup: RecordLookup, writes: RunWrites, *, show_values: bool
    ) -> None:
        self._run, self._header, self._lookup, self._writes = run, header, lookup, writes
        self._show_values = show_values
        self._names = input_names(run, header)
        self.spec, self.options = _kind_of(run, header)
        self._identity = IdentityTeller(run, header, lookup, self.spec, self.options)

    # --- the story -----------------------------------------------------------------------------

    def of(self, record: SettledRecord, nth: int = 0) -> ToldRecord:
        """Return the story of a record that has ended; it is the n-th of its row, from 0."""
        row = self._row(record.position, record, nth)
        trail, writes = self._writes.trail_of(record.seq), self._writes.of(record.seq)
        earlier = self._earlier(record, writes)
        about = Background(
            self._header.mode, None if earlier is None else earlier.run, self._identity.same_row(record, row.draft)
        )
        story = self._begun(record.position, row, record.key, record.gladly_id)
        is_bad = record.word in (Word.REJECTED.value, Word.UNKNOWN.value)
        # What an undo could not take back is not corrected in a row: its detail says what stays, and why.
        has_fix = is_bad and self._header.mode != UNDO
        story = replace(
            story,
            id_from=self._identity.id_from(record, row.draft, trail),
            outcome=record.word,
            status=record.status,
            code=record.code or "",
            attr=record.attr or "",
            detail=record.detail or "",
            fix=_fix_of(record) if has_fix else "",
            decision=decision_of(record, trail, writes, about),
            known_before=self._known_before(record, earlier),
            dropped=self._dropped(record.seq, row),
            claims=self._identity.claims(record.seq, row.draft),
            requests=[_request(step) for step in trail],
            requests_note=self._requests_note(record, bool(trail)),
            written=list(self._written(writes)),
            undone=undone_text(self._run, record.gladly_id) if any(one.is_done for one in writes) else "",
            at=time_text(record.at),
        )
        if self._header.mode == PLAN_MODE and not is_bad and record.word != Word.SKIPPED.value:
            story = self._planned(story, record)
        return ToldRecord(story, record.gladly_id, row.draft, [one.after for one in writes], record.position)

    def _planned(self, story: RecordStory, record: SettledRecord) -> RecordStory:
        """Return the story of a record that is only planned: the journal has in its note what is to be done."""
        if record.detail is None:
            return replace(story, decision="An earlier run has sent the same content, so nothing is to be done.")
        one = PlannedChange.from_note(record.seq, record.position, record.word, record.gladly_id, record.detail)
        result = f"to {one.action}" if one.is_write else "decided when the plan is applied"
        fields = [
            StoryField(
                each.field, "", "?" if each.before is None else self._of_json(each.before), self._of_json(each.after)
            )
            for each in one.fields
        ]
        return replace(
            story,
            key=key_text(one.key, show_values=self._show_values),
            key_from=self._identity.key_from(one.key),
            outcome=record.word if one.action == Action.NONE else result,
            detail=one.reason or "",
            decision="The run only planned; nothing was written.",
            requests_note="a plan does not keep them",
            written=fields,
        )

    def _of_json(self, text: str | None) -> str:
        return self.said(None if text is None else orjson.loads(text))

    def of_pending(self, pending: PendingRecord) -> ToldRecord:
        """Return the story so far of a record that was read and has not ended."""
        position = Position(pending.file, 0, pending.number)
        row = RowFound(None, "it is shown when the record has ended")
        intent, writes = self._lookup.intent(pending.seq), self._writes.of(pending.seq)
        gladly_id = intent.gladly_id if intent is not None else None
        status = self._run.live_status()
        if intent is not None:
            told = f"at {time_text(intent.at)} {intent.operation} was about to leave; its outcome is not known yet"
        else:
            told = "it was read; it waits for its turn, or its request is in flight"
        if status != "running":
            told += f"; the run is {status}, and a resume looks it up first"
        story = replace(
            self._begun(position, row, None, gladly_id),
            outcome=PENDING,
            decision=f"{told[:1].upper()}{told[1:]}.",
            written=list(self._written(writes)),
        )
        return ToldRecord(story, gladly_id, None, [one.after for one in writes], position)

    def _begun(self, position: Position, row: RowFound, key: str | None, gladly_id: str | None) -> RecordStory:
        part = row.part
        name = self._names[position.file] if position.file < len(self._names) else self._header.resource
        return RecordStory(
            run=self._run.name,
            object=self._header.resource,
            mode=self._header.mode,
            place=place_of_row(name, position.number),
            plan=str(self._header.plan or ""),
            part=f"record {part.number} of {part.of} of its row" if part is not None else "",
            key="" if key is None else key_text(key, show_values=self._show_values),
            key_from=self._identity.key_from(key),
            gladly_id=gladly_id or "",
            row={name: self.said(value) for name, value in (row.source or {}).items() if value not in (None, "")},
            row_note=row.note or "",
            made=list(self._made(row)),
        )

    def said(self, value: Any) -> str:
        """Return a value as text, masked unless it may be shown."""
        return said(value, show_values=self._show_values)

    # --- the row -------------------------------------------------------------------------------

    def _row(self, position: Position, record: SettledRecord, nth: int) -> RowFound:
        if self.spec is None or self.options is None:
            if self._header.mode == UNDO:
                return RowFound(None, f"it is told by the run that was taken back: {self._header.parent}")
            return RowFound(None, f"a run of mode {self._header.mode} has no rows")
        return row_of(self._header, self.spec, self.options, position, record=record, nth=nth)

    def _made(self, row: RowFound) -> Iterator[StoryField]:
        """Yield the fields of the record that are not sent as the row has them."""
        values = row.made.values if row.made is not None else ()
        # What was changed comes first, what only has another name last.
        for one in sorted(values, key=lambda one: one.is_same):
            if one.field == KEY or (one.is_same and one.field == one.column):
                continue  # the key has a line of its own
            column = "" if one.column == one.field else one.column
            before = "" if one.is_constant or one.before is None else self.said(one.before)
            after = said(one.after, show_values=True) if one.is_constant else self.said(one.after)
            yield StoryField(one.field, column, before, after)

    def _dropped(self, seq: int, row: RowFound) -> list[StoryDropped]:
        noted = self._lookup.dropped(seq)
        made = row.made.dropped if row.made is not None else ()
        # Those of the journal were masked when they were noted.
        told = [(one, str(one.value)) for one in noted] or [(one, self.said(one.value)) for one in made]
        return [
            StoryDropped(one.field, one.column, value, one.code, one.detail, reason_for(one.code, None))
            for one, value in told
        ]

    # --- earlier runs --------------------------------------------------------------------------

    def _earlier(self, record: SettledRecord, writes: Sequence[WrittenChange]) -> EarlierRun | None:
        if record.key is None or self.spec is None:
            return None
        before = min([record.at, *(one.at for one in writes)])
        return earlier_run_with(self._run, self._header, record.key, before)

    def _known_before(self, record: SettledRecord, earlier: EarlierRun | None) -> str:
        if record.key is None or self.spec is None:
            return ""
        if earlier is not None:
            return f"run {earlier.run}: {earlier.word} at {time_text(earlier.at)}"
        if record.word == Word.UNCHANGED.value and not record.attempts:
            return "a run that is no longer there, or a row of this one"
        return "no run before this one knew the key"

    # --- requests and writes -------------------------------------------------------------------

    def _requests_note(self, record: SettledRecord, has_trail: bool) -> str:
        if has_trail or not record.attempts:
            return "" if has_trail else "none were needed"
        kept = "this run did not keep them" if not self._writes.is_kept else "they are not in the journal"
        return f"{record.attempts} sent; {kept}"

    def _written(self, writes: Sequence[WrittenChange]) -> Iterator[StoryField]:
        for one in writes:
            doubt = "" if one.is_done else f" {UNCERTAIN}"
            if one.action == "delete" and not one.after:
                yield StoryField("the whole object", f"{one.operation}{doubt}", "held", "deleted")
            before = None if one.before is None and one.action != "create" else one.before
            for found in fields_of(before, one.after):
                was = "?" if one.before is None and one.action == "update" else self.said(found.before)
                yield StoryField(found.field, f"{one.operation}{doubt}", was, self.said(found.after))


def _kind_of(run: RunFolder, header: RunHeader) -> tuple[ImportSpec | None, ImportOptions | None]:
    """Return the object and the options of an import; None for other kinds of runs, whose journal is all there is."""
    try:
        spec = import_spec(header.resource)
        options = restored(ImportOptions, header.settings, run.state_dir)
    except BulkgladlyError:
        return None, None
    is_import = "namespace" in header.settings and "on_conflict" in header.settings
    return (spec, options) if is_import else (None, None)


def _request(step: Any) -> StoryRequest:
    codes = [code for code in step.codes if code]
    return StoryRequest(time_text(step.at), step.operation, step.status, codes, step.attempts, reply_words(step))


def _fix_of(record: SettledRecord) -> str:
    if record.word == Word.UNKNOWN.value:
        return UNKNOWN_FIX
    stage = Stage(record.stage) if record.stage else Stage.API
    return fix_for(Problem(record.code or "", record.detail or "", record.attr, stage))
