"""The flags that say what rows are and what is done with them: of `import`, and of `check` before it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bulkgladly.choices import Attributes, MissingNames, Null, OnConflict, OnDuplicate
from bulkgladly.cli import flags
from bulkgladly.cli.flag_groups import FlagGroup
from bulkgladly.records import Mode

if TYPE_CHECKING:
    from bulkgladly.imports.import_options import ImportOptions

__all__ = ("ImportFlags", "RowFlags", "words_of")

_CONTENT, _SAFETY = "What happens to a record", "Safety"


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a comma-separated list."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


@dataclass(frozen=True)
class RowFlags(FlagGroup):
    """What the rows are, and in which way they are imported."""

    mode: Annotated[
        Mode | None,
        typer.Option(
            help="What to do with each record. (default: upsert, where the object supports it)",
            envvar="BULKGLADLY_MODE",
            rich_help_panel=_CONTENT,
        ),
    ] = None
    key: flags.Key = None
    namespace: flags.Namespace = "default"
    on_conflict: flags.OnConflict = OnConflict.QUARANTINE
    on_duplicate: flags.OnDuplicate = OnDuplicate.REJECT
    null: flags.Null = Null.KEEP
    phone_region: flags.PhoneRegion = None
    ignore_columns: flags.IgnoreColumns = ""
    map_: flags.MapFile = None
    transform: flags.Transform = None
    format_: flags.InputFormat = None
    encoding: flags.Encoding = "utf-8"
    delimiter: flags.Delimiter = ","

    def options(self, **more: Any) -> "ImportOptions":
        """Return the options of an import; `more` are those that other flags give.

        Raises:
            UsageError: A flag is not what it should be, or the mapping cannot be used.
        """
        from bulkgladly.files.contract import ReadOptions
        from bulkgladly.imports.import_options import ImportOptions
        from bulkgladly.imports.mapping_choice import choose_mapping

        return ImportOptions(
            mode=self.mode,
            key=self.key,
            namespace=self.namespace,
            on_conflict=self.on_conflict,
            on_duplicate=self.on_duplicate,
            null=self.null,
            phone_region=self.phone_region,
            ignore_columns=words_of(self.ignore_columns),
            mapping=choose_mapping(self.map_, self.transform),
            reading=ReadOptions(encoding=self.encoding, delimiter=self.delimiter, format=self.format_),
            **more,
        )


@dataclass(frozen=True)
class ImportFlags(RowFlags):
    """What the rows are, and all that an import can be told about them."""

    read_first: Annotated[
        bool,
        typer.Option(
            "--read-first",
            help="Read each profile before changing it (one more request per changed record).",
            envvar="BULKGLADLY_READ_FIRST",
            rich_help_panel=_CONTENT,
        ),
    ] = False
    attributes: Annotated[
        Attributes,
        typer.Option(
            help="Whether Gladly merges custom attributes in an update: unknown reads them first, merge relies on it.",
            envvar="BULKGLADLY_ATTRIBUTES",
            rich_help_panel=_CONTENT,
        ),
    ] = Attributes.UNKNOWN
    after: Annotated[
        str,
        typer.Option(
            help="Comma-separated earlier runs whose source keys the rows refer to (customerKey, taskKey, ...).",
            envvar="BULKGLADLY_AFTER",
            rich_help_panel=_CONTENT,
        ),
    ] = ""
    missing_names: Annotated[
        MissingNames,
        typer.Option(
            help="What to do when rows name an inbox, agent, topic or audience that does not exist.",
            envvar="BULKGLADLY_MISSING_NAMES",
            rich_help_panel=_CONTENT,
        ),
    ] = MissingNames.STOP
    force_close: Annotated[
        bool,
        typer.Option(
            "--force-close",
            help="Close conversations even if the customer is waiting for a reply.",
            envvar="BULKGLADLY_FORCE_CLOSE",
            rich_help_panel=_CONTENT,
        ),
    ] = False
    contacts_people: Annotated[
        bool,
        typer.Option(
            "--i-know-this-contacts-people",
            help="Allow sms, emails, replies and recipient-collections. One record is sent first, for you to check.",
            rich_help_panel=_SAFETY,
        ),
    ] = False

    def import_options(self, state_dir: Path, **more: Any) -> "ImportOptions":
        """Return the options of an import into this state directory, as `RowFlags.options` does."""
        from bulkgladly.imports.import_options import namespaces_after

        return self.options(
            read_first=self.read_first,
            attributes=self.attributes,
            missing_names=self.missing_names,
            after=namespaces_after(state_dir, words_of(self.after)),
            force_close=self.force_close,
            contacts_people=self.contacts_people,
            state_dir=state_dir,
            **more,
        )
