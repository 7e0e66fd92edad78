"""What a data set says that Gladly holds, in place of a look: for `--baseline`.

The data set is read once, into an index in the folder of the run (`baseline_rows`, `baseline_index`); a resume uses
that index, whatever has become of the data set. What it says is as old as the data set, so it never proves anything:
see docs/baseline.md for what can go wrong.
"""

import datetime as dt
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from bulkgladly.errors import JournalDamaged, UsageError
from bulkgladly.gladly.baseline_plan import BaselinePlan, accepted_by, unread_in
from bulkgladly.gladly.identity import digest64
from bulkgladly.gladly.spec import Draft, ImportSpec, Policy
from bulkgladly.gladly.table import IMPORTS
from bulkgladly.imports.baseline_index import ASKED, BaselineIndex, HeldObject, id_digest
from bulkgladly.records import Known, Mode
from bulkgladly.runs.observer import counted, duration_text

__all__ = ("OLD", "Baseline", "BaselineFindings", "check_baseline", "told_lines")

INDEX = "baseline.sqlite"
OLD = dt.timedelta(days=7)
"""Beyond this age of its newest row, a data set is called old."""
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(slots=True)
class BaselineFindings:
    """What a data set was worth for the rows so far.

    `matched` counts rows by what they were matched by (`id`, `email`, `phone`). `ambiguous` rows have addresses of
    several objects, or of one that another row has matched; `left` are those that the conflict policy decides.
    `lacking` counts rows by a field that they have and the data set lacks. `asked` counts all rows that earlier runs
    did not know.
    """

    lake: str
    data_sets: tuple[str, ...]
    objects: int
    oldest: dt.datetime | None
    newest: dt.datetime | None
    empty: tuple[str, ...] = ()
    asked: int = 0
    matched: Counter[str] = field(default_factory=Counter[str])
    ambiguous: int = 0
    left: int = 0
    lacking: Counter[str] = field(default_factory=Counter[str])
    read_first: int = 0
    """Rows of which a field is lacking, so that they are read first."""

    @property
    def age(self) -> dt.timedelta | None:
        """How long ago the newest row was fetched."""
        return None if self.newest is None else dt.datetime.now(dt.UTC) - self.newest

    def as_dict(self) -> dict[str, Any]:
        """Return it in the form of `report.json`."""
        return {
            "lake": self.lake,
            "data_sets": list(self.data_sets),
            "objects": self.objects,
            "oldest": self.oldest and self.oldest.isoformat(timespec="seconds"),
            "newest": self.newest and self.newest.isoformat(timespec="seconds"),
            "asked": self.asked,
            "matched": dict(self.matched),
            "ambiguous": self.ambiguous,
            "left_to_policy": self.left,
            "lacking": dict(self.lacking),
            "read_first": self.read_first,
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
            f"--baseline: {spec.name} cannot be compared with a data set, since no data set holds all that an import "
            f"of them writes; leave it out (it works for {objects})"
        )
    if policy.mode not in (Mode.UPSERT, Mode.UPDATE):
        raise UsageError(
            f"--baseline is for --mode upsert and update; a data set is too old to {policy.mode.value} anything by it"
        )
    from bulkgladly.imports.baseline_rows import pinned  # noqa: PLC0415 - loads Arrow, which only data sets need

    pinned(lake, spec.baseline, policy.host)
    return spec.baseline


