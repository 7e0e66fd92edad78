"""Write a dirty CRM export: `python samples/make_dirty_crm.py crm.csv`. The rows are the same every time.

The export has the columns and the mistakes of a shop that has been in business for years: `--kinds` lists the mistakes
by name. `--ends ENDS.ndjson` also writes what is the right end of each row in a first import: `created`, `unchanged`
(it repeats an earlier row), `rejected` with its code, or `skipped`; and of a created row the columns whose values must
be left out. All people are invented, and the numbers are among those that are kept for films and tests.
"""

import argparse
import csv
import io
import json
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import phonenumbers

ROWS = 50_000
SHARE = 0.0018
"""How many of the rows have each kind of dirt."""

COLUMNS = (
    *("Customer ID", "First Name", "Last Name", "E-mail", "Other e-mail", "Mobile", "Home phone"),
    *("Street", "City", "State", "ZIP", "Country"),
    *("Loyalty Tier", "Lifetime Value", "Opt In", "Customer Since", "Notes"),
)
FIRST = ("Ada", "Ben", "Cleo", "Dara", "Emil", "Faye", "Gus", "Hana", "Ivo", "June", "Kofi", "Lena", "Milo", "Zoë")
LAST = ("Ashby", "Birch", "Castell", "Dunmore", "Elwood", "Farrow", "Garrick", "Holt", "Ingram", "Jessop", "O'Hara")
STREETS = ("Mill Lane", "Station Road", "High Street", "Orchard Close", "Harbour View")
PLACES = (("Springfield", "IL", "62701"), ("Riverton", "CA", "95001"), ("Lakewood", "NJ", "08701"))
NOTES = ("likes tea", "call after 5pm", "moved in spring", "asks for invoices by post")

SPARE = 38_000
"""The first of the numbers that only rows with dirt have: a mobile number belongs to one customer."""

Row = dict[str, str]


@dataclass(frozen=True)
class End:
    """What a first import must do with a row: its line, its dirt, and how it ends.

    `code` is the reason of a reject, and `dropped` are the columns whose values are left out of a created row.
    """

    end: str = "created"
    code: str = ""
    dropped: tuple[str, ...] = ()
    kind: str = ""
    line: int = 0


CREATED = End()


def without(*columns: str) -> End:
    """The row is created without the values of these columns."""
    return End(dropped=columns)


def rejected(code: str) -> End:
    """The row is rejected."""
    return End("rejected", code)


Spoil = Callable[["Rows", Row], End]
KINDS: dict[str, Spoil] = {}
"""The dirt by name: each function spoils a clean row, and says how it ends."""


def kind(spoil: Spoil) -> Spoil:
    """Add a function to the kinds, under its name."""
    KINDS[spoil.__name__.lstrip("_")] = spoil
    return spoil


def put(name: str, column: str, *values: str, is_dropped: bool = False) -> None:
    """Add a kind that puts one of these values into a column; it is left out of the record if it `is_dropped`."""

    def spoil(rows: "Rows", row: Row) -> End:
        row[column] = rows.chance.choice(values)
        return without(column) if is_dropped else CREATED

    KINDS[name] = spoil


