"""Forgetting what Gladly no longer holds, so that the next import of the same rows writes it again."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from bulkgladly.errors import UsageError
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.journal.state import State
from bulkgladly.journal.verdicts import RowVerdict
from bulkgladly.records import FORGOTTEN, Mode

__all__ = ("can_forget", "forget_differences", "refuse_to_forget")

_GROUP = 500


def can_forget(spec: ImportSpec, mode: Mode) -> bool:
    """Tell whether an import would write again what was forgotten."""
    # Conversations and their topics are not remembered: what a row says of them is always written.
    is_remembered = Mode.UPSERT in spec.procedures
    return is_remembered and not spec.is_at_most_once and mode in (Mode.UPDATE, Mode.UPSERT)


def refuse_to_forget(spec: ImportSpec, mode: Mode) -> None:
    """Refuse to forget what no import would write again.

    Raises:
        UsageError: Objects of this kind are sent at most once, or cannot be changed; or the rows delete.
    """
    if not can_forget(spec, mode):
        raise UsageError(f"--forget is for objects that an import can change, not for {spec.name} with --mode {mode}")


def forget_differences(verdicts: Iterable[RowVerdict], state: Path, scope: tuple[str, str, str], run: str) -> int:
    """Drop from the state the fields in which rows differ, and return how many rows have such a field.

    `scope` is host, object and namespace. Only fingerprints are dropped: keys and ids stay, so that nothing is created
    twice, and an object that was deleted in Gladly is not created again. Doing it twice changes nothing.

    Raises:
        DiskFull, JournalDamaged, JournalError: The state cannot be used.
    """
    if not state.is_file():
        return 0
    memory = State(state, scope, is_synced=False, run=run)
    try:
        return sum(_forget(memory, group) for group in _groups(verdicts))
    finally:
        memory.close()


def _groups(verdicts: Iterable[RowVerdict]) -> Iterator[list[RowVerdict]]:
    differing = (one for one in verdicts if one.fields and one.key is not None)
    while group := list(islice(differing, _GROUP)):
        yield group


def _forget(memory: State, group: list[RowVerdict]) -> int:
    fields: dict[str, set[str]] = {}
    for one in group:
        fields.setdefault(one.key or "", set()).update(name.partition(".")[0] for name, _, _ in one.fields)
    known = memory.known(list(fields))
    rows = [
        (key, each.gladly_id, {**each.accepted, **dict.fromkeys(names, FORGOTTEN)})
        for key, each in known.items()
        if each.gladly_id and (names := {one for one in fields[key] if each.accepted.get(one, FORGOTTEN) != FORGOTTEN})
    ]
    if rows:
        memory.remember(rows)
        memory.commit()
    return len(rows)
