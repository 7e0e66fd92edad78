"""Words that stand for "no value" in exports of spreadsheets and databases. Pure."""

__all__ = ("NEVER_KEYS", "PLACEHOLDERS")

NEVER_KEYS = frozenset(
    {"NULL", "null", "(null)", "<null>", "\\N", "NaN", "nan", "NaT", "<NA>", "undefined", "[object Object]"}
    | {"N/A", "n/a", "#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!"}
)
"""What programs write in place of a value: no system has a record with such a key."""

PLACEHOLDERS = NEVER_KEYS | {"Null", "nil", "None", "-", "--", "N/a"}
"""The same, and words that a person may have meant. NA is not one of them: it is a country."""
