"""Email addresses and phone numbers, in the form in which Gladly compares them.

The emulator must not use the client's libraries, because it must be able to disagree with them. It has
only a few rules: enough to accept what is plausible and to refuse what is clearly wrong.
"""

import re

__all__ = ("CALLING_CODES", "bare_email", "e164", "is_email")

CALLING_CODES = {
    "AT": "43", "AU": "61", "BE": "32", "BR": "55", "CA": "1", "CH": "41", "CZ": "420", "DE": "49",
    "DK": "45", "ES": "34", "FI": "358", "FR": "33", "GB": "44", "IE": "353", "IL": "972", "IN": "91",
    "IT": "39", "JP": "81", "KR": "82", "MX": "52", "NL": "31", "NO": "47", "NZ": "64", "PL": "48",
    "PT": "351", "SE": "46", "SG": "65", "US": "1", "ZA": "27",
}  # fmt: skip
"""The regions whose local numbers are understood; other numbers need a plus sign."""

_EMAIL = re.compile(r"[^\s@<>,;\"]+@[^\s@<>,;\".]+(?:\.[^\s@<>,;\".]+)*")
_NAMED = re.compile(r"[^<>]*<([^<>]*)>\s*")
_FILLERS = str.maketrans("", "", " \t\u00a0-.()/")


def bare_email(text: str) -> str:
    """Return the address part alone: `Ada <ada@example.org>` becomes `ada@example.org`."""
    named = _NAMED.fullmatch(text)
    return (named[1] if named else text).strip()


def is_email(text: str) -> bool:
    """Return whether the text is a single address without a name."""
    return _EMAIL.fullmatch(text) is not None


def e164(original: str, region: str = "US") -> str | None:
    """Return the number as `+` and digits, or None if it is not a valid number of that region.

    A number with a plus sign needs no region. US and Canadian numbers have ten digits after the 1.
    """
    number = original.translate(_FILLERS)
    international = number.startswith("+")
    digits = number[1:] if international else number
    if not (digits.isascii() and digits.isdigit()):
        return None
    if not international:
        code = CALLING_CODES.get(region)
        if code is None:
            return None
        digits = _with_code(digits, code)
    return "+" + digits if _plausible(digits) else None


def _with_code(national: str, code: str) -> str:
    if code == "1":
        return national if len(national) == 11 and national[0] == "1" else "1" + national
    # Italian numbers keep their leading zero; elsewhere it is the prefix for calls inside the country.
    return code + (national if code == "39" else national.removeprefix("0"))


def _plausible(digits: str) -> bool:
    if digits[:1] == "1":
        return len(digits) == 11 and digits[1] not in "01"
    return 8 <= len(digits) <= 15 and digits[0] != "0"