class Baseline:
    """Says of drafts what a data set has of them. Used by one thread at a time; close it after use."""

    def __init__(self, index: BaselineIndex, plan: BaselinePlan, policy: Policy) -> None:
        """Use an index; `opened` builds it if needed."""
        self._index, self._plan, self._policy = index, plan, policy
        about = index.about
        self._taken = bytearray(int(about["rows"]) // 8 + 1)
        """One bit for each object: whether a row was matched with it by an address."""
        self.findings = BaselineFindings(
            lake=str(about["lake"]),
            data_sets=tuple(about["data_sets"]),
            objects=int(about["objects"]),
            oldest=_moment(about["oldest"]),
            newest=_moment(about["newest"]),
            empty=tuple(about["empty"]),
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
    ) -> Self | None:
        """Return the baseline of a data folder, with its index in `folder`; None if it was stopped.

        An index that is there is used again, and the data folder is not even opened. A kill leaves no index, or a
        whole one.

        Raises:
            DiskFull, JournalError: The index cannot be written.
            InputError, UsageError: As `check_baseline`, or a part of the data set is damaged.
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
            return None
        return cls(BaselineIndex(path), plan, policy)

    def preview(self) -> "Baseline":
        """Return a baseline with the same index, for an estimate: what is asked of it does not count here."""
        return Baseline(self._index, self._plan, self._policy)

    def close(self, *, remove: bool = False) -> None:
        """Close the index; with `remove`, delete it as well."""
        if remove:
            self._index.remove()
        else:
            self._index.close()

    def add(self, drafts: Sequence[Draft], known: Sequence[Known | None]) -> list[Known | None]:
        """Return what is known of each draft, with what the data set says of those that earlier runs do not know.

        What earlier runs know stays; only fields of which they know nothing are added.

        Raises:
            JournalDamaged: The index cannot be read.
        """
        result = list(known)
        wanted = [at for at, (draft, one) in enumerate(zip(drafts, known, strict=True)) if _is_open(draft, one)]
        if not wanted:
            return result
        by_id = self._index.by_id(list({digest for at in wanted for digest in _ids_of(drafts[at], known[at])}))
        strangers: list[int] = []
        for at in wanted:
            draft, one = drafts[at], known[at]
            self.findings.asked += one is None
            held = self._held_by_id(draft, one, by_id)
            # A row with an id of its own means the object with that id, whoever has its addresses.
            if one is None and not draft.has_own_id and self._plan.has_addresses:
                strangers.append(at)
            if held is not None:
                result[at] = self._known(draft, one, held, by="id")
        if strangers:
            self._match_by_address(drafts, strangers, result)
        return result

    def _held_by_id(self, draft: Draft, known: Known | None, found: Mapping[int, HeldObject]) -> HeldObject | None:
        ids = (known.gladly_id,) if known is not None else (draft.id, draft.former_id)
        for one in ids:
            held = None if one is None else found.get(id_digest(one))
            if held is not None and one in (held.held["id"], held.held.get(ASKED)):
                return held
        return None

    def _known(self, draft: Draft, known: Known | None, found: HeldObject, *, by: str) -> Known:
        """Return what is known of a draft that a held object was found for, and count it."""
        held, plan, at = found.held, self._plan, found.at / 1_000_000
        prints = draft.fingerprints
        unread = unread_in(plan, held, draft.payload, is_whole=found.is_whole)
        accepted = accepted_by(plan, held, draft.payload, prints, unread)
        if known is not None:
            # Earlier runs have sent the other fields, and what they remember is newer than any data set.
            accepted = {name: print_ for name, print_ in accepted.items() if name not in known.accepted}
            unread = tuple(name for name in unread if name not in known.accepted)
            accepted = {**known.accepted, **accepted}
        else:
            self.findings.matched[by] += 1
        if unread:
            self.findings.read_first += 1
            self.findings.lacking.update(unread)
        gladly_id = known.gladly_id if known is not None else str(held["id"])
        return Known(gladly_id, accepted, held=held, held_at=at, unread=unread)

    # --- rows that no id leads to ---

    def _match_by_address(self, drafts: Sequence[Draft], at: Iterable[int], result: list[Known | None]) -> None:
        if not self._index.has_addresses:
            self._index.open_addresses(self._digests_of)
        groups = {one: self._plan.wanted(drafts[one].payload) for one in at}
        digests = {_address_digest(text) for each in groups.values() for group in each for text in group}
        found = self._index.by_address(list(digests))
        for one, wanted in groups.items():
            match = self._match(wanted, found)
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
                continue
            if held is None or self._is_taken(held.number):
                self.findings.ambiguous += 1
                continue
            result[one] = self._known_by_address(drafts[one], held, kind)

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
        if self._policy.mode is Mode.UPSERT and self._policy.on_conflict in ("skip", "merge"):
            # What is done about the address of another customer was decided by the user; equal content needs nothing.
            differs = unread_in(
                self._plan, found.held, draft.payload, is_whole=found.is_whole
            ) or self._plan.differences(found.held, draft.payload)
            if differs:
                self.findings.left += 1
                return None
        self._taken[found.number >> 3] |= 1 << (found.number & 7)
        return self._known(draft, None, found, by=kind)

    def _is_taken(self, number: int) -> bool:
        return bool(self._taken[number >> 3] & 1 << (number & 7))

    def _digests_of(self, held: Mapping[str, Any]) -> list[int]:
        return [_address_digest(text) for text in self._plan.addresses(held)]


def told_lines(findings: BaselineFindings, rows: int, factor: float, per_second: float) -> list[str]:
    """Return what a data set is worth for `rows` that were looked at, for people.

    The whole input has `factor` times as many rows. Rows that are read first are priced at a pace.
    """
    matched = findings.matched.total()
    by = ", ".join(f"{number:,} by {name}" for name, number in findings.matched.most_common() if number)
    whole = counted(rows, "row") if factor == 1 else f"the first {counted(rows, 'row')}"
    share = f"{matched:,} of {whole} match" + (f" ({by})" if by else "")
    lines = [f"baseline {findings.lake}: {counted(findings.objects, 'object')}{_span(findings)}; {share}"]
    if findings.read_first:
        fields = ", ".join(name for name, _ in findings.lacking.most_common())
        first = round(findings.read_first * factor)
        time = "" if math.isinf(per_second) else f", {duration_text(first / per_second)}"
        lines.append(
            f"baseline: the data set lacks {fields}; {'' if factor == 1 else 'about '}{counted(first, 'row')} "
            f"with such a field are read first{time}"
        )
    if findings.ambiguous:
        lines.append(
            f"baseline: {counted(findings.ambiguous, 'row')} have addresses of several objects, so the data set is "
            "not used for them"
        )
    age = findings.age
    if age is not None and age > OLD:
        lines.append(
            f"baseline: its newest row is {age.days} days old; what people have changed in Gladly since then is not "
            "seen"
        )
    return lines


def _span(findings: BaselineFindings) -> str:
    if findings.oldest is None or findings.newest is None:
        return ""
    first, last = (f"{one:%Y-%m-%d %H:%M}" for one in (findings.oldest, findings.newest))
    return f" of {first} UTC" if first == last else f", fetched {first} to {last} UTC"


def _is_open(draft: Draft, known: Known | None) -> bool:
    """Tell whether a data set can add to what is known of a draft; not while its links are open, or in doubt."""
    if draft.links:
        return False
    return known is None or bool(known.gladly_id and not draft.fingerprints.keys() <= known.accepted.keys())


def _ids_of(draft: Draft, known: Known | None) -> Iterable[int]:
    if known is not None:
        return (id_digest(known.gladly_id),)
    if draft.former_id is None:
        return (id_digest(draft.id),)
    return (id_digest(draft.id), id_digest(draft.former_id))


def _address_digest(text: str) -> int:
    return digest64("held address", text)


def _moment(micros: int | None) -> dt.datetime | None:
    return None if not micros else _EPOCH + dt.timedelta(microseconds=micros)
