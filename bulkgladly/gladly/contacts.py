"""Email addresses and phone numbers: checked, normalised, compared, merged. Pure.

Writing and looking up use the same normalisation, so that the same person is not created twice
because a number was typed differently.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import idna
import phonenumbers
from email_validator import EmailNotValidError, validate_email

from bulkgladly.gladly.numbering_plans import is_valid_as_written
from bulkgladly.records import Problem
from bulkgladly.source_keys import without_invisible

__all__ = (
    "ContactProblem",
    "clean_emails",
    "clean_phones",
    "email_identity",
    "is_plain_email",
    "is_plain_number",
    "is_same_entry",
    "phone_identity",
    "unite",
)

PHONE_TYPES = ("HOME", "MOBILE", "OFFICE")
SMS_PREFERENCES = ("ON", "OFF", "FORBIDDEN")
_EMAIL_PARTS, _PHONE_PARTS = frozenset(("original", "primary")), frozenset(("original", "type", "primary"))
MAX_EMAIL = 254
"""The most characters of an address, by RFC 5321."""

_PLAIN_EMAIL = re.compile(
    r"[A-Za-z0-9_%+'-]+(?:\.[A-Za-z0-9_%+'-]+)*@"
    # Two hyphens after two characters mark an encoded name, which the library has to decode.
    r"(?:(?!..--)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}"
)
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_WRITTEN = re.compile(
    r"(?:tel:)?(?P<number>[+\uff0b]?(?:[\d\s()\[\]./*\u00b7\u2010-\u2015\u2212\u30fc\uff0d-\uff0f-])+?)"
    r"(?:\s*[;,]?\s*(?:e?xt(?:ensi[oó]n|n)?|x|int|anexo|доб|[#~])[.:=]?\s*(?P<extension>\d{1,15})#?)?",
    re.IGNORECASE,
)
"""A phone number and nothing else, as people write it, perhaps with an extension."""
_DECIMAL = re.compile(r"\+?\d{5,}\.0+|\d(?:[.,]\d+)?[eE]\+?\d+")
"""A phone number from a column that some program has read as numbers."""
_NOT_DIGIT = re.compile(r"\D")


class ContactProblem(ValueError):
    """A value cannot be sent as it is; `problem` is for the reject."""

    def __init__(self, code: str, attr: str, detail: str) -> None:
        super().__init__(detail)
        self.problem = Problem(code, detail, attr)


def clean_emails(items: Iterable[Any]) -> list[dict[str, Any]]:
    """Return the email entries in the API's form, each address once.

    An entry is a text or an object with `original` and perhaps `primary`. The spelling is kept,
    without white space around it. Two spellings of one address are one entry.

    Raises:
        ContactProblem: An entry is not an address, or more than one is primary.
    """
    if (plain := _plain_entry(items, _EMAIL_PARTS)) is not None and is_plain_email(plain["original"]):
        return [plain]
    cleaned: dict[str, dict[str, Any]] = {}
    for index, item in enumerate(items):
        attr = f"emails[{index}]"
        entry = _entry(item, attr)
        address = without_invisible(entry["original"]).strip()
        _check_email(address, attr)
        kept = cleaned.setdefault(_address_identity(address), {"original": address})
        _keep_flag(entry, kept, attr)
    return _with_one_primary(list(cleaned.values()), "emails")


def clean_phones(items: Iterable[Any], region: str | None) -> list[dict[str, Any]]:
    """Return the phone entries in the API's form with E.164 numbers, each number once.

    An entry is a text or an object with `original` and perhaps `type`, `regionCode`,
    `extension`, `smsPreference`, `primary`. A local number is read in the entry's own
    region, else in `region`.

    Only valid numbers are taken, by the numbering plans of the countries. Gladly documents no such
    rule, and may take more; but a number that nobody has is of no use there, and a contact list
    is never shortened by an import, so that it would stay.

    Raises:
        ContactProblem: An entry is not a valid number, or has an unknown type. Or it is a local
            number that has no region (Gladly would read it as a number of the United States,
            without an error), may be another country's number without its `+`, or would be sent
            with other digits than it is written with.
    """
    plain = _plain_entry(items, _PHONE_PARTS)
    if plain is not None and plain.get("type", "HOME") in PHONE_TYPES and is_plain_number(plain["original"]):
        return [plain]
    cleaned: dict[str, dict[str, Any]] = {}
    for index, item in enumerate(items):
        attr = f"phones[{index}]"
        entry = _entry(item, attr)
        number, extension = _e164(entry["original"].strip(), entry.get("regionCode") or region, attr)
        kept = cleaned.setdefault(number, {"original": number})
        if extension and not entry.get("extension"):
            entry = {**entry, "extension": extension}
        _keep_choice(entry, kept, "type", PHONE_TYPES, attr)
        _keep_choice(entry, kept, "smsPreference", SMS_PREFERENCES, attr)
        if entry.get("extension"):
            kept["extension"] = str(entry["extension"])
        if entry.get("regionCode"):
            kept["regionCode"] = str(entry["regionCode"]).upper()
        _keep_flag(entry, kept, attr)
    return _with_one_primary(list(cleaned.values()), "phones")


def _plain_entry(items: Iterable[Any], parts: frozenset[str]) -> dict[str, Any] | None:
    """Return the only entry of a list, if it has no other parts than these, and each of the usual type."""
    # Most lists have one such entry. To see that takes a third of the time of cleaning it.
    if type(items) is not list or len(items) != 1 or type(entry := items[0]) is not dict or not entry.keys() <= parts:
        return None
    if type(entry.get("original")) is not str or type(entry.get("primary", True)) is not bool:
        return None
    return entry


def is_plain_email(text: str) -> bool:
    """Tell whether a text is certainly a valid address; False only means that the full check is needed."""
    return len(text) <= MAX_EMAIL and _PLAIN_EMAIL.fullmatch(text) is not None


def is_plain_number(text: str) -> bool:
    """Tell whether a text is certainly a valid E.164 number; False only means that the full check is needed."""
    return _E164.fullmatch(text) is not None and is_valid_as_written(text)


def email_identity(entry: dict[str, Any]) -> str:
    """Return the form in which email entries are compared: lower case, composed, with the domain in ASCII.

    `jörg@example.org` is one address whether its ö is one character or two, and so is
    `ada@bücher.example` beside `ada@xn--bcher-kva.example`.
    """
    return _address_identity(str(entry.get("original") or entry.get("normalized") or "").strip())


def phone_identity(entry: dict[str, Any]) -> str:
    """Return the form in which phone entries are compared: the E.164 number, or the text if it is not a number."""
    for text in (entry.get("normalized"), entry.get("original")):
        if isinstance(text, str) and _E164.fullmatch(text):
            return text
    original = str(entry.get("original") or "")
    try:
        return _format(_parsed(_bare(original), str(entry.get("regionCode") or "US"), "phones"))
    except ContactProblem:
        return original


def unite(
    held: list[dict[str, Any]], wanted: list[dict[str, Any]], identity: Callable[[dict[str, Any]], str]
) -> list[dict[str, Any]] | None:
    """Return the list to send so that nothing that Gladly holds is lost and every wanted entry is in it.

    PATCH replaces lists whole, so the entries that Gladly holds are sent back unchanged. Returns
    None if Gladly holds every wanted entry already.
    """
    if len(held) == len(wanted) == 1 and is_same_entry(held[0], wanted[0]):
        return None
    entries = [dict(entry) for entry in held]
    by_identity: dict[str, dict[str, Any]] = {}
    for entry in entries:
        by_identity.setdefault(identity(entry), entry)
    changed = False
    for entry in wanted:
        have = by_identity.get(identity(entry))
        if have is None:
            have = by_identity[identity(entry)] = {}
            entries.append(have)
        for name, value in entry.items():
            if name == "original" and have.get("original"):
                # It is the same address, so the spelling that Gladly holds is kept.
                continue
            if (have.get(name) or None) != (value or None):
                have[name] = value
                changed = True
    if not changed:
        return None
    # Only one entry of a list can be primary: the row's choice takes it from the one before.
    if chosen := [by_identity[identity(entry)] for entry in wanted if entry.get("primary")]:
        for entry in entries:
            if entry.get("primary") and not any(entry is other for other in chosen):
                entry["primary"] = False
    return entries


def is_same_entry(held: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Tell whether a held entry certainly is the wanted one, with all its parts; False only means: look closely."""
    original = wanted.get("original")
    if not original or held.get("original") != original or held.get("normalized", original) != original:
        return False
    # Most have exactly the same parts, which the first test says in a third of the time.
    return wanted.items() <= held.items() or all(
        (held.get(name) or None) == (value or None) for name, value in wanted.items()
    )


