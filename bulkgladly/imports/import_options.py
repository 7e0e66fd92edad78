"""Everything about an import but the files and the credentials."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bulkgladly.choices import Attributes, MissingNames, Null, OnConflict, OnDuplicate, unsupported
from bulkgladly.errors import UsageError
from bulkgladly.files.contract import ReadOptions
from bulkgladly.gladly.spec import Policy, ResourceSpec
from bulkgladly.imports.mapping_choice import MapChoice, key_of_run
from bulkgladly.journal.runs import find_run
from bulkgladly.local_paths import LocalPath
from bulkgladly.records import Mode
from bulkgladly.settings import Limits, Pace

__all__ = ("ImportOptions", "namespaces_after")

CHOICES: Mapping[str, Sequence[str]] = {
    "on_conflict": tuple(OnConflict),
    "on_duplicate": tuple(OnDuplicate),
    "null": tuple(Null),
    "attributes": tuple(Attributes),
    "missing_names": tuple(MissingNames),
}


@dataclass(frozen=True)
class ImportOptions:
    """How an import goes about its records.

    `key` names the column that identifies a row in the source system, `namespace`
    separates source systems whose keys overlap. `on_conflict` is quarantine, skip, update
    or merge; `on_duplicate` reject or last; `null` keep or clear. `phone_region` is how
    national numbers are read. `read_first` reads each profile before it is changed.
    `attributes="merge"` says that a PATCH of some custom attributes leaves the others
    alone, which Gladly does not document; else they are read first.
    `mode` None stands for the mildest mode that the resource has: upsert where it can.
    `missing_names` says what happens when rows name an inbox, agent, topic or audience that
    is not there: stop before anything is written, or reject these rows. `after` names earlier
    runs in whose namespaces source keys of other objects are looked up, as (resource,
    namespace). `force_close` closes conversations although the customer waits for an answer.
    `contacts_people` allows what sends messages to people.
    `ignore_columns` names columns that are not sent (`*`: all that are unknown).
    `mapping` makes the records from rows of another form; `key` is then a column of those.

    Raises:
        UsageError: A word that is not supported, or a URL for a path.
    """

    mode: Mode | None = None
    key: str | None = None
    namespace: str = "default"
    on_conflict: str = "quarantine"
    on_duplicate: str = "reject"
    null: str = "keep"
    phone_region: str | None = None
    read_first: bool = False
    attributes: str = "unknown"
    missing_names: str = "stop"
    after: tuple[tuple[str, str], ...] = ()
    force_close: bool = False
    contacts_people: bool = False
    ignore_columns: tuple[str, ...] = ()
    mapping: MapChoice | None = None
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
        if self.phone_region is not None and not _is_region(self.phone_region):
            raise UsageError(f"--phone-region {self.phone_region} is no country code; it has two letters, such as GB")

    def for_resource(self, spec: ResourceSpec) -> "ImportOptions":
        """Return the options with the mode in which this resource is imported.

        Raises:
            UsageError: The resource has no such mode, or none that goes without saying.
        """
        return replace(self, mode=spec.mode(self.mode))

    def policy(self, host: str) -> Policy:
        """Return the part that decides what happens to a record, as of now."""
        return Policy(
            host=host,
            mode=self.mode or Mode.UPSERT,
            namespace=self.namespace,
            key=key_of_run(self.mapping, self.key),
            on_conflict=self.on_conflict,
            on_duplicate=self.on_duplicate,
            null=self.null,
            phone_region=self.phone_region,
            read_first=self.read_first,
            attributes=self.attributes,
            force_close=self.force_close,
            namespaces=self.after,
            now=dt.datetime.now(dt.UTC),
        )


def namespaces_after(state_dir: Path, runs: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return where the source keys that earlier runs brought in are remembered, for `ImportOptions.after`.

    Raises:
        UsageError: There is no such run, it is no import, or two runs of one resource have
            different namespaces.
    """
    found: dict[str, str] = {}
    for name in runs:
        run = find_run(state_dir, name)
        if run is None:
            raise UsageError(f"there is no run {name!r} in {state_dir}")
        header = run.header()
        namespace = header.settings.get("namespace")
        if not isinstance(namespace, str):
            raise UsageError(f"run {run.name} is no import, so it knows no source keys; --after needs one")
        if found.setdefault(header.resource, namespace) != namespace:
            raise UsageError(f"--after names two imports of {header.resource} with different namespaces; name one")
    return tuple(found.items())


def _is_region(text: str) -> bool:
    import phonenumbers  # noqa: PLC0415 - large, and only needed where a region is given

    return text.upper() in phonenumbers.SUPPORTED_REGIONS
