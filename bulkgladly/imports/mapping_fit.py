"""Whether a mapping fits the object that it is for: its fields exist, and what identifies somebody stays whole."""

from dataclasses import replace

from bulkgladly.errors import UsageError
from bulkgladly.files.columns import unknown_columns
from bulkgladly.files.layouts import suggestion
from bulkgladly.gladly.owners import Owners, field_of_column, refuse_owners
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.mapping.field_lengths import Length
from bulkgladly.mapping.field_rules import FieldRule
from bulkgladly.mapping.mapping import Mapping

__all__ = ("check_targets", "cuts_identity", "owners_in", "without_cut_identity")


def cuts_identity(rule: FieldRule, spec: ImportSpec) -> bool:
    """Tell whether a rule would cut or split a value that identifies an object or a person."""
    return rule.length is not None and rule.length.policy != "reject" and spec.is_identity(rule.target)


def without_cut_identity(mapping: Mapping, spec: ImportSpec) -> Mapping:
    """Return a mapping that rejects what it would have cut of values that identify an object or a person."""
    rules = tuple(
        replace(rule, length=Length(rule.length.most)) if rule.length and cuts_identity(rule, spec) else rule
        for rule in mapping.rules
    )
    return replace(mapping, rules=rules)


def _refuse_drop(mapping: Mapping, target: str, spec: ImportSpec) -> None:
    drops = any(rule.drops for rule in mapping.rules if rule.target == target)
    if drops and not spec.is_optional(target):
        raise UsageError(
            f'{mapping.file}: [fields] "{target}" on_error = "drop": without this field, {spec.name} cannot be sent or '
            "would be matched with other records; remove on_error"
        )


def owners_in(mapping: Mapping) -> Owners:
    """Return the owners that a mapping names, by Gladly's fields.

    Raises:
        UsageError: Two targets of one field have different owners.
    """
    found: dict[str, tuple[str, str]] = {}
    for rule in mapping.rules:
        if rule.owner is None:
            continue
        field = field_of_column(rule.target)
        target, owner = found.setdefault(field, (rule.target, rule.owner))
        if owner != rule.owner:
            raise UsageError(
                f'{mapping.file}: [fields] "{rule.target}" owner = "{rule.owner}": {target} is of the same field '
                f'({field}) and says owner = "{owner}"; use one owner for both'
            )
    return tuple((field, owner) for field, (_, owner) in found.items())


def check_targets(mapping: Mapping, spec: ImportSpec) -> None:
    """Check that a mapping is for an object and fills only fields that it has.

    Raises:
        UsageError: It does not; the message names the field and the fix.
    """
    if mapping.to != spec.name:
        raise UsageError(f"{mapping.file}: is a mapping to {mapping.to}, not to {spec.name}; use another file")
    for rule in mapping.rules:
        if rule.owner is not None:
            owners = ((field_of_column(rule.target), rule.owner),)
            where = f'{mapping.file}: [fields] "{rule.target}" owner'
            refuse_owners(spec.name, spec.owned, owners, where=where)
    for target in mapping.targets:
        _refuse_drop(mapping, target, spec)
        unknown = unknown_columns([target.replace("*", "1")], spec.columns)
        if unknown:
            meant = suggestion(unknown[0], spec.columns)
            hint = f"did you mean {meant}? " if meant else ""
            raise UsageError(
                f'{mapping.file}: [fields] "{target}": {spec.name} have no such field; {hint}'
                f"`bulkgladly schema show {spec.name}` lists them"
            )
