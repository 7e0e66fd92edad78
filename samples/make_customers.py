"""Write the sample customers: `python samples/make_customers.py`. The rows are the same every time.

`customers.csv` has 3,000 rows of an invented shop with the mistakes that real exports have;
`already_there.ndjson` has customers that exist in the organisation before the import. Four of
them have an email address that is also in `customers.csv`.
"""

import csv
import json
import random
from pathlib import Path

HERE = Path(__file__).parent
FIRST = ("Ada", "Ben", "Cleo", "Dara", "Emil", "Faye", "Gus", "Hana", "Ivo", "June", "Kofi", "Lena", "Milo")
LAST = ("Ashby", "Birch", "Castell", "Dunmore", "Elwood", "Farrow", "Garrick", "Holt", "Ingram", "Jessop")
STREETS = ("Mill Lane", "Station Road", "High Street", "Orchard Close", "Harbour View")
TIERS = ("bronze", "silver", "gold")
COLUMNS: tuple[str, ...] = (
    "crm_id",
    "name",
    "address",
    "email:1",
    "email:2",
    "phone:1",
    "phone:1:type",
    "customAttribute:tier",
    "customAttribute:since",
)
ROWS = 3000


def customer(number: int, chance: random.Random) -> dict[str, str]:
    """Return one row without mistakes."""
    first, last = chance.choice(FIRST), chance.choice(LAST)
    second = f"{first.lower()}.{number}@example.org" if chance.random() < 0.1 else ""
    return {
        "crm_id": f"C{number:05}",
        "name": f"{first} {last}",
        "address": f"{chance.randrange(1, 200)} {chance.choice(STREETS)}, Exampletown",
        "email:1": f"{first.lower()}.{last.lower()}{number}@example.org",
        "email:2": second,
        "phone:1": f"+1{201 + number % 700}555{100 + number // 700 % 100:04}",
        "phone:1:type": chance.choice(("HOME", "OFFICE", "")),
        "customAttribute:tier": chance.choice(TIERS),
        "customAttribute:since": f"20{chance.randrange(10, 26)}-{chance.randrange(1, 13):02}-01",
    }


def spoil(rows: list[dict[str, str]]) -> None:
    """Plant the mistakes, each in a fixed row, so that the demo always finds the same ones."""
    rows[40]["email:1"] = "ada.ashby at example.org"
    rows[41]["phone:1"] = "020 7946 0018"
    rows[60]["phone:1"] = "+44 7"
    rows[61]["phone:1:type"] = "FAX"
    rows[62]["crm_id"] = ""
    rows[700] = {**rows[12], "name": "Somebody Else"}
    rows[701] = dict(rows[13])
    rows[702]["email:1"] = rows[14]["email:1"]
    rows[1500]["address"] = 'The "Old" Barn\n2 Mill Lane, Exampletown'
    rows[2400]["email:1"] = ""


def main() -> None:
    """Write both files."""
    chance = random.Random(20261123)
    rows = [customer(number, chance) for number in range(1, ROWS + 1)]
    taken = [rows[index]["email:1"] for index in (20, 21, 900, 2900)]
    spoil(rows)
    with (HERE / "customers.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[:1000])
        file.write("C09999,A row that is cut,\n")
        writer.writerows(rows[1000:])
    addresses = taken + [f"long.standing{number}@example.org" for number in range(6)]
    with (HERE / "already_there.ndjson").open("w", encoding="utf-8") as file:
        for number, address in enumerate(addresses):
            profile = {"id": f"already-there-{number}", "name": f"Customer Since {2000 + number}"}
            file.write(json.dumps({**profile, "emails": [{"original": address}]}) + "\n")


if __name__ == "__main__":
    main()
