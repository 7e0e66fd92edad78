"""Words that stand for "no value" in exports of spreadsheets and databases. Pure."""

__all__ = ("PLACEHOLDERS",)

PLACEHOLDERS = frozenset(
    {"NULL", "null", "Null", "(null)", "<null>", "nil", "\\N", "None", "NaN", "nan", "NaT", "<NA>", "undefined"}
    | {"-", "--", "N/A", "n/a", "N/a", "[object Object]"}
    | {"#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!"}
)
"""NA is not one of them: it is a country."""
