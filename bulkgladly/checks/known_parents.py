"""The objects that rows may refer to: those in files that the user names, and those of earlier imports."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bulkgladly.checks.claims import RowReference
from bulkgladly.checks.digests import Digests
from bulkgladly.errors import UsageError
from bulkgladly.files.contract import ReadOptions
from bulkgladly.files.inputs import Inputs
from bulkgladly.gladly.identity import digest64
from bulkgladly.gladly.spec import ImportSpec, Policy
from bulkgladly.journal.state import known_keys
from bulkgladly.source_keys import NotAKey, read_key

__all__ = ("Parents", "digest_of_key", "files_by_resource")

_ROWS_AT_ONCE = 2048


class Parents:
    """Compares the objects that rows refer to with the objects that are known.

    Source keys are judged if there is a file of these objects, or if the state knows keys of them.
    Ids are judged only with a file, because Gladly may hold others. The rest is counted.
    """

    def __init__(self, folder: Path) -> None:
        """Keep hashes in `folder`, an empty one of the caller's."""
        self._there = Digests(folder / "there")
        self._wanted = Digests(folder / "wanted")
        self._planned: list[Digests] = []
        self._judged: set[tuple[str, bool]] = set()
        self._not_judged: dict[tuple[str, bool], int] = {}

    def add_file(self, resource: str, file: str, key: str | None) -> None:
        """Add the ids and source keys of a file. `key` is the column of the key; without it, the id is the key.

        Raises:
            InputError: It cannot be read.
            UsageError: It has neither the column nor ids.
        """
        found = False
        for rows in Inputs.open([file], ReadOptions()).batches(size=_ROWS_AT_ONCE):
            for row in rows:
                digests = list(_own_digests(resource, row.fields or {}, key))
                found = found or bool(digests)
                self._there.add(0, digests)  # which row it was is of no use here
        if not found:
            columns = f"neither a column {key} nor" if key else "no column"
            raise UsageError(f"{file}: has {columns} id, so it identifies no {resource}; pass --parents-key COLUMN")
        self._judged |= {(resource, True), (resource, False)}

    def add_own(self, resource: str, keys: Iterable[str]) -> None:
        """Add the source keys of the input's own rows, which other rows may name."""
        self._there.add(0, [_digest(resource, key, is_key=True) for key in keys])

    def add_planned(self, resource: str, keys: Digests) -> None:
        """Add the source keys of objects that another import will have created before this one."""
        self._planned.append(keys)
        self._judged.add((resource, True))

    def add_state(self, state: Path, policy: Policy, resources: Iterable[str]) -> None:
        """Add the source keys that the state knows of an organisation.

        Raises:
            JournalDamaged: The state cannot be read.
        """
        for resource in resources:
            for key in known_keys(state, policy.host, resource, policy.namespace_of(resource)):
                self._there.add(0, [_digest(resource, key, is_key=True)])
                self._judged.add((resource, True))

    def want(self, row: int, references: Sequence[RowReference]) -> None:
        """Add the references of a row."""
        for one in references:
            kind = (one.resource, one.is_key)
            if kind in self._judged:
                self._wanted.add(row, [_digest(one.resource, one.text, is_key=one.is_key)])
            else:
                self._not_judged[kind] = self._not_judged.get(kind, 0) + 1

    def rows_without(self) -> Iterator[int]:
        """Yield the rows that refer to an unknown object."""
        return self._wanted.absent_from(self._there, *self._planned)

    def missing(self, references: Sequence[RowReference]) -> Iterator[RowReference]:
        """Yield the references of such a row that lead to no known object."""
        for one in references:
            if (one.resource, one.is_key) not in self._judged:
                continue
            # Hashes say which rows to read again; only here is the reference itself compared, in both spellings.
            spellings = [one.text] if one.former is None else [one.text, one.former]
            digests = [_digest(one.resource, text, is_key=one.is_key) for text in spellings]
            if not any(there.holds(digest) for there in (self._there, *self._planned) for digest in digests):
                yield one

    @property
    def not_judged(self) -> Mapping[str, int]:
        """The number of references that could not be judged, by object and kind of reference."""
        return {
            f"{resource} by {'source key' if is_key else 'id'}": count
            for (resource, is_key), count in sorted(self._not_judged.items())
        }


def files_by_resource(named: Sequence[str], spec: ImportSpec) -> list[tuple[str, str]]:
    """Return each `FILE` or `OBJECT=FILE` as a pair of object and file.

    Raises:
        UsageError: The rows refer to no object, or to several and the text names none of them.
    """
    found: list[tuple[str, str]] = []
    for text in named:
        kind, mark, file = text.partition("=")
        if mark and kind in spec.references:
            found.append((kind, file))
        elif len(spec.references) == 1:
            found.append((spec.references[0], text))
        elif not spec.references:
            raise UsageError(f"--parents {text}: {spec.name} do not refer to other objects; remove this option")
        else:
            known = " or ".join(f"{name}=FILE" for name in spec.references)
            raise UsageError(f"--parents {text}: name the object in this file, as {known}")
    return found


def _own_digests(resource: str, fields: Mapping[str, Any], key: str | None) -> Iterator[int]:
    identity, source_key = fields.get("id"), fields.get(key) if key else None
    if identity:
        yield _digest(resource, str(identity), is_key=False)
    try:
        found = read_key(identity if source_key in (None, "") else source_key)
    except NotAKey:
        return
    yield _digest(resource, found.text, is_key=True)


def digest_of_key(resource: str, key: str) -> int:
    """Return the hash under which the source key of an object is known."""
    return _digest(resource, key, is_key=True)


def _digest(resource: str, text: str, *, is_key: bool) -> int:
    return digest64(f"{resource} {'key' if is_key else 'id'}", text)
