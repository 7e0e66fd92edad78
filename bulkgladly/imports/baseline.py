"""What a data set says that Gladly holds, in place of a look: for `--baseline`.

The data set is read once, into an index in the folder of the run (`baseline_rows`, `baseline_index`); a resume uses
that index, whatever has become of the data set. What it says is as old as the data set, so it never proves anything:
see docs/baseline.md for what can go wrong.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from bulkgladly.errors import JournalDamaged, UsageError, Withdrawn
from bulkgladly.gladly.baseline_plan import BaselinePlan, accepted_by, unread_in
from bulkgladly.gladly.identity import digest64
from bulkgladly.gladly.spec import Draft, ImportSpec, Policy
from bulkgladly.gladly.table import IMPORTS
from bulkgladly.imports.baseline_changes import ChangedObjects, RowMatch, is_covered
from bulkgladly.imports.baseline_findings import BaselineFindings, moment_of_micros
from bulkgladly.imports.baseline_index import BaselineIndex, HeldObject
from bulkgladly.records import Known, Mode

__all__ = ("INDEX", "Baseline", "check_baseline")

INDEX = "baseline.sqlite"
_READ_AT_ONCE = 128
"""Few, so that an object is compared, and mostly freed, while it is in the processor's cache."""
_EQUAL: Mapping[str, Any] = MappingProxyType({})
"""What is kept of an object that holds all that its row asks for: nobody will look at it again."""
_LOOKED_UP = "such a row is looked up in Gladly before anything is written"
_LEFT_TO = {
    "quarantine": "--on-conflict quarantine rejects such a row; to update these customers, pass --on-conflict update",
    "skip": "--on-conflict skip skips such a row",
}


def check_baseline(lake: Path, spec: ImportSpec, policy: Policy) -> BaselinePlan:
    """Refuse a data set that cannot be used, before anything else is done; return what it says of the object.

    Raises:
        InputError: A manifest of it is damaged.
        UsageError: The object or the mode cannot be compared with a data set, or the folder is not a data set, has
            the data of another organisation, or no rows of the object.
    """
    if spec.baseline is None:
        objects = ", ".join(name for name, one in IMPORTS.items() if one.baseline is not None)
        raise UsageError(
            f"--baseline: {spec.name} cannot be compared with a data set, because no data set holds everything that an "
            f"import of them writes; omit it (it works for {objects})"
        )
    if policy.mode not in (Mode.UPSERT, Mode.UPDATE):
        raise UsageError(
            f"--baseline is for --mode upsert and update; a data set may be out of date, so it cannot decide what to "
            f"{policy.mode.value}"
        )
    from bulkgladly.imports.baseline_rows import pinned  # noqa: PLC0415 - loads Arrow, which only data sets need

    pinned(lake, spec.baseline, policy.host)
    return spec.baseline