class Rows:
    """Makes the rows one after the other; `earlier` are clean ones that later rows may repeat or contradict."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.earlier: list[Row] = []
        self.number = self.spare = 0

    def clean(self) -> Row:
        """Return the next row, without dirt; every fourth customer has no mobile number."""
        self.number += 1
        number, chance = self.number, self.chance
        first, last = chance.choice(FIRST), chance.choice(LAST)
        city, state, code = chance.choice(PLACES)
        name = f"{first}.{last}{number}".lower().replace("ë", "e").replace("'", "")
        return {
            "Customer ID": f"C-{number:06}",
            "First Name": first,
            "Last Name": last,
            "E-mail": f"{name}@example.org",
            "Other e-mail": f"{name}@home.example.org" if number % 9 == 0 else "",
            "Mobile": "" if number % 4 == 0 else national(number * 3 // 4),
            "Home phone": national(chance.randrange(10_000)) if number % 6 == 0 else "",
            "Street": f"{chance.randrange(1, 200)} {chance.choice(STREETS)}",
            "City": city,
            "State": state,
            "ZIP": code,
            "Country": "US",
            "Loyalty Tier": chance.choice(("Gold", "Silver", "Bronze", "")),
            "Lifetime Value": f"${chance.randrange(20, 9000):,}.{chance.randrange(100):02}",
            "Opt In": chance.choice(("yes", "no")),
            "Customer Since": f"{chance.randrange(1, 13):02}/{chance.randrange(1, 29):02}/20{number % 17 + 9:02}",
            "Notes": chance.choice(NOTES) if number % 5 == 0 else "",
        }

    def mobile_of(self, row: Row) -> str:
        """Return the ten digits of a row's mobile number, or of one that no row has."""
        self.spare += 1
        return "".join(char for char in row["Mobile"] if char.isdigit()) or digits(SPARE + self.spare)

    def one_before(self) -> Row:
        """Return an earlier row that was written as it is, and is repeated by no other."""
        return self.earlier.pop(self.chance.randrange(len(self.earlier)))


@cache
def area_codes() -> tuple[int, ...]:
    """Return the area codes of North America in which 555-0100 to 555-0199 are valid numbers."""
    candidates = range(201, 990)
    return tuple(
        code for code in candidates if phonenumbers.is_valid_number(phonenumbers.parse(f"+1{code}5550100", None))
    )


def digits(number: int) -> str:
    """Return the ten digits of a US number; as many different ones as there are area codes times 100."""
    code = area_codes()[number % len(area_codes())]
    return f"{code}5550{100 + number // len(area_codes()) % 100}"


def national(number: int) -> str:
    """Return a US number as people write it."""
    text = digits(number)
    return f"({text[:3]}) {text[3:6]}-{text[6:]}"


# --- names and addresses: all of them are created ---

put("name_missing", "First Name", "")
put("name_is_placeholder", "Last Name", "NULL", "N/A", "#N/A")
put("name_with_comma", "Last Name", "Ashby, Jr.")
put("name_with_quotes", "First Name", 'Ada "The Ace"')
put("name_accented", "Last Name", "Ødegård", "Müller", "Nguyễn")
put("country_spelled_out", "Country", "USA", "United States", "U.S.A.")
put("country_missing", "Country", "")
put("zip_lost_its_zero", "ZIP", "8701")
put("zip_is_decimal", "ZIP", "62701.0")
put("street_with_comma", "Street", "12 Mill Lane, Flat 3")
put("street_with_line_break", "Street", "12 Mill Lane\nFlat 3")
put("street_is_placeholder", "Street", "N/A", "-")


@kind
def _name_in_capitals(_rows: Rows, row: Row) -> End:
    row["First Name"], row["Last Name"] = row["First Name"].upper(), row["Last Name"].upper()
    return CREATED


@kind
def _name_with_spaces(_rows: Rows, row: Row) -> End:
    row["First Name"], row["Last Name"] = f" {row['First Name']}  ", f"\u00a0{row['Last Name']}"
    return CREATED


@kind
def _address_empty(_rows: Rows, row: Row) -> End:
    row.update(dict.fromkeys(("Street", "City", "State", "ZIP", "Country"), ""))
    return CREATED


# --- email addresses ---

put("email_missing", "E-mail", "")
put("email_is_placeholder", "E-mail", "none", "N/A", "n/a", "NULL", "-", is_dropped=True)
put("email_is_a_sentence", "E-mail", "ask Jon", "has none", is_dropped=True)
put("email_too_long", "E-mail", "a" * 250 + "@example.org", is_dropped=True)


@kind
def _email_in_capitals(_rows: Rows, row: Row) -> End:
    row["E-mail"] = row["E-mail"].upper()
    return CREATED


@kind
def _email_with_spaces(_rows: Rows, row: Row) -> End:
    row["E-mail"] = f"  {row['E-mail']}\u00a0"
    return CREATED


