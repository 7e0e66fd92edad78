"""The options that say what the rows are and what to do with them: those of `import` and `check`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from bulkgladly.choices import Attributes, FailOn, Missing, MissingNames, Null, OnConflict, OnDuplicate
from bulkgladly.cli import flags
from bulkgladly.cli.flag_groups import FlagGroup
from bulkgladly.cli.flags import CONTACTS_PEOPLE, RECORDS, choices_of, option
from bulkgladly.errors import UsageError
from bulkgladly.records import Mode

if TYPE_CHECKING:
    from bulkgladly.imports.import_options import ImportOptions

__all__ = ("ImportFlags", "RowFlags", "words_of")


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a comma-separated list."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


@dataclass(frozen=True)
class RowFlags(FlagGroup):
    """What the rows are, and how they are imported."""

    mode: Annotated[
        Mode | None,
        option(
            "--mode",
            "What to do with each record. (default: upsert, where the object supports it)",
            RECORDS,
            choices_of(Mode),
        ),
    ] = None
    key: flags.Key = None
    namespace: flags.Namespace = "default"
    on_conflict: flags.OnConflict = OnConflict.QUARANTINE
    on_duplicate: flags.OnDuplicate = OnDuplicate.REJECT
    null: flags.Null = Null.KEEP
    owner: flags.Owners = None
    phone_region: flags.PhoneRegion = None
    invalid_contacts: flags.InvalidContacts = None
    ignore_columns: flags.IgnoreColumns = ""
    map_: flags.MapFile = None
    variables: flags.Variables = None
    transform: flags.Transform = None
    format_: flags.InputFormat = None
    encoding: flags.Encoding = None
    delimiter: flags.Delimiter = None
    skip_lines: flags.SkipLines = None
    sheet: flags.Sheet = None

    def options(self, **more: Any) -> "ImportOptions":
        """Return the options of an import; `more` are those of other groups.

        Raises:
            UsageError: The value of an option is not valid, or the mapping cannot be used.
        """
        from bulkgladly.files.contract import ReadOptions
        from bulkgladly.gladly.owners import owners_from
        from bulkgladly.imports.import_options import ImportOptions
        from bulkgladly.imports.mapping_choice import choose_mapping
        from bulkgladly.mapping.variables import variables_in

        if self.variables and self.map_ is None:
            raise UsageError("--var: is for a mapping; pass --map")

        return ImportOptions(
            mode=self.mode,
            key=self.key,
            namespace=self.namespace,
            on_conflict=self.on_conflict,
            on_duplicate=self.on_duplicate,
            null=self.null,
            owners=owners_from(self.owner or ()),
            phone_region=self.phone_region,
            invalid_contacts=self.invalid_contacts,
            ignore_columns=words_of(self.ignore_columns),
            mapping=choose_mapping(self.map_, self.transform, variables=variables_in(self.variables or ())),
            reading=ReadOptions(
                encoding=self.encoding,
                delimiter=self.delimiter,
                format=self.format_,
                skip_lines=self.skip_lines,
                sheet=self.sheet,
            ),
            **more,
        )


@dataclass(frozen=True)
class ImportFlags(RowFlags):
    """What the rows are, and how they are imported, with the options that only an import has."""

    undoable: Annotated[
        bool,
        option(
            "--undoable",
            "Read what is updated or deleted first, for `undo`.",
            RECORDS,
        ),
    ] = False
    read_first: Annotated[
        bool,
        option("--read-first", "Read each profile before changing it (one more request per changed record).", RECORDS),
    ] = False
    attributes: Annotated[
        Attributes,
        option(
            "--attributes",
            "Whether Gladly merges custom attributes in an update: unknown reads them first, merge relies on it.",
            RECORDS,
            choices_of(Attributes),
        ),
    ] = Attributes.UNKNOWN
    after: flags.After = ""
    missing_names: Annotated[
        MissingNames,
        option(
            "--missing-names",
            "What to do if rows name an inbox, agent, topic or audience that does not exist.",
            RECORDS,
            choices_of(MissingNames),
        ),
    ] = MissingNames.STOP
    force_close: Annotated[
        bool,
        option("--force-close", "Close conversations even if the customer is waiting for a reply.", RECORDS),
    ] = False
    contacts_people: Annotated[bool, CONTACTS_PEOPLE] = False
    show_values: Annotated[
        bool,
        option(
            "--show-values",
            "Show dropped values in warnings.csv, and samples of a plan, as they are, instead of masking them.",
            RECORDS,
        ),
    ] = False
    fail_on: flags.FailOn = None
    complete: Annotated[
        bool,
        option(
            "--complete",
            "Treat the files as complete: list in missing.csv the records that earlier runs have sent and these "
            "files no longer have.",
            RECORDS,
        ),
    ] = False
    missing: Annotated[
        Missing,
        option(
            "--missing",
            "What to do about the records that complete files no longer have: tell lists them, delete also deletes "
            "those that bulkgladly created.",
            RECORDS,
            choices_of(Missing),
        ),
    ] = Missing.TELL
    missing_limit: Annotated[
        float,
        option(
            "--missing-limit",
            "Delete nothing (exit code 3) if more than this percentage of the records of earlier runs is missing.",
            RECORDS,
            "PERCENT",
            min=0,
            max=100,
        ),
    ] = 1.0
    baseline: Annotated[
        Path | None,
        option(
            "--baseline",
            "A data set: send only what differs from it.",
            RECORDS,
            "DIR",
        ),
    ] = None

    def import_options(self, state_dir: Path, **more: Any) -> "ImportOptions":
        """Return the options of an import, as `RowFlags.options` does. `--after` names runs in this state directory."""
        from bulkgladly.imports.import_options import namespaces_after

        return self.options(
            undoable=self.undoable,
            read_first=self.read_first,
            attributes=self.attributes,
            missing_names=self.missing_names,
            after=namespaces_after(state_dir, words_of(self.after)),
            force_close=self.force_close,
            contacts_people=self.contacts_people,
            show_values=self.show_values,
            fail_on=self.fail_on or FailOn.ANY,
            is_complete=self.complete,
            missing=self.missing,
            missing_limit=self.missing_limit,
            baseline=self.baseline,
            state_dir=state_dir,
            **more,
        )
