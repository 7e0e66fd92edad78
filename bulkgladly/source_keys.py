"""The normal form in which source keys are compared, whatever a spreadsheet or a copy has added to them. Pure.

Ids in Gladly are derived from this form, so it must never change. Therefore blanks and invisible
characters are listed here, and not taken from the Unicode tables of the running Python.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from bulkgladly.placeholders import NEVER_KEYS

__all__ = ("NotAKey", "SourceKey", "is_plain", "normal_key", "oddities", "read_key", "without_invisible")

_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_BLANKS = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_TEXT_MARK = "'"
"""Excel puts it before a text that looks like a number."""
_PLAIN = re.compile(
    r"[!-&(-*,\-/-<>-~](?:[ -*,\-/-~]*[!-*,\-/-~])?"  # without a point
    r"|[!-&(-*,-<>-~](?:[ -*,-~]*[!-*,-/1-~])?"  # with one, but no zero at the end
).fullmatch
"""Most keys: ASCII that certainly is its own normal form. One with a plus, a first `=`, or final zeros needs a look."""
_SAFE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-:/#@"
_WHOLE = re.compile(r"(0|-?[1-9][0-9]*)\.0+").fullmatch
_ROUNDED = re.compile(r"[0-9](?:[.,][0-9]+)?[eE]\+[0-9]+").fullmatch
_FORMULA = re.compile(r'="([^"]*)"').fullmatch
"""How some programs write a number that a spreadsheet shall keep as text."""
_EXACT = 2**53


class SourceKey(NamedTuple):
    """A source key in its normal form.

    `former` is the key as it was written, if that differs: earlier versions knew their
    records by it. `is_odd` says that `oddities` yields something for it.
    """

    text: str
    former: str | None = None
    is_odd: bool = False


class NotAKey(ValueError):
    """A value cannot be a source key: it is empty, or a word for no value (`key_missing`), or of another type.

    A key is a text or a whole number; everything else is `key_type`.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def is_plain(text: str) -> bool:
    """Tell whether a key certainly is its own normal form, and not odd; False means that it needs a closer look."""
    # Stripping the safe characters is the quickest way to see that there are no others.
    return ((not text.strip(_SAFE) and text != "") or _PLAIN(text) is not None) and text not in NEVER_KEYS


def normal_key(text: str) -> str:
    """Return the normal form of a key; the normal form of a normal form is itself.

    It drops invisible characters, blanks and apostrophes at the beginning, and blanks at the end, and composes
    letters (NFC). Of a formula that is only a text, `="4711"`, the text is left. A whole number loses a decimal point
    and the zeros after it, since spreadsheets turn a column of whole numbers into decimals if one cell is empty.
    """
    if is_plain(text):
        return text
    if not text.isascii():
        text = unicodedata.normalize("NFC", without_invisible(text))
    elif not text.isprintable():
        text = without_invisible(text)
    text = _stripped(text)
    while formula := _FORMULA(text):
        text = _stripped(formula[1])
    whole = _WHOLE(text)
    return whole[1] if whole else text


def _stripped(text: str) -> str:
    return text.lstrip(_BLANKS + _TEXT_MARK).rstrip(_BLANKS)


def read_key(value: object) -> SourceKey:
    """Return the source key that a cell holds.

    Raises:
        NotAKey: It holds none.
    """
    if type(value) is str:
        if is_plain(value):
            return SourceKey(value)
        text = normal_key(value)
        # A spreadsheet's `#N/A` is no name: all its rows would be taken for one record.
        if not text or text in NEVER_KEYS:
            raise NotAKey("key_missing")
        former = None if text == value else value
        return SourceKey(text, former, former is not None or _ROUNDED(text) is not None)
    if value is None:
        raise NotAKey("key_missing")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotAKey("key_type")
    if isinstance(value, float) and not (value.is_integer() and abs(value) < _EXACT):
        raise NotAKey("key_type")
    return SourceKey(str(int(value)))


def without_invisible(text: str) -> str:
    """Return a text without its invisible characters; blanks stay."""
    return _INVISIBLE.sub("", text)


def oddities(text: str) -> Iterator[tuple[str, str]]:
    """Yield what is odd about a key as it was written: a code, and the end of a message that begins with its column."""
    found = False
    shown = without_invisible(text)
    if shown != text or shown != shown.strip(_BLANKS):
        found = True
        yield "key_invisible", "contains invisible characters or spaces around it; they are ignored"
    bare = shown.strip(_BLANKS)
    if bare.startswith(_TEXT_MARK):
        found = True
        yield "key_apostrophe", "begins with an apostrophe, which spreadsheets put before numbers; it is ignored"
    bare = bare.lstrip(_BLANKS + _TEXT_MARK)
    if _FORMULA(bare):
        found = True
        yield "key_formula", 'is a formula such as ="4711", which keeps a number as text; only the text is read'
    if _WHOLE(bare):
        found = True
        yield "key_decimal", "is a whole number written with decimals, such as 4711.0; it is read as 4711"
    elif _ROUNDED(bare):
        found = True
        yield "key_rounded", "looks like a number that a spreadsheet has rounded, such as 4.71E+12"
    if not found and normal_key(text) != text:
        yield "key_spelling", "is written in an unusual form of Unicode; it is read in the usual one (NFC)"
