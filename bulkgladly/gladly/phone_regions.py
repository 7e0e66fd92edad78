"""Which country the local phone numbers of a file belong to, as far as the file itself tells. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import phonenumbers

from bulkgladly.source_keys import without_invisible

__all__ = ("RegionGuess", "likely_region")

_MOST_NUMBERS = 2000
_MOSTLY = 0.6
"""A guess is made if this share of the local numbers is valid in the country."""
_AS_IN_AMERICA = re.compile(r"\([2-9]\d\d\) ?\d{3}[-. ]\d{4}|[2-9]\d\d[-. ]\d{3}[-. ]\d{4}")
_DIGITS = re.compile(r"\d")
_NAMES: Mapping[str, str] = {
    **dict.fromkeys(("usa", "us", "u.s.a.", "u.s.", "united states", "united states of america"), "US"),
    **dict.fromkeys(("uk", "gb", "great britain", "united kingdom", "england"), "GB"),
    **dict.fromkeys(("germany", "deutschland", "de"), "DE"),
    **dict.fromkeys(("france", "fr"), "FR"),
    **dict.fromkeys(("austria", "österreich", "at"), "AT"),
    **dict.fromkeys(("switzerland", "schweiz", "suisse", "ch"), "CH"),
    **dict.fromkeys(("netherlands", "the netherlands", "nederland", "nl"), "NL"),
    **dict.fromkeys(("spain", "españa", "es"), "ES"),
    **dict.fromkeys(("italy", "italia", "it"), "IT"),
    **dict.fromkeys(("canada", "ca"), "CA"),
    **dict.fromkeys(("australia", "au"), "AU"),
    **dict.fromkeys(("ireland", "ie"), "IE"),
    **dict.fromkeys(("new zealand", "nz"), "NZ"),
}


class RegionGuess(NamedTuple):
    """A country for `--phone-region`: `valid` of the `local` numbers are valid there."""

    region: str
    valid: int
    local: int


def likely_region(numbers: Iterable[str], countries: Sequence[str] = ()) -> RegionGuess | None:
    """Return the country of the numbers without a `+`, or None if there are none, or none fits most of them.

    The candidates are the countries named in the file, and those of its numbers with a `+`; without any, the United
    States if the numbers are written as there. If several fit, the one that is named most often is taken.
    """
    local: list[str] = []
    named: Counter[str] = Counter(filter(None, map(_region_named, countries)))
    for number in list(numbers)[:_MOST_NUMBERS]:
        text = without_invisible(number).strip().lstrip("'").strip()
        if text.startswith("+"):
            named.update(filter(None, [_region_of(text)]))
        elif len(_DIGITS.findall(text)) >= 5:
            local.append(text)
    if not local:
        return None
    if sum(1 for text in local if _AS_IN_AMERICA.fullmatch(text)) > _MOSTLY * len(local):
        named["US"] += 1
    guesses = (RegionGuess(region, _valid(local, region), len(local)) for region, _ in named.most_common(10))
    return next((guess for guess in guesses if guess.valid > _MOSTLY * len(local)), None)


def _region_named(country: str) -> str | None:
    text = country.strip()
    known = _NAMES.get(text.lower())
    return known or (text.upper() if text.upper() in phonenumbers.SUPPORTED_REGIONS else None)


def _region_of(number: str) -> str | None:
    try:
        found = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return None
    # The main country of its code: +1 670 is the Northern Marianas, and a US number is valid there as well.
    region = phonenumbers.region_code_for_country_code(found.country_code or 0)
    return region if region in phonenumbers.SUPPORTED_REGIONS else None


def _valid(numbers: Sequence[str], region: str) -> int:
    return sum(1 for number in numbers if _is_valid(number, region))


def _is_valid(number: str, region: str) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        return False
