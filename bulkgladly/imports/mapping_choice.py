"""The mapping of a run: chosen once, checked against the object and the files, and kept in `run.json`."""

import datetime as dt
from collections.abc import Collection, Sequence
from collections.abc import Mapping as Named
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

from bulkgladly.choices import closest
from bulkgladly.errors import InputChanged, UsageError
from bulkgladly.files.contract import Reader, ReadOptions
from bulkgladly.files.csv_files import refuse_wrong_delimiter
from bulkgladly.gladly.owners import Owners
from bulkgladly.gladly.spec import ImportSpec, drops_value_of
from bulkgladly.imports.lookup_tables import changed_lookup, lookup_files, lookup_tables
from bulkgladly.imports.mapping_fit import check_targets, cuts_identity, owners_in, without_cut_identity
from bulkgladly.journal.run_header import InputFile
from bulkgladly.local_paths import AnyPath, local_path
from bulkgladly.mapping.definitions import Given
from bulkgladly.mapping.mapper import KEY_COLUMN, Mapper
from bulkgladly.mapping.mapping import Mapping, parse_mapping, read_mapping
from bulkgladly.mapping.row_values import column
from bulkgladly.mapping.transform import load_transform

__all__ = (
    "MapChoice",
    "check_mapped_columns",
    "choose_mapping",
    "columns_read",
    "droppable_targets",
    "dropped_targets",
    "key_of_run",
    "mapped_owners",
    "mapper_dropping",
    "mapper_for",
    "mapping_of",
    "reading_for",
    "refuse_cut_identity",
    "unchanged_mapping",
    "user_columns",
    "what_changed",
)

CONTACT_TARGETS = ("emails", "phones", "email:*", "phone:*", "email:*:*", "phone:*:*")
"""The columns that hold the contacts of a customer, in both forms of a row."""
_CONTACTS = ("email", "phone", "emails", "phones")


@dataclass(frozen=True, slots=True)
class MapChoice:
    """The mapping file and the transform of a run, as they were when it began.

    `text` is the content of `file`; `has_key` says that it names a key. `transform` is `module:function` in the folder
    `root`, and `digest` the hash of its source. `variables` go before the `[vars]` of the file. `lookups` are the files
    that it looks values up in, and `today` is the day that its dates are relative to, by the clock of this machine.
    """

    file: str | None = None
    text: str = ""
    has_key: bool = False
    transform: str | None = None
    root: str | None = None
    digest: str | None = None
    variables: tuple[tuple[str, str], ...] = ()
    lookups: tuple[InputFile, ...] = ()
    today: dt.date | None = None


def mapping_of(choice: MapChoice | None) -> Mapping | None:
    """Return the mapping of a choice, as its text says; None if it has no file. Its lookups are not opened.

    Raises:
        UsageError: The text is not a valid mapping.
    """
    if choice is None or choice.file is None:
        return None
    return parse_mapping(choice.text, choice.file, _given(choice))


def _given(choice: MapChoice) -> Given:
    # Runs of versions that did not know lookups have no day; their mappings do not need one.
    return Given(dict(choice.variables), today=choice.today or dt.datetime.now(dt.UTC).date())


def _usable(choice: MapChoice) -> Mapping | None:
    """Return the mapping of a choice with its lookups open."""
    mapping = mapping_of(choice)
    if mapping is None or not mapping.lookups:
        return mapping
    tables = lookup_tables(mapping, choice.lookups)
    return parse_mapping(choice.text, mapping.file, replace(_given(choice), tables=tables))


def choose_mapping(
    file: AnyPath | None,
    transform: str | None,
    *,
    variables: Named[str, str] | None = None,
    root: Path | None = None,
) -> MapChoice | None:
    """Return the choice for `--map` and `--transform`, or None if neither is given.

    `variables` go before those that the mapping file sets in `[vars]`. The transform is looked for in `root` first,
    by default in the current folder.

    Raises:
        UsageError: The file or the function cannot be used.
    """
    if file is None and transform is None:
        return None
    choice = MapChoice(variables=tuple((variables or {}).items()))
    if file is not None:
        path = local_path(file, what="--map")
        text = read_mapping(path)
        mapping = parse_mapping(text, str(path), _given(choice))
        choice = replace(
            choice,
            file=str(path.absolute()),
            text=text,
            has_key=mapping.key is not None,
            lookups=lookup_files(mapping),
            today=dt.datetime.now(dt.UTC).date(),
        )
    if transform is not None:
        loaded = load_transform(transform, root)
        choice = replace(choice, transform=transform, root=str(loaded.root), digest=loaded.digest)
    return choice