@kind
def _email_with_zero_width_space(_rows: Rows, row: Row) -> End:
    row["E-mail"] = "\u200b" + row["E-mail"]
    return CREATED


@kind
def _email_with_accents(_rows: Rows, row: Row) -> End:
    row["E-mail"] = f"jörg{row['E-mail']}"
    return CREATED


@kind
def _email_twice_in_one_cell(_rows: Rows, row: Row) -> End:
    row["E-mail"] = f"{row['E-mail']}; second.{row['E-mail']}"
    return CREATED


@kind
def _email_same_in_both_columns(_rows: Rows, row: Row) -> End:
    row["Other e-mail"] = row["E-mail"].title()
    return CREATED


@kind
def _email_with_final_dot(_rows: Rows, row: Row) -> End:
    row["E-mail"] += "."
    return without("E-mail")


@kind
def _email_with_final_comma(_rows: Rows, row: Row) -> End:
    row["E-mail"] += ","
    return without("E-mail")


@kind
def _email_with_name(_rows: Rows, row: Row) -> End:
    row["E-mail"] = f"{row['First Name']} <{row['E-mail']}>"
    return without("E-mail")


@kind
def _email_with_space_inside(_rows: Rows, row: Row) -> End:
    row["E-mail"] = row["E-mail"].replace("@", " @ ")
    return without("E-mail")


@kind
def _email_without_at(_rows: Rows, row: Row) -> End:
    row["E-mail"] = row["E-mail"].replace("@", " at ")
    return without("E-mail")


@kind
def _email_with_two_ats(_rows: Rows, row: Row) -> End:
    row["Other e-mail"] = row["E-mail"].replace("@", "@@")
    return without("Other e-mail")


@kind
def _email_of_another_customer(rows: Rows, row: Row) -> End:
    row["E-mail"] = rows.one_before()["E-mail"]
    return rejected("duplicate_address")


# --- phone numbers ---

put("mobile_is_a_sentence", "Mobile", "ask Jon", "see notes", is_dropped=True)
put("mobile_is_placeholder", "Mobile", "N/A", "#N/A", "-", "NULL", is_dropped=True)
put("mobile_too_short", "Mobile", "555-0171", "0171", is_dropped=True)
put("mobile_is_zeros", "Mobile", "000-000-0000", "0", is_dropped=True)
put("mobile_rounded", "Mobile", "3.12201E+09", "6.50378E+09", is_dropped=True)
put("mobile_of_no_area", "Mobile", "(000) 555-0171", "(123) 555-0100", is_dropped=True)
put("home_phone_too_long", "Home phone", "(650) 555-0171 0171", is_dropped=True)
put("home_phone_from_abroad", "Home phone", "+44 20 7946 0018", "+49 30 23125 011")
put("home_phone_from_abroad_without_plus", "Home phone", "442079460018", is_dropped=True)


@kind
def _mobile_international(rows: Rows, row: Row) -> End:
    row["Mobile"] = f"+1 {rows.mobile_of(row)}"
    return CREATED


@kind
def _mobile_after_apostrophe(rows: Rows, row: Row) -> End:
    row["Mobile"] = f"'+1{rows.mobile_of(row)}"
    return CREATED


@kind
def _mobile_with_dots(rows: Rows, row: Row) -> End:
    text = rows.mobile_of(row)
    row["Mobile"] = f"{text[:3]}.{text[3:6]}.{text[6:]}"
    return CREATED


@kind
def _mobile_with_no_break_space(rows: Rows, row: Row) -> End:
    text = rows.mobile_of(row)
    row["Mobile"] = f"\u00a0{text[:3]}\u00a0{text[3:6]}\u00a0{text[6:]}"
    return CREATED


@kind
def _mobile_with_invisible_marks(rows: Rows, row: Row) -> End:
    row["Mobile"] = f"\u202d+1{rows.mobile_of(row)}\u202c"
    return CREATED


