"""What `explain` says of a record, in plain words: requests, why it ended as it did, masked values. Pure."""

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from bulkgladly.gladly.change import is_equal
from bulkgladly.imports.reject_reasons import left_out, reason_for
from bulkgladly.journal.record_lookup import SettledRecord
from bulkgladly.journal.run_writes import TrailStep, WrittenChange
from bulkgladly.journal.undone_runs import UNDO
from bulkgladly.mapping.column_shapes import masked
from bulkgladly.messages import Meaning
from bulkgladly.records import Mode, Stage, Word

__all__ = (
    "Background",
    "ToldField",
    "decision_of",
    "fields_of",
    "is_personal",
    "key_text",
    "reply_words",
    "said",
    "time_text",
)

_MOST = 200
_NUMBER = re.compile(r"\s*(?:\+|00)[\d\s().-]{6,}")
_MEANINGS: Mapping[str, str] = {
    Meaning.CONFIRMED.value: "done",
    Meaning.REFUSED.value: "refused by Gladly",
    Meaning.TAKEN.value: "refused, already in use",
    Meaning.ABSENT.value: "does not exist in Gladly",
    Meaning.MOVED.value: "was merged into another customer",
    Meaning.THROTTLED.value: "throttled, not carried out",
    Meaning.NOT_AUTHENTICATED.value: "credentials refused",
    Meaning.NOT_PERMITTED.value: "permission refused",
    Meaning.UNCLEAR.value: "unclear: it may have been carried out",
}
_READS = ("get", "find", "list")
_IMPORTS = frozenset(mode.value for mode in Mode)
_OF_UNDO: Mapping[str, str] = {
    Word.UPDATED: "wrote back what the run had changed, and nobody had changed since",
    Word.DELETED: "deleted it, because the run had created it and nobody had changed it since",
    Word.UNCHANGED: "had nothing to do",
    Word.SKIPPED: "left it as it is, because it has changed since, or is in use",
    Word.REJECTED: "could not take it back",
    Word.UNKNOWN: "may have taken it back; no usable response came, and a lookup did not settle it",
}


class Background(NamedTuple):
    """What is known of a record beside its own entry in the journal.

    `earlier_run` is the newest one before that knew the key. `same_row` is the place of the row of this run that has
    the same key.
    """

    mode: str
    earlier_run: str | None = None
    same_row: str | None = None


def said(value: Any, *, show_values: bool) -> str:
    """Return a value as text on one line: as JSON, or masked in the same form and length."""
    if value is None or value == "":
        return "nothing"
    text = orjson.dumps(value if show_values else masked(value), default=str).decode()
    return text if len(text) <= _MOST else f"{text[:_MOST]}…"


def key_text(key: str, *, show_values: bool) -> str:
    """Return a source key for people; one that is an address or a phone number is masked."""
    return key if show_values or not is_personal(key) else str(masked(key))


def is_personal(key: str) -> bool:
    """Tell whether a source key is an email address or an international phone number."""
    return "@" in key or _NUMBER.fullmatch(key) is not None


def time_text(at: float) -> str:
    """Return a moment in local time, to the second."""
    return f"{dt.datetime.fromtimestamp(at).astimezone():%Y-%m-%d %H:%M:%S}"


def reply_words(step: TrailStep) -> str:
    """Return what a reply meant."""
    if step.meaning == Meaning.CONFIRMED.value and step.operation.startswith(_READS):
        return "read"
    if not step.status:
        return "no response: it may have been carried out"
    return _MEANINGS.get(step.meaning, step.meaning)


class ToldField(NamedTuple):
    """A field that was written, or differs: two values of it."""

    field: str
    before: Any
    after: Any