class Baseline:
    """Says of drafts what a data set has of them. Used by one thread at a time; close it after use.

    Chapters: opening the index, what is known of drafts, and rows that no id leads to.
    """

    def __init__(self, index: BaselineIndex, plan: BaselinePlan, policy: Policy) -> None:
        """Use an index; `opened` builds it if needed."""
        self._index, self._plan, self._policy = index, plan, policy
        self._updates_others = policy.mode is Mode.UPDATE or policy.on_conflict in ("update", "merge")
        about = index.about
        self._taken = bytearray(int(about["rows"]) // 8 + 1)
        """One bit for each object: whether a row was matched with it by an address."""
        self._changed = ChangedObjects(int(about["rows"]))
        self.findings = BaselineFindings(
            lake=str(about["lake"]),
            data_sets=tuple(about["data_sets"]),
            objects=int(about["objects"]),
            oldest=moment_of_micros(about["oldest"]),
            newest=moment_of_micros(about["newest"]),
            empty=tuple(about["empty"]),
            left_to=_LOOKED_UP if policy.mode is Mode.UPDATE else _LEFT_TO.get(policy.on_conflict, _LOOKED_UP),
        )

    @classmethod
    def opened(
        cls,
        lake: Path,
        spec: ImportSpec,
        policy: Policy,
        folder: Path,
        *,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> Self:
        """Return the baseline of a data folder, with its index in `folder`.

        An index that is there is used again, and the data folder is not even opened. A kill leaves no index, or a
        whole one.

        Raises:
            DiskFull, JournalError: The index cannot be written.
            InputError, UsageError: As `check_baseline`, or a part of the data set is damaged.
            Withdrawn: It was stopped, and there is no index.
        """
        from bulkgladly.imports.baseline_rows import write_index  # noqa: PLC0415 - as above

        plan, path = spec.baseline, folder / INDEX
        if plan is None:
            plan = check_baseline(lake, spec, policy)
        try:
            return cls(BaselineIndex(path), plan, policy)
        except FileNotFoundError:
            pass
        except JournalDamaged:
            path.unlink(missing_ok=True)
        check_baseline(lake, spec, policy)
        if not write_index(path, lake, plan, policy.host, is_stopped=is_stopped):
            raise Withdrawn(f"the data set {lake} was not read to its end")
        return cls(BaselineIndex(path), plan, policy)

    def preview(self) -> "Baseline":
        """Return a baseline with the same index, for an estimate: what is asked of it does not count here."""
        return Baseline(self._index, self._plan, self._policy)

    def close(self) -> None:
        """Close the index. Its files stay, for a resume."""
        self._index.close()

    # --- what is known of drafts ---

    def add(self, drafts: Sequence[Draft], known: Sequence[Known | None]) -> list[Known | None]:
        """Return what is known of each draft, with what the data set says of those that earlier runs do not know.

        What earlier runs know stays; only fields of which they know nothing are added.

        Raises:
            JournalDamaged: The index cannot be read.
        """
        result = list(known)
        asked = [
            (at, draft, earlier, _ids_of(draft, earlier))
            for at, (draft, earlier) in enumerate(zip(drafts, known, strict=True))
            if _is_open(draft, earlier)
        ]
        pairs = zip(drafts, known, strict=True)
        self.note_changed([one.gladly_id for draft, one in pairs if one is not None and not is_covered(draft, one)])
        self.findings.asked += sum(earlier is None for _, _, earlier, _ in asked)
        # A row with an id of its own means the object with that id, even if another has its addresses.
        strangers = [
            at
            for at, draft, earlier, _ in asked
            if earlier is None and not draft.has_own_id and self._plan.has_addresses
        ]
        matches: dict[int, RowMatch] = {}
        for start in range(0, len(asked), _READ_AT_ONCE):
            part = asked[start : start + _READ_AT_ONCE]
            by_id = self._index.by_id([one for _, _, _, ids in part for one in ids])
            for at, draft, earlier, ids in part:
                held = next((by_id[one] for one in ids if one in by_id), None)
                if held is not None:
                    found = result[at] = self._known(draft, earlier, held, by="id")
                    matches[at] = RowMatch(held.number, "id", is_changing=not is_covered(draft, found))
        if strangers:
            self._match_by_address(drafts, strangers, result, matches)
        self._leave_out_stale(matches, result, known)
        return result

    def _known(self, draft: Draft, known: Known | None, found: HeldObject, *, by: str) -> Known:
        """Return what is known of a draft that a held object was found for, and count it."""
        (_, is_whole, at, held), plan, payload = found, self._plan, draft.payload
        told: Mapping[str, Any] = held
        unread = unread_in(plan, held, payload, is_whole=is_whole)
        accepted = accepted_by(plan, held, payload, draft.fingerprints, self._policy.owners, unread=unread)
        if known is not None:
            # Earlier runs have sent the other fields, and what they remember is newer than any data set.
            accepted = {name: print_ for name, print_ in accepted.items() if name not in known.accepted}
            unread = tuple(name for name in unread if name not in known.accepted)
            accepted = {**known.accepted, **accepted}
        else:
            self.findings.matched[by] += 1
            if accepted is draft.fingerprints:
                told = _EQUAL
        if unread:
            self.findings.read_first += 1
            self.findings.lacking.update(unread)
        gladly_id = known.gladly_id if known is not None else str(held["id"])
        return Known(gladly_id, accepted, "", told, at / 1_000_000, unread)

    # --- what the data set says no more, since this run writes it ---

    def suspect(self, drafts: Sequence[Draft]) -> None:
        """Note that rows may change the objects that they mean, whatever else is known of them."""
        if not drafts:
            return
        self.note_changed([one for draft in drafts for one in _ids_of(draft, None)])
        if self._plan.has_addresses:
            for found in self._found_by_address(drafts, range(len(drafts))).values():
                self._mark_other(None if found is None else found[1])

    def note_changed(self, ids: Sequence[str]) -> None:
        """Note that this run has changed the objects with these ids.

        Raises:
            JournalDamaged: The index cannot be read.
        """
        for held in self._index.by_id(ids).values() if ids else ():
            self._changed.mark(held.number)

    def _leave_out_stale(
        self, matches: Mapping[int, RowMatch], result: list[Known | None], earlier: Sequence[Known | None]
    ) -> None:
        """Drop what was found of objects that an earlier row may change."""
        for at in self._changed.stale(matches):
            if earlier[at] is None and result[at] is not None:
                self.findings.matched[matches[at].by] -= 1
                self.findings.ambiguous += 1
                result[at] = None

    def _mark_other(self, held: HeldObject | None) -> None:
        if held is not None and self._updates_others:
            self._changed.mark(held.number)

    # --- rows that no id leads to ---

    def _found_by_address(
        self, drafts: Sequence[Draft], at: Iterable[int]
    ) -> dict[int, tuple[str, HeldObject | None] | None]:
        """Return what `_match` says of each draft."""
        if not self._index.has_addresses:
            self._index.open_addresses(self._digests_of)
        groups = {one: self._plan.wanted(drafts[one].payload) for one in at}
        digests = {_address_digest(text) for each in groups.values() for group in each for text in group}
        found = self._index.by_address(list(digests))
        return {one: self._match(wanted, found) for one, wanted in groups.items()}

    def _match_by_address(
        self,
        drafts: Sequence[Draft],
        at: Iterable[int],
        result: list[Known | None],
        matches: dict[int, RowMatch],
    ) -> None:
        for one, match in self._found_by_address(drafts, at).items():
            if match is None:
                continue
            kind, held = match
            by_id = result[one]
            if by_id is not None:
                if held is None or held.held["id"] != by_id.gladly_id:
                    # The id leads to one object and an address to another: a look has to tell.
                    self.findings.matched["id"] -= 1
                    self.findings.ambiguous += 1
                    result[one] = None
                    matches[one] = matches[one]._replace(is_changing=True)
                    self._mark_other(held)
                continue
            if held is None or self._is_taken(held.number):
                self.findings.ambiguous += 1
                self._mark_other(held)
                continue
            result[one] = self._known_by_address(drafts[one], held, kind)
            matches[one] = RowMatch(held.number, kind, is_changing=result[one] is None and self._updates_others)

    def _match(
        self, groups: Sequence[Sequence[str]], found: Mapping[int, HeldObject | None]
    ) -> tuple[str, HeldObject | None] | None:
        """Return the kind of address and the one object that has it (None if there are several); None without any."""
        for group in groups:
            hits = [(text, found[digest]) for text in group if (digest := _address_digest(text)) in found]
            held = {
                one.number: one for text, one in hits if one is not None and text in set(self._plan.addresses(one.held))
            }
            if any(one is None for _, one in hits) or len(held) > 1:
                return group[0].partition(":")[0], None
            if held:
                return group[0].partition(":")[0], next(iter(held.values()))
        return None

    def _known_by_address(self, draft: Draft, found: HeldObject, kind: str) -> Known | None:
        # An address is weaker than an id: what the data set knows of its owner may be old, and without a data set the
        # conflict policy decides. So only equality counts, which needs no request; all else goes the usual way.
        differs = unread_in(self._plan, found.held, draft.payload, is_whole=found.is_whole) or self._plan.changes(
            found.held, draft.payload, self._policy.owners
        )
        if differs:
            self.findings.left += 1
            return None
        self._taken[found.number >> 3] |= 1 << (found.number & 7)
        return self._known(draft, None, found, by=kind)

    def _is_taken(self, number: int) -> bool:
        return bool(self._taken[number >> 3] & 1 << (number & 7))

    def _digests_of(self, held: Mapping[str, Any]) -> list[int]:
        return [_address_digest(text) for text in self._plan.addresses(held)]


def _is_open(draft: Draft, known: Known | None) -> bool:
    """Tell whether a data set can add to what is known of a draft; not while its links are open, or in doubt."""
    if draft.links:
        return False
    return known is None or bool(known.gladly_id and not draft.fingerprints.keys() <= known.accepted.keys())


def _ids_of(draft: Draft, known: Known | None) -> tuple[str, ...]:
    """Return the ids under which the object of a draft may be, the likeliest first."""
    if known is not None:
        return (known.gladly_id,)
    return (draft.id,) if draft.former_id is None else (draft.id, draft.former_id)


def _address_digest(text: str) -> int:
    return digest64("held address", text)