def unchanged_mapping(choice: MapChoice, *, accept_changed: bool = False) -> MapChoice:
    """Return the mapping and transform that a run continues with: its own, or the current ones with `accept_changed`.

    The day that dates are relative to stays that on which the run began.

    A deleted mapping file is not a change, since the run has kept its text.

    Raises:
        InputChanged: The mapping, the transform or a file of a lookup has changed since the run began.
        InputError: A file of a lookup cannot be read.
    """
    file = None if choice.file is None else Path(choice.file)
    now = choice
    if file is not None and file.exists() and (text := read_mapping(file)) != choice.text:
        now = replace(now, text=text)
    if choice.transform is not None:
        digest = load_transform(choice.transform, Path(choice.root or ".")).digest
        now = replace(now, digest=digest)
    mapping = mapping_of(now)
    now = replace(now, lookups=lookup_files(mapping))
    if not accept_changed and (changed := what_changed(choice, now)) is not None:
        raise InputChanged(
            f"{changed} has changed since the run began; restore the old one, start a new run with --new-run, "
            "or continue at your own risk with --accept-changed-input"
        )
    return now if mapping is None else replace(now, has_key=mapping.key is not None)


def what_changed(before: MapChoice, now: MapChoice) -> str | None:
    """Return what of a mapping is not as it was, in words for people; None if nothing has changed."""
    if now.text != before.text:
        return f"the mapping {before.file}"
    if now.digest != before.digest:
        return f"the source of {before.transform}"
    path = changed_lookup(before.lookups, now.lookups)
    return None if path is None else f"{path}, which the mapping looks values up in,"


def key_of_run(choice: MapChoice | None, key: str | None) -> str | None:
    """Return the column that holds the source key of records; `key` is the user's own column."""
    if choice is None or choice.file is None:
        return key
    return KEY_COLUMN if key is not None or choice.has_key else None


@overload
def mapper_for(
    choice: MapChoice, spec: ImportSpec, key: str | None, *, drops: Collection[str] | None = None
) -> Mapper: ...
@overload
def mapper_for(
    choice: MapChoice | None, spec: ImportSpec, key: str | None, *, drops: Collection[str] | None = None
) -> Mapper | None: ...
def mapper_for(
    choice: MapChoice | None, spec: ImportSpec, key: str | None, *, drops: Collection[str] | None = None
) -> Mapper | None:
    """Return what makes records of an object from the user's rows, or None if the rows are records already.

    The files that the mapping looks values up in are read here, once.

    `drops` are the columns whose values are left out if they are not valid; by default those that the mapping names.
    An id or an address that is too long rejects its row, whatever the mapping says: runs of earlier versions can be
    resumed with mappings that would cut it.

    Raises:
        UsageError: The mapping is for another object, fills a field that this one does not have, or makes several
            records from a row without a key.
    """
    if choice is None:
        return None
    mapping = _usable(choice)
    transform = None if choice.transform is None else load_transform(choice.transform, Path(choice.root or "."))
    if mapping is not None:
        check_targets(mapping, spec)
        if mapping.splits and mapping.key is None and key is None:
            raise UsageError(
                f"{mapping.file}: makes several records from a row, so every row needs its own key: "
                'add key = "<column>" to the file, or pass --key'
            )
        mapping = without_cut_identity(mapping, spec)
    nested = [*(item.field for item in spec.columns.lists), *filter(None, [spec.columns.open_map])]
    mapper = Mapper(mapping, transform, key=None if key is None else column(key), nested=nested)
    return mapper if drops is None else mapper_dropping(mapper, drops)


def mapper_dropping(mapper: Mapper, drops: Collection[str]) -> Mapper:
    """Return a mapper with the same lookups that leaves out values of these columns if they are not valid."""
    return mapper.dropping(lambda target: drops_value_of(target, drops))