def fields_of(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> Iterator[ToldField]:
    """Yield the fields that were written, those of an object one by one; what stayed as it was is left out."""
    held = before or {}
    for name, value in after.items():
        was = held.get(name)
        if isinstance(value, Mapping):
            parts = was if isinstance(was, Mapping) else {}
            for part, one in value.items():
                if before is None or not is_equal(parts.get(part), one):
                    yield ToldField(f"{name}.{part}", parts.get(part), one)
        elif before is None or not is_equal(was, value):
            yield ToldField(name, was, value)


# --- why it ended as it did ---


def decision_of(
    record: SettledRecord, trail: Sequence[TrailStep], writes: Sequence[WrittenChange], about: Background
) -> str:
    """Return why a record ended as it did, as one or two sentences."""
    if about.mode == UNDO and record.word in _OF_UNDO:
        return f"The undo {_OF_UNDO[Word(record.word)]}."
    if about.mode not in _IMPORTS or record.word not in _DECISIONS:
        return f"The run ({about.mode}) ended it as {record.word}."
    told = _DECISIONS[Word(record.word)](record, trail, writes, about)
    return f"{told[:1].upper()}{told[1:]}."


def _created(
    _record: SettledRecord, trail: Sequence[TrailStep], _writes: Sequence[WrittenChange], about: Background
) -> str:
    if not trail:
        return "it was created"
    creates = [step for step in trail if not step.operation.startswith(_READS)]
    if len(trail) == 1:
        return f"{_known_before(about)}, so it was created with one request"
    if len(creates) == len(trail) and all(step.meaning == Meaning.CONFIRMED.value for step in trail):
        return f"{_known_before(about)}, so it was created; what a create cannot set took another request"
    if creates and creates[-1].meaning == Meaning.CONFIRMED.value and trail[0] not in creates:
        return f"{_known_before(about)}; it was looked up first, did not exist, and was created"
    if (
        len(creates) > 1
        and creates[-1].meaning == Meaning.CONFIRMED.value
        and trail[0].operation == creates[-1].operation
    ):
        return (
            "the response to its first create was unclear; a lookup showed that it did not exist, so it was sent again"
        )
    return "the response to its create was unclear; a lookup in Gladly showed that it was created"


def _updated(
    _record: SettledRecord, trail: Sequence[TrailStep], writes: Sequence[WrittenChange], about: Background
) -> str:
    names = ", ".join(dict.fromkeys(name for one in writes for name in one.after))
    fields = f" in {names}" if names else ""
    if any(step.meaning == Meaning.MOVED.value for step in trail):
        return f"the customer was merged in Gladly, so the one that remains was read, and changed{fields}"
    if any(step.meaning == Meaning.TAKEN.value for step in trail):
        return f"Gladly had it already, so it was read; it differed{fields}, and only that was written"
    if any(step.operation.startswith(_READS) for step in trail):
        return f"{_known_before(about)}; the object was read first, differed{fields}, and only that was written"
    return f"{_known_before(about)}; what had changed{fields} was written without reading it first"


def _deleted(
    _record: SettledRecord, _trail: Sequence[TrailStep], _writes: Sequence[WrittenChange], _about: Background
) -> str:
    return "the run deletes the objects of its rows, and Gladly has deleted this one"


def _unchanged(
    record: SettledRecord, trail: Sequence[TrailStep], _writes: Sequence[WrittenChange], about: Background
) -> str:
    if about.mode == Mode.DELETE.value:
        return "Gladly has no such object, so there was nothing to delete"
    if record.attempts or trail:
        return "Gladly held the same content already, so nothing was written"
    if about.same_row is not None:
        return f"the row at {about.same_row} has the same key and content, so nothing was sent again"
    run = f"in run {about.earlier_run}" if about.earlier_run else "in an earlier run"
    return f"Gladly had accepted the same content {run}, so nothing was sent"


def _skipped(
    record: SettledRecord, _trail: Sequence[TrailStep], _writes: Sequence[WrittenChange], _about: Background
) -> str:
    return f"the row was {left_out(record.code or '')}"


def _rejected(
    record: SettledRecord, trail: Sequence[TrailStep], _writes: Sequence[WrittenChange], _about: Background
) -> str:
    reason = reason_for(record.code or "?", record.stage)
    if record.stage in (Stage.READ.value, Stage.CHECK.value) and not trail:
        return f"nothing was sent: {reason}"
    if record.stage == Stage.CONFLICT.value:
        return f"nothing was written: {reason}"
    return f"nothing was written, because {reason}" if record.code != "unsettled" else reason


def _unknown(
    _record: SettledRecord, trail: Sequence[TrailStep], _writes: Sequence[WrittenChange], about: Background
) -> str:
    if not trail:
        run = f"run {about.earlier_run}" if about.earlier_run else "an earlier run"
        return f"{run} may have sent it, and it must not be sent twice, so nothing was sent"
    return "no usable response came, and a lookup did not show whether Gladly has carried it out"


_DECISIONS = {
    Word.CREATED: _created,
    Word.UPDATED: _updated,
    Word.DELETED: _deleted,
    Word.UNCHANGED: _unchanged,
    Word.SKIPPED: _skipped,
    Word.REJECTED: _rejected,
    Word.UNKNOWN: _unknown,
}


def _known_before(about: Background) -> str:
    if about.earlier_run is None:
        return "no run before this one knew the key"
    return f"run {about.earlier_run} knew the key"