@kind
def _mobile_with_extension(rows: Rows, row: Row) -> End:
    row["Mobile"] = f"{rows.mobile_of(row)} x12"
    return CREATED


@kind
def _mobile_is_decimal(rows: Rows, row: Row) -> End:
    row["Mobile"] = f"{rows.mobile_of(row)}.0"
    return without("Mobile")


@kind
def _mobile_twice_in_one_cell(rows: Rows, row: Row) -> End:
    row["Mobile"] = " / ".join([rows.mobile_of(row)] * 2)
    return without("Mobile")


@kind
def _mobile_is_home_phone(rows: Rows, row: Row) -> End:
    row["Mobile"] = row["Home phone"] = f"+1{rows.mobile_of(row)}"
    return CREATED


@kind
def _mobile_of_another_customer(rows: Rows, row: Row) -> End:
    row["Mobile"] = rows.one_before()["Mobile"]
    return rejected("duplicate_address") if row["Mobile"] else CREATED


# --- attributes ---

put("tier_in_other_case", "Loyalty Tier", "GOLD", "silver ", " bronze")
put("tier_is_placeholder", "Loyalty Tier", "#N/A", "N/A", "-")
put("tier_is_new", "Loyalty Tier", "Platinum*")
put("value_without_currency", "Lifetime Value", "1234.5", "17")
put("value_with_code", "Lifetime Value", "USD 1,200.00", "$ 50")
put("value_is_placeholder", "Lifetime Value", "#N/A", "n/a", "-", is_dropped=True)
put("value_in_words", "Lifetime Value", "about 200", "1,2,3", is_dropped=True)
put("opt_in_by_letter", "Opt In", "Y", "N", "y")
put("opt_in_by_number", "Opt In", "1", "0", "TRUE", "False")
put("opt_in_empty", "Opt In", "")
put("opt_in_unclear", "Opt In", "maybe", "?", is_dropped=True)
put("since_is_zeros", "Customer Since", "00/00/0000", "0000-00-00", is_dropped=True)
put("since_is_placeholder", "Customer Since", "#N/A", "unknown", is_dropped=True)
put("since_is_impossible", "Customer Since", "02/30/2021", "13/45/2020", is_dropped=True)
put("since_is_a_serial_number", "Customer Since", "44289", is_dropped=True)
put("since_is_iso", "Customer Since", "2021-04-03")
put("since_without_zeros", "Customer Since", "4/3/2021")
put("since_empty", "Customer Since", "")
put("notes_with_line_breaks", "Notes", "first line\nsecond line\r\nthird line")
put("notes_with_quotes_and_commas", "Notes", 'said "call back", then hung up')
put("notes_are_long", "Notes", "long story " * 400)
put("notes_with_markup", "Notes", "<b>VIP</b> & family")
put("notes_look_like_a_row", "Notes", 'C-1,Ada,Ashby\nC-2,"Ben",Birch')
put("notes_begin_like_a_formula", "Notes", "=2+3", "@mention", "+1 for the idea")

# --- keys and rows ---


@kind
def _key_missing(_rows: Rows, row: Row) -> End:
    row["Customer ID"] = ""
    return rejected("key_missing")


@kind
def _key_is_placeholder(rows: Rows, row: Row) -> End:
    row["Customer ID"] = rows.chance.choice(("#N/A", "NULL", "n/a"))
    return rejected("key_missing")


@kind
def _key_is_invisible(_rows: Rows, row: Row) -> End:
    row["Customer ID"] = "\u200b\u00a0"
    return rejected("key_missing")


@kind
def _key_with_spaces(_rows: Rows, row: Row) -> End:
    row["Customer ID"] = f" {row['Customer ID']}\u00a0"
    return CREATED


@kind
def _key_with_zero_width_space(_rows: Rows, row: Row) -> End:
    row["Customer ID"] += "\u200b"
    return CREATED


@kind
def _key_after_apostrophe(_rows: Rows, row: Row) -> End:
    row["Customer ID"] = f"'{row['Customer ID']}"
    return CREATED