def reading_for(choice: MapChoice | None, reading: ReadOptions) -> ReadOptions:
    """Return how files are read for a mapping: one that goes through the list of an API's page gets the whole page."""
    if choice is None:
        return reading
    if choice.transform is not None:
        return replace(reading, has_pages=True)
    mapping = mapping_of(choice)
    each = None if mapping is None else mapping.each
    return reading if each is None else replace(reading, has_pages=True, page_lists=each.source.columns)


def dropped_targets(choice: MapChoice | None, invalid_contacts: str | None) -> tuple[str, ...]:
    """Return the columns whose values are left out of a record if they are not valid, by the mapping and the option.

    The option is about the contacts of customers, and goes before what the mapping says about them.
    """
    mapping = mapping_of(choice)
    found = [] if mapping is None else [rule.target for rule in mapping.rules if rule.drops]
    if invalid_contacts is not None:
        found = [target for target in found if target.partition(":")[0] not in _CONTACTS]
        found += CONTACT_TARGETS if invalid_contacts == "drop" else ()
    return tuple(found)


def mapped_owners(choice: MapChoice | None) -> Owners:
    """Return the owners that the mapping names for Gladly's fields."""
    mapping = mapping_of(choice)
    return () if mapping is None else owners_in(mapping)


def droppable_targets(choice: MapChoice | None, spec: ImportSpec) -> tuple[str, ...]:
    """Return the columns whose values could be left out: every optional one, but only contacts without a mapping."""
    plan = spec.columns
    if choice is None or choice.file is None:
        return CONTACT_TARGETS if any(one.prefix in _CONTACTS for one in plan.lists) else ()
    found = list(plan.scalars)
    for one in plan.lists:
        found += [one.field, f"{one.prefix}:*", f"{one.prefix}:*:*"]
    if plan.open_map:
        found += [plan.open_map, f"{plan.open_prefix}:*", f"{plan.open_prefix}:*:*"]
    return tuple(target for target in found if spec.is_optional(target))


def user_columns(choice: MapChoice | None) -> tuple[tuple[str, str], ...]:
    """Return the user's columns by the columns that the mapping fills from them."""
    mapping = mapping_of(choice)
    if mapping is None:
        return ()
    return tuple((rule.target, rule.source_name) for rule in mapping.rules if rule.source_name)


def columns_read(choice: MapChoice, key: str | None) -> tuple[str, ...]:
    """Return the columns of the user's rows that this mapping and the key read."""
    mapping = mapping_of(choice)
    if mapping is None:
        return ()
    names: list[str] = [*mapping.columns, *([] if key is None else [key])]
    return tuple(dict.fromkeys(names))


def check_mapped_columns(choice: MapChoice, readers: Sequence[Reader], key: str | None) -> None:
    """Check that each file with a header has the columns that the mapping reads.

    With a transform, or in JSON files, the columns are not known in advance; there a missing column is empty.

    Raises:
        UsageError: One is missing; the message names it and the file, and suggests a similar one.
    """
    if choice.transform is not None or choice.file is None:
        return
    needed = columns_read(choice, key)
    for reader in readers:
        columns = reader.columns()
        missing = [] if columns is None else [name for name in needed if name not in columns]
        if missing:
            refuse_wrong_delimiter(reader)
            meant = closest(missing[0], columns or ())
            hint = f" (did you mean {meant}?)" if meant else ""
            raise UsageError(
                f"{reader.path}: no column {missing[0]}{hint}, which {choice.file} reads; correct the mapping"
            )


def refuse_cut_identity(choice: MapChoice, spec: ImportSpec) -> None:
    """Refuse a mapping that would cut or split a field that identifies an object or a person.

    Raises:
        UsageError: It would; the message names the field and the fix.
    """
    mapping = mapping_of(choice)
    for rule in () if mapping is None else mapping.rules:
        if cuts_identity(rule, spec) and rule.length is not None:
            raise UsageError(
                f'{choice.file}: [fields] "{rule.target}" too_long = "{rule.length.policy}": this field identifies an '
                "object or a person, and a shorter value would identify another one; remove max and too_long"
            )
