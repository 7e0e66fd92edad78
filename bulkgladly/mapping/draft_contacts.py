"""The fields of a person: names and addresses from their parts, emails, and phones with their types. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence

from bulkgladly.mapping.column_profiles import Profile
from bulkgladly.mapping.draft_fields import DraftSamples, cleaned, fits, without_bad_values
from bulkgladly.mapping.draft_lines import DraftLine, Options, column_reference, source_option
from bulkgladly.mapping.draft_targets import Target, normal_name

__all__ = ("contact_lines", "phone_columns")

_FIRST = ("firstname", "first", "givenname", "forename", "vorname", "prenom")
_LAST = ("lastname", "last", "surname", "familyname", "nachname", "familienname", "nomdefamille")
_PARTS: tuple[tuple[str, ...], ...] = (
    ("street", "streetaddress", "address", "address1", "addressline1", "addressstreet", "street1", "strasse"),
    ("address2", "addressline2", "street2", "unit", "apartment"),
    ("city", "town", "locality", "ort", "stadt"),
    ("state", "province", "region", "county", "provincecode", "statecode", "stateregion", "stateprovince"),
    ("zip", "zipcode", "postcode", "postalcode", "plz"),
    ("country", "countrycode", "countryregion", "land"),
)
"""The parts of a postal address, in the order in which they are written; the names of each."""
_OF_WHOM = (
    "location",
    "billing",
    "mailing",
    "shipping",
    "home",
    "default",
    "primary",
    "contact",
    "customer",
    "address",
    "",
)
"""What may stand in front of the name of a part; the parts of one address have the same."""
_TYPES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("MOBILE", re.compile("mobil|cell|handy|portable")),
    ("HOME", re.compile("home|private|privat")),
    ("OFFICE", re.compile("work|office|business|company|buero")),
)


def contact_lines(samples: DraftSamples) -> list[DraftLine]:
    """Return the lines for the name, address, emails and phones of a customer, as far as columns hold them."""
    lines: list[DraftLine] = []
    if (name := samples.target("name")) is not None:
        lines += _name_line(samples, name)
    if (address := samples.target("address")) is not None:
        lines += _address_line(samples, address)
    if (email := samples.target("email:*")) is not None:
        lines += _email_lines(samples, email)
    if (phone := samples.target("phone:*")) is not None:
        lines += _phone_lines(samples, phone)
    return lines


def phone_columns(found: Sequence[Profile], targets: Sequence[Target], to: str) -> list[Profile]:
    """Return the columns that hold phone numbers, by their names and values."""
    samples = DraftSamples(found, targets, to)
    return [one for one in found for target in targets if "phone:" in target.name and fits(one, target, samples)]


def _name_line(samples: DraftSamples, target: Target) -> Iterator[DraftLine]:
    if any(normal_name(profile.label) == "name" and len(profile.names) == 1 for profile in samples.left):
        return
    first, last = (_named(samples.left, names) for names in (_FIRST, _LAST))
    if first is None or last is None or first.names[:-1] != last.names[:-1]:
        return
    samples.use(first, last)
    options: Options = (("join", [_part(first), _part(last)]), *without_bad_values(target))
    yield DraftLine("name", options, samples.note(first))


def _address_line(samples: DraftSamples, target: Target) -> Iterator[DraftLine]:
    usable = [one for one in samples.left if not one.inside and not one.is_list_of_objects]
    by_name = {normal_name("".join(one.names)): one for one in reversed(usable)}
    groups = [_parts_of(by_name, prefix) for prefix in _OF_WHOM]
    found = max(groups, key=lambda parts: (len(parts), sum(one.filled for one in parts)), default=[])
    if len(found) < 2 or not any(one.filled for one in found):
        return
    samples.use(*found)
    options: Options = (
        ("join", [_part(one) for one in found]),
        ("with", ", "),
        *without_bad_values(target),
    )
    yield DraftLine("address", options, samples.note(max(found, key=lambda one: one.filled)))


def _part(profile: Profile) -> object:
    """Return a column as a part of a join, cleaned if its values need it."""
    operations = cleaned(profile)
    return dict((source_option(profile), *operations)) if operations else column_reference(profile)


def _parts_of(by_name: Mapping[str, Profile], prefix: str) -> list[Profile]:
    """Return the columns with the parts of the address that has this prefix in front of their names.

    Without a street and a town, a state and a country are no address, and may be something else.
    """
    if not any(prefix + name in by_name for names in _PARTS[:3] for name in names):
        return []
    parts: list[Profile] = []
    for names in _PARTS:
        part = next((by_name[prefix + name] for name in names if prefix + name in by_name), None)
        if part is not None and not any(part is one for one in parts):
            parts.append(part)
    return parts


def _email_lines(samples: DraftSamples, target: Target) -> Iterator[DraftLine]:
    found = _in_order([one for one in samples.left if fits(one, target, samples)])
    samples.use(*found)
    cleaning: Options = (("trim", True), ("case", "lower"), *without_bad_values(target))
    mark = next(filter(None, (one.email_mark for one in found)), None)
    if mark is None and not any(one.inside for one in found):
        for number, one in enumerate(found, 1):
            yield DraftLine(f"email:{number}", (source_option(one), *cleaning), samples.note(one))
        return
    if found:
        split: Options = () if mark is None else (("split", mark),)
        yield DraftLine("email:*", (_all_of(found), *split, *cleaning), _notes(samples, found))


def _phone_lines(samples: DraftSamples, target: Target) -> Iterator[DraftLine]:
    found = _in_order([one for one in samples.left if fits(one, target, samples)])
    samples.use(*found)
    rest = tuple(without_bad_values(target))
    if any(one.inside for one in found):
        yield DraftLine("phone:*", (_all_of(found), *rest), _notes(samples, found))
        return
    for number, one in enumerate(found, 1):
        yield DraftLine(f"phone:{number}", (source_option(one), *rest), samples.note(one))
        if kind := _type_of(one):
            note = "Gladly allows a MOBILE number for one customer only" if kind == "MOBILE" else ""
            yield DraftLine(f"phone:{number}:type", (("constant", kind),), note)


def _type_of(profile: Profile) -> str | None:
    name = normal_name("".join(profile.names))
    return next((kind for kind, pattern in _TYPES if pattern.search(name)), None)


def _in_order(found: Sequence[Profile]) -> list[Profile]:
    """Return columns with values first: an empty one has no number to spare."""
    return sorted(found, key=lambda one: not one.filled)


def _all_of(found: Sequence[Profile]) -> tuple[str, object]:
    return source_option(found[0]) if len(found) == 1 else ("from", [column_reference(one) for one in found])


def _notes(samples: DraftSamples, found: Sequence[Profile]) -> str:
    return "\n".join(samples.note(one) for one in found)


def _named(found: Sequence[Profile], names: Sequence[str]) -> Profile | None:
    by_name: Mapping[str, Profile] = {normal_name(one.label): one for one in reversed(found) if not one.inside}
    return next((by_name[name] for name in names if name in by_name), None)