@kind
def _key_of_an_earlier_row(rows: Rows, row: Row) -> End:
    row["Customer ID"] = rows.one_before()["Customer ID"]
    return rejected("duplicate_key")


@kind
def _row_again(rows: Rows, row: Row) -> End:
    row.update(rows.one_before())
    return End("unchanged")


@kind
def _row_again_with_a_space_at_its_key(rows: Rows, row: Row) -> End:
    row.update(rows.one_before())
    row["Customer ID"] += " "
    return End("unchanged")


@kind
def _row_blank(_rows: Rows, row: Row) -> End:
    row.update(dict.fromkeys(COLUMNS, ""))
    return End("skipped", "blank_row")


@kind
def _header_again(_rows: Rows, row: Row) -> End:
    row.update({name: name for name in COLUMNS})
    return End("skipped", "header_again")


# --- dirt of the line itself, which needs the text of the row ---

LINES: dict[str, tuple[Callable[[str], str], End]] = {
    "line_with_trailing_commas": (lambda text: f"{text},,,", CREATED),
    "line_cut_off": (lambda text: ",".join(text.split(",")[:3]), rejected("ragged_row")),
    "line_with_a_comma_too_many": (lambda text: f"{text},stray", rejected("ragged_row")),
    "line_empty": (lambda _text: "", End("nothing")),
    "line_with_damaged_bytes": (lambda text: text.replace("@", "\udcff@", 1), rejected("invalid_encoding")),
}


def spoiled(rows: Rows, name: str) -> tuple[str, End]:
    """Return the text of a row with one kind of dirt, or with none, and how it must end."""
    row = rows.clean()
    if name in LINES:
        change, end = LINES[name]
        # Without a mobile number in parentheses and a value with a comma, so that commas can be counted.
        return change(as_csv({**row, "Lifetime Value": "", "Street": "1 Mill Lane"})), replace(end, kind=name)
    if name:
        end = KINDS[name](rows, row)
        return as_csv(row), replace(end, kind=name)
    if rows.number % 3 == 0:
        rows.earlier.append(row)
    return as_csv(row), CREATED


def as_csv(row: Row) -> str:
    """Return a row as CSV, without the line end."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow([row[name] for name in COLUMNS])
    return out.getvalue().removesuffix("\n")


def make(number: int, seed: int = 20261127) -> Iterator[tuple[str, End]]:
    """Yield the text of each row with its end; every kind comes at least once. The first rows are clean."""
    rows = Rows(seed)
    names = [*KINDS, *LINES]
    each = max(1, round(number * SHARE))
    plan = [name for name in names for _ in range(each)]
    first = min(60, number // 10)
    plan += [""] * max(0, number - first - len(plan))
    random.Random(seed).shuffle(plan)
    line = 2
    for name in [""] * first + plan:
        text, end = spoiled(rows, name)
        yield text, replace(end, line=line)
        line += text.count("\n") + 1


def write(path: Path, number: int = ROWS, *, ends: Path | None = None) -> list[End]:
    """Write the export, and the right ends of its rows as NDJSON; return the ends."""
    found: list[End] = []
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        file.write(",".join(COLUMNS) + "\n")
        for text, end in make(number):
            file.write(text + "\n")
            found.append(end)
    if ends is not None:
        with ends.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(vars(end)) + "\n" for end in found)
    return found


def main() -> int:
    """Write what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, help="the CSV file to write")
    parser.add_argument("--rows", type=int, default=ROWS, help="how many rows (default: %(default)s)")
    parser.add_argument("--ends", type=Path, help="also write the right end of each row, as NDJSON")
    parser.add_argument("--kinds", action="store_true", help="list the kinds of dirt, and end")
    given = parser.parse_args()
    if given.kinds or given.file is None:
        print("\n".join(sorted([*KINDS, *LINES])))
        return 0
    write(given.file, given.rows, ends=given.ends)
    return 0


if __name__ == "__main__":
    sys.exit(main())
