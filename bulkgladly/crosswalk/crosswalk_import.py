"""Keys and ids from a file into the state: from an export of the crosswalk, or from another tool."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from bulkgladly.choices import closest
from bulkgladly.crosswalk.crosswalk_export import FINGERPRINTS, UNKNOWN
from bulkgladly.errors import InputError, UsageError
from bulkgladly.files.contract import Reader, ReadOptions
from bulkgladly.files.inputs import Inputs
from bulkgladly.gladly.identity import id_problem
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.gladly.table import import_spec
from bulkgladly.journal.crosswalk import NOTHING, CrosswalkConflict, CrosswalkIntake
from bulkgladly.journal.state_reader import known_hosts
from bulkgladly.records import Row, place_of_row
from bulkgladly.settings import base_url
from bulkgladly.source_keys import NotAKey, read_key

__all__ = ("CrosswalkImported", "CrosswalkSource", "import_crosswalk")

_MOST_TOLD = 10
_KEYS, _IDS = ("key", "source_key"), ("gladly_id",)
_USUAL_NAMESPACE = "default"
_MOST_ID = {"customers": 49}
"""The longest id, where it is known [gladly-api, schemas, conventions]."""
_SAMPLE = 100
_DELETED = "deleted"
"""What `success.ndjson` of a run says of an object that Gladly no longer has."""


@dataclass(frozen=True, slots=True)
class CrosswalkSource:
    """Where keys and ids are read from, and whose they are. What is None is found by the header, or by the state."""

    file: str
    host: str | None = None
    namespace: str | None = None
    key_column: str | None = None
    id_column: str | None = None
    reading: ReadOptions = field(default_factory=ReadOptions)


@dataclass(frozen=True, slots=True)
class CrosswalkImported:
    """What an import of a crosswalk did. If there are `problems`, it did nothing; the first of them are told.

    `repeated` are rows that say the same as an earlier one, `cleaned` keys that were written in another form,
    `shared_ids` ids with several keys, such as those in `shared`. `conflicts` are those of the problems that
    `--replace` would settle. Without fingerprints it is not known what Gladly holds of a new key, so the next row of
    each costs requests, even if it is unchanged.
    """

    host: str
    rows: int
    added: int = 0
    unchanged: int = 0
    replaced: int = 0
    repeated: int = 0
    cleaned: int = 0
    shared_ids: int = 0
    shared: Sequence[str] = ()
    has_fingerprints: bool = False
    problems: int = 0
    conflicts: int = 0
    told: Sequence[str] = ()


def import_crosswalk(
    state_dir: Path, resource: str, source: CrosswalkSource, *, replace: bool = False
) -> CrosswalkImported:
    """Put the keys and ids of a file into the state, all of them or none, and return what was done.

    Nothing is sent. Keys that are known with another id are replaced only with `replace`.

    Raises:
        DiskFull, JournalDamaged, JournalError: The state cannot be used.
        InputError: The file cannot be read, or lacks a column.
        UsageError: The object does not exist, or it is not clear which organisation is meant.
    """
    spec = import_spec(resource)
    inputs = Inputs.open([source.file], source.reading)
    [reader, *others] = inputs.readers
    if others:
        raise UsageError(f"{source.file} matches {len(inputs.readers)} files; import them one after the other")
    columns = _columns_of(reader, source)
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = state_dir / "state.sqlite"
    with CrosswalkIntake(state) as intake:
        reading = _CrosswalkReading(spec, source, columns, inputs.names[0], intake)
        with closing(inputs.batches()) as batches:
            for batch in batches:
                for row in batch:
                    reading.take(row)
        host = reading.host or _only_host(state, spec)
        if reading.problems:
            return CrosswalkImported(host, reading.rows, problems=reading.problems, told=reading.told)
        shared_ids, shared = intake.shared_ids()
        written = intake.write(host, spec.name, replace=replace)
    conflicts = [_conflict_text(inputs.names[0], one) for one in written.first]
    return CrosswalkImported(
        host,
        reading.rows,
        added=written.added,
        unchanged=written.unchanged,
        replaced=written.replaced,
        repeated=reading.repeated,
        cleaned=reading.cleaned,
        shared_ids=shared_ids,
        shared=shared,
        has_fingerprints=columns.fingerprints is not None,
        problems=written.conflicts,
        conflicts=written.conflicts,
        told=conflicts,
    )


def _conflict_text(name: str, one: CrosswalkConflict) -> str:
    known = f"is known as {one.known_id}" if one.known_id else "may have been sent, and its id is not known"
    return f"{place_of_row(name, one.place)}: key {one.key} {known}; the file says {one.gladly_id}"


def _only_host(state: Path, spec: ImportSpec) -> str:
    """Return the organisation into which this object was imported.

    Raises:
        UsageError: There is none, or there are several.
    """
    hosts = known_hosts(state, spec.name)
    if len(hosts) == 1:
        return hosts[0]
    known = f": the state has keys of {', '.join(hosts)}" if hosts else ""
    raise UsageError(
        f"it is not clear which organisation these keys belong to{known}; set GLADLY_HOST, or pass --profile or --host"
    )


# --- the columns of the file ---


class _CrosswalkColumns(NamedTuple):
    key: str
    gladly_id: str
    fingerprints: str | None


def _columns_of(reader: Reader, source: CrosswalkSource) -> _CrosswalkColumns:
    """Return the columns that hold keys and ids.

    Raises:
        InputError: The file has none, or not those that were named.
    """
    columns = reader.columns()
    if columns is None:
        columns = tuple(dict.fromkeys(name for row in reader.sample(_SAMPLE) for name in row.fields or {}))
    key = _column(reader, columns, source.key_column, _KEYS, "--key-column")
    gladly_id = _column(reader, columns, source.id_column, _IDS, "--id-column")
    return _CrosswalkColumns(key, gladly_id, FINGERPRINTS if FINGERPRINTS in columns else None)


def _column(reader: Reader, columns: Sequence[str], named: str | None, usual: Sequence[str], flag: str) -> str:
    if named is not None:
        if named in columns:
            return named
        meant = closest(named, columns)
        hint = f"; did you mean {flag} {meant}?" if meant else f"; it has {', '.join(columns)}"
        raise InputError(f"{reader.path}: no column {named}, which {flag} names{hint}")
    if found := next((name for name in usual if name in columns), None):
        return found
    there = ", ".join(columns) or "none"
    raise InputError(f"{reader.path}: no column {' or '.join(usual)}; pass {flag} COLUMN: the file has {there}")


# --- its rows ---


class _CrosswalkReading:
    """Checks the rows of a file, and gathers them for the state."""

    def __init__(
        self, spec: ImportSpec, source: CrosswalkSource, columns: _CrosswalkColumns, name: str, intake: CrosswalkIntake
    ) -> None:
        self._spec, self._source, self._columns, self._name, self._intake = spec, source, columns, name, intake
        self.host = source.host
        self.rows = self.repeated = self.cleaned = self.problems = 0
        self.told: list[str] = []

    def take(self, row: Row) -> None:
        """Gather a row, or note what is wrong with it."""
        self.rows += 1
        wrong = self._taken(row)
        if wrong is None:
            return
        self.problems += 1
        if len(self.told) < _MOST_TOLD:
            self.told.append(f"{place_of_row(self._name, row.position.number)}: {wrong}")

    def _taken(self, row: Row) -> str | None:
        if row.problem is not None or row.fields is None:
            return row.problem.detail if row.problem is not None else "the row cannot be read"
        fields = row.fields
        if wrong := self._not_meant(fields):
            return wrong
        try:
            key = read_key(fields.get(self._columns.key))
        except NotAKey as error:
            kind = (
                "is empty or holds a placeholder such as N/A"
                if error.code == "key_missing"
                else "is not a text or whole number"
            )
            return f"{self._columns.key} {kind}; every row needs its source key"
        self.cleaned += key.former is not None
        gladly_id = fields.get(self._columns.gladly_id)
        if wrong := self._id_problem(gladly_id, fields):
            return wrong
        accepted = self._accepted(fields)
        if accepted is None:
            return f"{FINGERPRINTS} is not what `crosswalk export` writes; remove the column"
        namespace = str(fields.get("namespace") or self._source.namespace or _USUAL_NAMESPACE)
        earlier = self._intake.add(namespace, key.text, str(gladly_id or ""), accepted, row.position.number)
        if earlier is None:
            return None
        place, other = earlier
        if other == str(gladly_id or ""):
            self.repeated += 1
            return None
        return f"key {key.text} is {gladly_id or 'of unknown outcome'} here, and {other} in line {place}; remove one"

    def _not_meant(self, fields: Mapping[str, Any]) -> str | None:
        """Return why a row is about another organisation, object or namespace than is meant, or about nothing."""
        if fields.get("action") == _DELETED:
            return "was deleted by the run that wrote this file; remove the row"
        if (resource := fields.get("object")) and resource != self._spec.name:
            return f"is about {resource}, not {self._spec.name}; use `crosswalk import {resource}`"
        named = self._source.namespace
        if (namespace := fields.get("namespace")) and named is not None and namespace != named:
            return f"is of namespace {namespace}; leave out --namespace {named} to keep those of the file"
        if not (host := fields.get("host")):
            return None
        try:
            host = base_url(str(host))
        except UsageError:
            return f"{host} is not the address of an organisation"
        self.host = self.host or host
        if host != self.host:
            return f"is of {host}, not {self.host}; ids of one organisation mean nothing in another"
        return None

    def _id_problem(self, gladly_id: Any, fields: Mapping[str, Any]) -> str | None:
        column = self._columns.gladly_id
        if gladly_id is None or gladly_id == "":
            if fields.get("status") == UNKNOWN and self._spec.is_at_most_once:
                return None
            return f"{column} is empty; remove the row, or fill in the id of the object in Gladly"
        if not isinstance(gladly_id, str):
            return f"{column} is not a text"
        wrong = id_problem(gladly_id, most=_MOST_ID.get(self._spec.name))
        return None if wrong is None else f"{column} {gladly_id[:60]}: {wrong}"

    def _accepted(self, fields: Mapping[str, Any]) -> str | None:
        """Return the fingerprints of a row as they are stored; None if they are none."""
        if self._columns.fingerprints is None or not (told := fields.get(self._columns.fingerprints)):
            return NOTHING
        try:
            found = orjson.loads(told) if isinstance(told, str) else told
        except ValueError:
            return None
        is_sound = isinstance(found, dict) and all(isinstance(value, str) for value in found.values())
        return orjson.dumps(found).decode() if is_sound else None
