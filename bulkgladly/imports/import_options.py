"""All options of an import, without the files and the credentials."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bulkgladly.choices import (
    Attributes,
    FailOn,
    InvalidContacts,
    Missing,
    MissingNames,
    Null,
    OnConflict,
    OnDuplicate,
    unsupported,
)
from bulkgladly.errors import BulkgladlyError, UsageError
from bulkgladly.files.contract import ReadOptions
from bulkgladly.gladly.owners import Owners, refuse_owners
from bulkgladly.gladly.spec import DEFAULT_MODES, ImportSpec, Policy
from bulkgladly.imports.mapping_choice import MapChoice, dropped_targets, key_of_run, mapped_owners, user_columns
from bulkgladly.journal.runs import all_folders, find_run
from bulkgladly.local_paths import LocalPath, OptionalPath
from bulkgladly.mapping.variables import variable_text
from bulkgladly.records import Mode
from bulkgladly.settings import Limits, Pace

__all__ = ("AppliedPlan", "ImportOptions", "namespaces_after")

CHOICES: Mapping[str, Sequence[str]] = {
    "on_conflict": tuple(OnConflict),
    "on_duplicate": tuple(OnDuplicate),
    "null": tuple(Null),
    "attributes": tuple(Attributes),
    "missing_names": tuple(MissingNames),
    "fail_on": tuple(FailOn),
    "missing": tuple(Missing),
}


@dataclass(frozen=True, slots=True)
class AppliedPlan:
    """The plan that a run applies: its folder, and the hash of its `plan.json`."""

    folder: str
    plan_hash: str


@dataclass(frozen=True)
class ImportOptions:
    """How an import treats its records.

    `key` names the column that identifies a row in the source system; `namespace` separates source systems whose keys
    overlap. `on_conflict` is quarantine, skip, update or merge; `on_duplicate` reject or last; `null` keep or clear.
    `phone_region` is the country of local numbers. `invalid_contacts` is reject or drop, for the emails and phones of
    customers; None leaves it to the mapping, and rejects without one. `show_values` writes dropped values to
    `warnings.csv` as they are, and not masked. `read_first` reads each profile before it is changed. `owners` has the
    owners of fields (`gladly.owners`), before those that the mapping names. `undoable` reads each object before it is
    updated or deleted. `attributes="merge"` says that a PATCH of some custom attributes keeps the others, which Gladly
    does not document; otherwise they are read first. `mode` None means the mildest mode of the object: upsert if it
    has that.
    `missing_names` says what happens if rows name an inbox, agent, topic or audience that does not exist: stop before
    anything is written, or reject these rows. `after` names where source keys of other objects are looked up, as
    (object, namespace) of earlier runs. `force_close` closes conversations although the customer waits for an answer.
    `contacts_people` allows sending messages to people. `ignore_columns` names columns that are not sent (`*`: all
    unknown ones). `fail_on` (any, new, none) says which rejects make a finished run end with exit code 1: all of them,
    those that no earlier run had for the same reason, or none. `is_complete` says that the files are all there is, so
    that what earlier runs have sent and these files lack is told; `missing="delete"` deletes it when the run is
    complete, unless it is more than `missing_limit` percent of what they have sent. `baseline` is a data set that says
    what Gladly held of objects which no earlier run has sent, so that only differences are sent. `mapping` makes the
    records from rows of another form; `key` is then a column of those rows. `plan` is the plan that the import
    applies; `apply` sets it.

    Raises:
        UsageError: A value is not supported, or a path is a URL.
    """

    mode: Mode | None = None
    key: str | None = None
    namespace: str = "default"
    on_conflict: str = "quarantine"
    on_duplicate: str = "reject"
    null: str = "keep"
    phone_region: str | None = None
    invalid_contacts: str | None = None
    show_values: bool = False
    read_first: bool = False
    owners: Owners = ()
    undoable: bool = False
    attributes: str = "unknown"
    missing_names: str = "stop"
    after: tuple[tuple[str, str], ...] = ()
    force_close: bool = False
    contacts_people: bool = False
    ignore_columns: tuple[str, ...] = ()
    fail_on: str = "any"
    is_complete: bool = False
    missing: str = "tell"
    missing_limit: float = 1.0
    baseline: OptionalPath = OptionalPath()
    mapping: MapChoice | None = None
    plan: AppliedPlan | None = None
    reading: ReadOptions = field(default_factory=ReadOptions)
    pace: Pace = field(default_factory=Pace)
    limits: Limits = field(default_factory=Limits)
    state_dir: LocalPath = LocalPath(".bulkgladly")

    def __post_init__(self) -> None:
        if self.mode is not None:
            try:
                object.__setattr__(self, "mode", Mode(self.mode))
            except ValueError:
                raise UsageError(f"--mode: {unsupported(str(self.mode), Mode)}") from None
        for name, allowed in CHOICES.items():
            if (value := getattr(self, name)) not in allowed:
                flag = name.replace("_", "-")
                raise UsageError(f"--{flag}: {unsupported(str(value), allowed)}")
        if self.invalid_contacts is not None and self.invalid_contacts not in tuple(InvalidContacts):
            raise UsageError(f"--invalid-contacts: {unsupported(self.invalid_contacts, InvalidContacts)}")
        if self.is_complete and self.mode is Mode.DELETE:
            raise UsageError(
                "--complete finds records that the files no longer have; it cannot be used with --mode delete"
            )
        if self.missing != Missing.TELL and not self.is_complete:
            raise UsageError("--missing delete works only with --complete; pass --complete as well")
        if not 0 <= self.missing_limit <= 100:
            raise UsageError(f"--missing-limit {self.missing_limit:g} is not a percentage; use 0 to 100, such as 1")
        if self.phone_region is not None and not _is_region(self.phone_region):
            raise UsageError(f"--phone-region {self.phone_region} is not a country code; use two letters, such as GB")

    @property
    def drops(self) -> tuple[str, ...]:
        """The columns whose values are left out if they are not valid."""
        return dropped_targets(self.mapping, self.invalid_contacts)

    @property
    def all_owners(self) -> Owners:
        """The owners of fields by the mapping and the options, which go before it."""
        return tuple((dict(mapped_owners(self.mapping)) | dict(self.owners)).items())

    def flags(self, spec: ImportSpec) -> list[str]:
        """Return the flags with which another import treats its records in the same way, without pace and limits."""
        mapping = self.mapping or MapChoice()
        usual_mode = next((mode for mode in DEFAULT_MODES if mode in spec.procedures), None)
        words = [] if self.mode in (None, usual_mode) else ["--mode", str(self.mode)]
        pairs: tuple[tuple[str, str | None, str | None], ...] = (
            ("--key", self.key, None),
            ("--namespace", self.namespace, "default"),
            ("--on-conflict", self.on_conflict, "quarantine"),
            ("--on-duplicate", self.on_duplicate, "reject"),
            ("--null", self.null, "keep"),
            ("--phone-region", self.phone_region, None),
            ("--invalid-contacts", self.invalid_contacts, None),
            ("--ignore-columns", ",".join(self.ignore_columns), ""),
            ("--missing-names", self.missing_names, "stop"),
            ("--attributes", self.attributes, "unknown"),
            ("--map", mapping.file, None),
            ("--transform", mapping.transform, None),
            ("--baseline", None if self.baseline is None else str(self.baseline), None),
        )
        switches = (
            ("--read-first", self.read_first),
            ("--force-close", self.force_close),
            ("--show-values", self.show_values),
            ("--undoable", self.undoable),
        )
        for flag, value, usual in pairs:
            words += [] if value in (None, usual) else [flag, str(value)]
        for field_name, owner in self.owners:
            words += ["--owner", f"{field_name}={owner}"]
        for name, value in mapping.variables:
            words += ["--var", variable_text(name, value)]
        if after := _runs_for(self):
            words += ["--after", ",".join(after)]
        words += [flag for flag, is_set in switches if is_set]
        return words

    def for_resource(self, spec: ImportSpec) -> "ImportOptions":
        """Return the options with the mode in which this object is imported.

        Raises:
            UsageError: The object does not support the mode, or its mode must be named; or a field cannot have the
                owner that was named for it.
        """
        refuse_owners(spec.name, spec.owned, self.owners)
        return replace(self, mode=spec.mode(self.mode))

    def policy(self, host: str) -> Policy:
        """Return the options that decide what happens to a record, as of now."""
        return Policy(
            host=host,
            mode=self.mode or Mode.UPSERT,
            namespace=self.namespace,
            key=key_of_run(self.mapping, self.key),
            on_conflict=self.on_conflict,
            on_duplicate=self.on_duplicate,
            null=self.null,
            phone_region=self.phone_region,
            drops=self.drops,
            columns=user_columns(self.mapping),
            owners=self.all_owners,
            undoable=self.undoable,
            read_first=self.read_first,
            attributes=self.attributes,
            force_close=self.force_close,
            namespaces=self.after,
            now=dt.datetime.now(dt.UTC),
        )


def namespaces_after(state_dir: Path, runs: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return the namespaces in which earlier runs keep their source keys, for `ImportOptions.after`.

    Raises:
        UsageError: A run does not exist or is not an import, or two runs of one object have different namespaces.
    """
    found: dict[str, str] = {}
    for name in runs:
        run = find_run(state_dir, name)
        header = run.header()
        namespace = header.settings.get("namespace")
        if not isinstance(namespace, str):
            raise UsageError(f"run {run.name} is not an import and has no source keys; name an import with --after")
        if found.setdefault(header.resource, namespace) != namespace:
            raise UsageError(f"--after names two imports of {header.resource} with different namespaces; name only one")
    return tuple(found.items())


def _runs_for(options: ImportOptions) -> list[str]:
    """Return the last run for each namespace of other objects that is not the one of these options."""
    wanted = {pair for pair in options.after if pair[1] != options.namespace}
    found: dict[tuple[str, str], str] = {}
    for folder in all_folders(options.state_dir) if wanted else ():
        try:
            header = folder.header()
        except BulkgladlyError:
            continue
        pair = (header.resource, str(header.settings.get("namespace")))
        if pair in wanted:
            found[pair] = folder.name
    return list(found.values())


def _is_region(text: str) -> bool:
    import phonenumbers  # noqa: PLC0415 - large, and only needed where a region is given

    return text.upper() in phonenumbers.SUPPORTED_REGIONS