def _entry(item: Any, attr: str) -> dict[str, Any]:
    if isinstance(item, str):
        item = {"original": item}
    if not isinstance(item, dict) or not isinstance(item.get("original"), str) or not item["original"].strip():
        raise ContactProblem("no_value", attr, f"{attr} must have a text in `original`")
    return item


def _check_email(address: str, attr: str) -> None:
    if is_plain_email(address):
        return
    try:
        validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ContactProblem(
            "invalid_email", attr, f"{attr} is not an email address: {_without_value(error)}"
        ) from error


def _without_value(error: Exception) -> str:
    # The validator may quote the address. Rejects have the row anyway, but logs must not show values.
    text = str(error)
    return text if "@" not in text.replace("@-sign", "") else "it does not have the form of an address"


def _address_identity(address: str) -> str:
    if address.isascii():
        return address.lower()
    local, at, domain = unicodedata.normalize("NFC", address).rpartition("@")
    if not domain.isascii():
        with suppress(idna.IDNAError, UnicodeError):  # not a valid domain: compared as it is
            domain = idna.encode(domain, uts46=True).decode("ascii")
    return unicodedata.normalize("NFC", f"{local}{at}{domain}".lower())


def _e164(text: str, region: str | None, attr: str) -> tuple[str, str | None]:
    if is_plain_number(text):
        return text, None
    text = _bare(text)
    if "e" in text.lower() and _DECIMAL.fullmatch(text):
        raise ContactProblem(
            "invalid_phone",
            attr,
            f"{attr} is a number that a spreadsheet has rounded, so digits are lost; export the column as text again",
        )
    if _DECIMAL.fullmatch(text):
        raise ContactProblem(
            "invalid_phone",
            attr,
            f"{attr} is a decimal number; export the column as text (in pandas: dtype=str)",
        )
    if _WRITTEN.fullmatch(text) is None or not any(map(str.isdecimal, text)):  # "-" stands for no value
        raise ContactProblem("invalid_phone", attr, f"{attr} is not a phone number; write only its digits")
    is_international = text.startswith(("+", "\uff0b", "tel:+"))
    if not is_international and not region:
        raise ContactProblem(
            "phone_region",
            attr,
            f"{attr} is a local number, which Gladly would read as a US number; write it as "
            "+<country><number>, or pass its country, for example --phone-region GB",
        )
    number = _parsed(text, region, attr)
    if is_international and not phonenumbers.is_valid_number(number):
        raise ContactProblem("invalid_phone", attr, f"{attr} is not a number that its country uses; correct it")
    if not is_international:
        _check_national(number, text, str(region).upper(), attr)
    return _format(number), number.extension


