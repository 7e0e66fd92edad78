"""What an import may write over, and what of it nobody can take back: said before the first request."""

from collections.abc import Iterator
from pathlib import PurePath

from bulkgladly.choices import Owner, closest
from bulkgladly.errors import UsageError
from bulkgladly.files.inputs import Inputs
from bulkgladly.gladly.owners import ATTRIBUTES_FIELD, CONTACT_LISTS, field_of_column
from bulkgladly.gladly.spec import ImportSpec, Policy
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.imports.mapping_choice import mapped_owners, mapping_of
from bulkgladly.records import Mode
from bulkgladly.runs.observer import Estimate, counted, duration_text

__all__ = ("note_on_undo", "notes_on_owners", "refuse_unknown_attributes")


def notes_on_owners(options: ImportOptions) -> Iterator[str]:
    """Yield what a user may not expect of the owners of fields: what replaces the mapping, and what is removed."""
    in_mapping = dict(mapped_owners(options.mapping))
    for field, owner in options.owners:
        if in_mapping.get(field, owner) != owner:
            file = PurePath(options.mapping.file or "").name if options.mapping else ""
            yield f'--owner {field}={owner} replaces owner = "{in_mapping[field]}" in {file}'
    for field, owner in options.all_owners:
        if field in CONTACT_LISTS and owner == Owner.SOURCE and options.mode is not Mode.DELETE:
            yield f"{field} that a row does not name are removed from its customer (owner of {field}: source)"


def refuse_unknown_attributes(options: ImportOptions, inputs: Inputs) -> None:
    """Refuse an owner of an attribute that no file has, if one has nearly the same name.

    Raises:
        UsageError: There is one; without the refusal, the attribute that was meant would have another owner.
    """
    wanted = [field for field, _ in options.owners if field.startswith(f"{ATTRIBUTES_FIELD}.")]
    columns = _columns(options, inputs) if wanted else None
    if columns is None:
        return
    fields = {field_of_column(column) for column in columns}
    for field in wanted:
        meant = None if field in fields else closest(field, fields)
        if meant is not None:
            raise UsageError(f"--owner {field}: no row has this attribute; did you mean {meant}?")


def _columns(options: ImportOptions, inputs: Inputs) -> list[str] | None:
    """Return the flat columns of all rows; None if they are not known before the rows are read."""
    if options.mapping is not None:
        mapping = mapping_of(options.mapping)
        return None if mapping is None or options.mapping.transform is not None else list(mapping.targets)
    headers = [reader.columns() for reader in inputs.readers]
    return None if None in headers else [column for header in headers for column in header or ()]


def note_on_undo(spec: ImportSpec, policy: Policy, estimate: Estimate) -> str | None:
    """Return how many changes nobody can take back; None if there are none.

    What is deleted cannot come back, whatever was read before; what is updated can, if somebody has read it.
    """
    is_deletion = policy.mode is Mode.DELETE
    if policy.undoable and not is_deletion:
        return None
    if estimate.split:
        number = estimate.split.get("to delete" if is_deletion else "to update", 0)
    else:
        number = estimate.to_send if policy.mode in spec.unread else 0
    if not number:
        return None
    about = "" if estimate.rows_exact and not estimate.judged else "about "
    if is_deletion:
        return f"{about}{counted(number, 'deletion')} cannot be taken back"
    them = "it" if number == 1 else "them"
    seconds = number / estimate.per_second
    more = f", about {duration_text(seconds)} more" if seconds >= 1 else ""
    return f"{about}{counted(number, 'update')} cannot be taken back; pass --undoable to read {them} first{more}"
