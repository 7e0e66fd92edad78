"""The numbering plans of the countries: a quick look whether a phone number is valid. Pure."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import phonenumbers

__all__ = ("is_valid_as_written",)

_KINDS_OF_NUMBER = (
    *("fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost"),
    *("personal_number", "voip", "pager", "uan", "voicemail"),
)
"""The kinds that make a number valid, by their names in the numbering plans."""


def is_valid_as_written(e164: str) -> bool:
    """Tell by the numbering plan alone whether the full parser would return a number unchanged, and call it valid.

    The parser takes ten times as long, and most numbers of a migration are E.164 already.
    False only means that the parser is needed.
    """
    for width in (1, 2, 3):
        if (known := _country(e164[1 : 1 + width])) is not None:
            prefix, regions = known
            national = e164[1 + width :]
            return (prefix is None or prefix.match(national) is None) and _is_in_plan(national, regions)
    return False


class _Region(NamedTuple):
    """The numbers of one region: which belong to it alone, and by their length, the pattern of those that are valid."""

    leading: re.Pattern[str] | None
    valid: Mapping[int, re.Pattern[str]]

    def has(self, national: str) -> bool:
        pattern = self.valid.get(len(national))
        return pattern is not None and pattern.fullmatch(national) is not None


def _is_in_plan(national: str, regions: tuple[_Region, ...]) -> bool:
    # Several countries share a country code: the first that a number belongs to decides, as in the parser.
    if len(regions) == 1:
        return regions[0].has(national)
    for region in regions:
        if region.leading is not None:
            if region.leading.match(national):
                return region.has(national)
        elif region.has(national):
            return True
    return False


# There are 999 prefixes of one to three digits, so the cache never drops one.
@lru_cache(maxsize=2000)
def _country(code: str) -> tuple[re.Pattern[str] | None, tuple[_Region, ...]] | None:
    """Return the prefix that the parser would remove from a local number, and the regions of a country code."""
    names = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(code))
    if not names:
        return None
    plans = [phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(int(code), name) for name in names]
    if plans[0] is None:
        return None
    prefix = plans[0].national_prefix_for_parsing
    regions = tuple(_region_of(plan) for plan in plans if plan is not None)
    return re.compile(prefix) if prefix else None, regions


def _region_of(plan: phonenumbers.PhoneMetadata) -> _Region:
    kinds = (getattr(plan, name) for name in _KINDS_OF_NUMBER)
    general: Any = plan.general_desc
    lengths = frozenset(general.possible_length)
    patterns = [
        # A kind without lengths of its own has those of its country.
        (frozenset(kind.possible_length) or lengths, kind.national_number_pattern)
        for kind in kinds
        if kind is not None and kind.national_number_pattern
    ]
    valid = {
        size: _pattern_of(general.national_number_pattern, [text for sizes, text in patterns if size in sizes])
        for size in lengths
    }
    leading = re.compile(plan.leading_digits) if plan.leading_digits else None
    return _Region(leading, {size: pattern for size, pattern in valid.items() if pattern is not None})


def _pattern_of(general: str, kinds: Sequence[str]) -> re.Pattern[str] | None:
    """Return the pattern of texts that match the general one and one of the kinds, each of them as a whole."""
    # One match instead of one for each kind; the plans have no references to groups, which would change their numbers.
    return re.compile(rf"(?=(?:{general})\Z)(?:{'|'.join(kinds)})") if kinds else None