def _bare(text: str) -> str:
    """Return a number without invisible characters, and without the apostrophe that marks text in a spreadsheet."""
    return without_invisible(text).strip().lstrip("'").lstrip()


def _parsed(text: str, region: str | None, attr: str) -> phonenumbers.PhoneNumber:
    written = _WRITTEN.fullmatch(text)
    try:
        number = phonenumbers.parse(text, region.upper() if region else None) if written else None
    except phonenumbers.NumberParseException as error:
        raise ContactProblem("invalid_phone", attr, f"{attr} is not a phone number") from error
    if written is None or number is None or (written["extension"] or None) != (number.extension or None):
        raise ContactProblem("invalid_phone", attr, f"{attr} is not a phone number; write only its digits")
    # A number that is only possible within its area would be sent without the area code. A few valid ones have none.
    possible = phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE
    if not possible and not phonenumbers.is_valid_number(number):
        raise ContactProblem(
            "invalid_phone", attr, f"{attr} is not a phone number: the length is wrong for its country"
        )
    return number


def _check_national(number: phonenumbers.PhoneNumber, text: str, region: str, attr: str) -> None:
    """Refuse a number that the country does not have, or that may as well be another country's.

    A number in the national format (`020 7946 0018`) belongs to the country. Other digits that
    would be a number of another country with a `+` in front are ambiguous.
    """
    if not phonenumbers.is_valid_number(number):
        raise ContactProblem(
            "invalid_phone",
            attr,
            f"{attr} is not a number of {region}; if it belongs to another country, write it with a +",
        )
    written = _WRITTEN.fullmatch(text)
    digits = _NOT_DIGIT.sub("", written["number"] if written else text)
    bare = phonenumbers.PhoneNumber()
    bare.merge_from(number)
    bare.extension = None  # it is no part of the digits that are compared
    if digits == _NOT_DIGIT.sub("", phonenumbers.format_number(bare, phonenumbers.PhoneNumberFormat.NATIONAL)):
        return
    # Only the form in which the country itself writes a number may change its digits, as with Argentina's mobiles.
    if not digits.endswith(phonenumbers.national_significant_number(number)):
        raise ContactProblem(
            "phone_region", attr, f"{attr} has other digits when it is called from abroad; write it with a +"
        )
    try:
        other = phonenumbers.parse(f"+{digits}", None)
    except phonenumbers.NumberParseException:
        return
    if _format(other) != _format(number) and phonenumbers.is_valid_number(other):
        raise ContactProblem(
            "phone_region",
            attr,
            f"{attr} can be read in two ways, as a number of {region} or with a + in front; write it with a +",
        )


def _format(number: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _keep_choice(entry: dict[str, Any], kept: dict[str, Any], name: str, allowed: tuple[str, ...], attr: str) -> None:
    value = entry.get(name)
    if value in (None, ""):
        return
    text = str(value).upper()
    if text not in allowed:
        raise ContactProblem("invalid_choice", f"{attr}.{name}", f"{attr}.{name} must be one of {', '.join(allowed)}")
    kept[name] = text


def _keep_flag(entry: dict[str, Any], kept: dict[str, Any], attr: str) -> None:
    value = entry.get("primary")
    if value is None:
        return
    if not isinstance(value, bool):
        raise ContactProblem("not_a_flag", f"{attr}.primary", f"{attr}.primary must be true or false")
    kept["primary"] = value or kept.get("primary", False)


def _with_one_primary(entries: list[dict[str, Any]], attr: str) -> list[dict[str, Any]]:
    if sum(entry.get("primary", False) for entry in entries) > 1:
        raise ContactProblem("two_primary", attr, f"{attr}: only one entry can be primary")
    return entries
