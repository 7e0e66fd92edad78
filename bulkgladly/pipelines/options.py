"""Everything about an import but the files and the credentials, and how a run remembers it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from bulkgladly.errors import UsageError
from bulkgladly.formats.contract import ReadOptions
from bulkgladly.records import Mode
from bulkgladly.resources.spec import Policy
from bulkgladly.settings import Limits, Pace

__all__ = ("ImportOptions", "fresh_limits", "restore_options", "storable")

CHOICES = {
    "on_conflict": ("quarantine", "skip", "update", "merge"),
    "on_duplicate": ("reject", "last"),
    "null": ("keep", "clear"),
    "attributes": ("unknown", "merge"),
}


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How an import goes about its records.

    `key` names the column that identifies a row in the source system, `namespace`
    separates source systems whose keys overlap. `on_conflict` is quarantine, skip, update
    or merge; `on_duplicate` reject or last; `null` keep or clear. `phone_region` is how
    national numbers are read. `read_first` reads each profile before it is changed.
    `attributes="merge"` says that a PATCH of some custom attributes leaves the others
    alone, which Gladly does not document; else they are read first.
    `ignore_columns` names columns that are not sent (`*`: all that are unknown).

    Raises:
        UsageError: A word that is no choice.
    """

    mode: Mode = Mode.UPSERT
    key: str | None = None
    namespace: str = "default"
    on_conflict: str = "quarantine"
    on_duplicate: str = "reject"
    null: str = "keep"
    phone_region: str | None = None
    read_first: bool = False
    attributes: str = "unknown"
    ignore_columns: tuple[str, ...] = ()
    reading: ReadOptions = field(default_factory=ReadOptions)
    pace: Pace = field(default_factory=Pace)
    limits: Limits = field(default_factory=Limits)
    state_dir: Path = Path(".bulkgladly")

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "mode", Mode(self.mode))
        except ValueError:
            raise UsageError(f"--mode {self.mode} is no choice; it is one of {', '.join(Mode)}") from None
        for name, allowed in CHOICES.items():
            if (value := getattr(self, name)) not in allowed:
                flag = name.replace("_", "-")
                raise UsageError(f"--{flag} {value} is no choice; it is one of {', '.join(allowed)}")
        if self.phone_region is not None and not _is_region(self.phone_region):
            raise UsageError(f"--phone-region {self.phone_region} is no country code; it has two letters, such as GB")

    def policy(self, host: str) -> Policy:
        """Return the part that decides what happens to a record."""
        return Policy(
            host=host,
            mode=Mode(self.mode),
            namespace=self.namespace,
            key=self.key,
            on_conflict=self.on_conflict,
            on_duplicate=self.on_duplicate,
            null=self.null,
            phone_region=self.phone_region,
            read_first=self.read_first,
            attributes=self.attributes,
        )


def storable(options: ImportOptions) -> dict[str, Any]:
    """Return the options as JSON can hold them, for `run.json`. There is no secret among them."""
    found = asdict(options)
    del found["state_dir"]  # the run lies in it
    return found


def restore_options(stored: Mapping[str, Any], state_dir: Path) -> ImportOptions:
    """Return the options that a run was begun with; names that are not known any more are dropped."""
    values = _known(ImportOptions, stored)
    values["mode"] = Mode(values.get("mode", Mode.UPSERT))
    values["ignore_columns"] = tuple(values.get("ignore_columns", ()))
    for name, kind in (("reading", ReadOptions), ("pace", Pace), ("limits", Limits)):
        values[name] = kind(**_known(kind, values.get(name, {})))
    return ImportOptions(**{**values, "state_dir": state_dir})


def fresh_limits(limits: Limits) -> Limits:
    """Return the limits for a further session: time, requests and rows count anew, or are gone."""
    return replace(limits, max_duration_s=None, max_requests=None, max_rows=None)


def _known(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    names = {item.name for item in fields(kind)}
    return {name: value for name, value in values.items() if name in names}


def _is_region(text: str) -> bool:
    import phonenumbers  # noqa: PLC0415 - large, and only needed where a region is given

    return text.upper() in phonenumbers.SUPPORTED_REGIONS
