"""What a draft makes of the columns that other systems have: one table of rows for each guess."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.checks.map_check import targets_of
from bulkgladly.gladly.table import IMPORTS, import_spec
from bulkgladly.imports.mapping_choice import MapChoice, mapper_for, refuse_cut_identity
from bulkgladly.mapping.draft import DraftFiles, draft_mapping
from bulkgladly.mapping.mapper import Mapper
from bulkgladly.mapping.mapping import parse_mapping


def draft(rows: Sequence[dict[str, Any]], to: str = "customers") -> str:
    """The draft of a mapping from these rows to an object."""
    return draft_mapping(rows, targets_of(import_spec(to)), to=to, files=DraftFiles(["rows.csv"]))


def records(rows: Sequence[dict[str, Any]], to: str = "customers") -> list[Any]:
    """What the draft makes of the rows, without the fields that stay empty."""
    mapper = Mapper(parse_mapping(draft(rows, to), "draft"))
    made = [record for row in rows for record in mapper.records(row)]
    return [{k: v for k, v in one.items() if v not in ("", None)} if isinstance(one, dict) else one for one in made]


def many(number: int, /, **columns: Any) -> list[dict[str, Any]]:
    """Rows with these columns; a function makes the value from the number of the row."""
    return [{name: value(n) if callable(value) else value for name, value in columns.items()} for n in range(number)]


@pytest.mark.parametrize("name", ["Customer ID", "Customer no.", "CRM ID", "Record ID - Contact", "id", "Kunden-Nr"])
def test_a_key_that_is_almost_unique_is_proposed_with_its_faults(name: str) -> None:
    """Three empty cells and a repeated row do not hide what a person sees at once."""
    rows = many(200, City="Springfield", **{name: lambda n: "" if n < 3 else f"C-{max(n, 4)}"})

    lines = draft(rows).splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("key = "))

    told = f"{lines[at - 1]}{lines[at]}"
    assert "; 3 of 200 rows are empty; 1 value occurs more than once" in told


@pytest.mark.parametrize("name", ["Phone number", "Street no", "Organisation ID", "Parent ID"])
def test_other_numbers_are_no_keys(name: str) -> None:
    """Because of what they are, or because they repeat."""
    rows = many(100, **{name: lambda n: f"650555{n // 3:04}"})

    assert not any(line.startswith("key") for line in draft(rows).splitlines())


def test_phones_have_the_type_that_their_column_names() -> None:
    """And none where it names none; an empty column comes last."""
    number = "+16505550171"
    row = {"Fax phone": "", "Cell": number, "Home phone": number, "Work phone": number, "Telephone": number}

    (record,) = records([row])

    assert record == {
        "phone:1": number,
        "phone:1:type": "MOBILE",
        "phone:2": number,
        "phone:2:type": "HOME",
        "phone:3": number,
        "phone:3:type": "OFFICE",
        "phone:4": number,
    }


@pytest.mark.parametrize(
    ("row", "address"),
    [
        (
            {"Street": "1 Mill Lane", "City": "Springfield", "State": "IL", "ZIP": "62701", "Country": "US"},
            "1 Mill Lane, Springfield, IL, 62701, US",
        ),
        ({"Address 1": "1 Mill Lane", "Address 2": "Flat 3", "Postcode": "SW1"}, "1 Mill Lane, Flat 3, SW1"),
        (
            {"Mailing Street": "1 Mill Lane", "Mailing City": "York", "Shipping City": "Leeds"},
            "1 Mill Lane, York",
        ),
        ({"Address": "1 Mill Lane, York"}, "1 Mill Lane, York"),
        ({"Country": "US", "State": "active", "Name": "Ada"}, None),
    ],
)
def test_the_parts_of_an_address_are_joined(row: dict[str, str], address: str | None) -> None:
    """Those of one address, in the order in which they are written."""
    (record,) = records([row])

    assert record.get("address") == address


@pytest.mark.parametrize("mark", [";", ",", "|"])
def test_several_addresses_in_one_cell_are_split(mark: str) -> None:
    """Beside another column, too; each is cleaned."""
    (record,) = records([{"E-mail": f"ADA@example.org{mark} a2@example.org", "Other e-mail": " a3@example.org "}])

    assert record == {"email:1": "ada@example.org", "email:2": "a2@example.org", "email:3": "a3@example.org"}


def test_attributes_have_their_types() -> None:
    """Dates, numbers and flags; words for no value do not stay."""
    rows = many(
        100,
        id=str,
        Since=lambda n: f"04/{n % 28 + 1:02}/2021",
        Value=lambda n: f"${n + 1000:,}.50",
        Visits=str,
        Opt=lambda n: "Y" if n % 2 else "N",
        ZIP=lambda n: f"0{n:04}",
        Notes=lambda n: f"note {n}" if n else "N/A",
    )

    found = records(rows)

    assert found[1] == {
        "_key": "1",
        "customAttribute:Since": "2021-04-02",
        "customAttribute:Value": 1001.5,
        "customAttribute:Visits": 1,
        "customAttribute:Opt": True,
        "customAttribute:ZIP": "00001",
        "customAttribute:Notes": "note 1",
    }
    assert "customAttribute:Notes" not in found[0]


def test_the_words_of_a_short_list_are_listed_for_review() -> None:
    """In their usual spelling, whatever the case; words for no value become empty, and rare ones stay."""
    words = ["Gold", "silver", "GOLD", "Gold ", "silver", "N/A"]
    rows = [*many(120, Tier=lambda n: words[n % len(words)]), {"Tier": "Platinum"}]

    text = draft(rows)

    assert 'values = { Gold = "Gold", silver = "silver", "N/A" = "" }, ignore_case = true, otherwise = "keep"' in text
    tiers = [record.get("customAttribute:Tier") for record in records(rows)]
    assert tiers[:6] == ["Gold", "silver", "Gold", "Gold", "silver", None]
    assert tiers[-1] == "Platinum"


@pytest.mark.parametrize("name", ["Contact owner", "Account manager e-mail", "Kundenbetreuer"])
def test_the_address_of_somebody_else_is_not_the_customers(name: str) -> None:
    """By its name, or because many rows have it: each customer after the first would be refused for it."""
    rows = many(40, Email=lambda n: f"c{n}@example.org", **{name: lambda n: f"agent{n % 3}@example.org"})

    assert "email:2" not in draft(rows)


def test_what_people_wrote_is_not_listed() -> None:
    """A table of values is for words that repeat; all else is masked."""
    rows = many(300, Notes=lambda n: f"called Ada Ashby on day {n}", City=lambda n: f"Town {n}")

    text = draft(rows)

    assert "Ada" not in text
    assert "Town" not in text


TICKET = {
    "id": 4711,
    "requester_id": 9,
    "subject": "Late parcel",
    "created_at": "2026-01-30T09:00:00Z",
    "custom_fields": [{"id": 111, "value": "gold"}, {"id": 222, "value": None}],
    "comments": [
        {"id": 1, "author_id": 9, "body": "Where is it?", "created_at": "2026-01-31T09:00:00Z", "via": "email"},
        {"id": 2, "author_id": 3, "body": "On its way.", "created_at": "2026-02-01T09:00:00Z", "via": "web"},
    ],
}


def test_comments_are_the_records_of_a_timeline() -> None:
    """With their own text, time and key; title and customer are those of the ticket."""
    first, second = records([TICKET], "activities")

    assert first == {
        "_key": "4711#1",
        "customerKey": 9,
        "activityType": "EMAIL",
        "title": "Late parcel",
        "body": "Where is it?",
        "occurredAt": "2026-01-31T09:00:00.000Z",
    }
    assert (second["_key"], second["activityType"], second["body"]) == ("4711#2", "ISSUE", "On its way.")


def test_fields_that_are_told_apart_by_an_id_are_offered_with_their_paths() -> None:
    """Each as a path that finds one value."""
    assert "# custom_fields[?id == `111`].value | [0]  # aa…a; in 1 of 1 rows" in draft([TICKET], "tasks")


@pytest.mark.parametrize(
    "row",
    [
        {"attributes": {"emails": [{"email": "a@example.org"}, {"email": "b@example.org"}], "name": "Ada"}},
        {"name": "Ada", "identities": [{"type": "email", "value": f"{one}@example.org"} for one in "ab"]},
        {"name": "Ada", "email": "A@example.org", "emails": [{"address": "b@example.org", "email": "b@example.org"}]},
    ],
)
def test_addresses_inside_of_lists_are_found(row: dict[str, Any]) -> None:
    """However deep, and beside a column with one."""
    (record,) = records([row])

    assert (record["name"], record["email:1"], record["email:2"]) == ("Ada", "a@example.org", "b@example.org")


def test_an_answer_is_called_by_its_title() -> None:
    """Its contents are those of a public answer, of the answer with the same id."""
    article = {"id": 7, "title": "Returns", "body": "<p>Use the label.</p>", "locale": "en-us"}

    assert records([article], "answers") == [{"_key": "7", "name": "Returns"}]
    [content] = records([article], "answer-contents")
    assert content == {
        "_key": "7",
        "answerKey": 7,
        "language": "en-us",
        "type": "public",
        "title": "Returns",
        "bodyHtml": "<p>Use the label.</p>",
    }


def test_what_a_missing_field_holds_is_always_said() -> None:
    """A field with choices and no help says what it can be."""
    assert "# type is required: one of public, email, messaging, reference\n" in draft([{"x": "1"}], "answer-contents")


@pytest.mark.parametrize(
    ("row", "to", "expected"),
    [
        ({"taskId": "t1"}, "tasks", {"id": "t1", "status": "CLOSED"}),
        (
            {"conversationId": "c1", "topicId": "t1"},
            "conversations",
            {"conversationId": "c1", "topicIds": "t1", "status": "CLOSED", "force": True},
        ),
        ({"conversationId": "c1", "agent": "ada@example.org"}, "conversations", {"agent": "ada@example.org"}),
        ({"itemid": "i1"}, "redactions", {"itemId": "i1"}),
    ],
)
def test_rows_of_ids_alone_name_what_is_to_be_closed(row: dict[str, str], to: str, expected: dict[str, Any]) -> None:
    """Nothing else could be meant by them; rows that say more are taken at their word."""
    (record,) = records([row], to)

    assert expected.items() <= record.items()
    assert ("status" in record) == ("status" in expected)


def test_a_german_export_is_read_as_its_writers_mean_it() -> None:
    """Names with umlauts, numbers with a comma, days first, ja and nein."""
    rows = many(
        40,
        **{"Kunden-Nr": str, "Straße": "Hauptstr. 1", "Ort": "Berlin", "Telefon privat": "030 23125 011"},
        Umsatz=lambda n: f"1.{n + 100},50 €",
        Newsletter=lambda n: "ja" if n % 2 else "nein",
        Seit=lambda n: f"{n % 28 + 1:02}.04.2021",
    )

    assert records(rows)[1] == {
        "_key": "1",
        "address": "Hauptstr. 1, Berlin",
        "phone:1": "030 23125 011",
        "phone:1:type": "HOME",
        "customAttribute:Umsatz": 1101.5,
        "customAttribute:Newsletter": True,
        "customAttribute:Seit": "2021-04-02",
    }


NAMES = (
    *("id", "Customer ID", "First Name", "Last Name", "email", "Mobile", "Street", "City", "created_at", "subject"),
    *("body", "comments", "status", "channel", "custom_fields", "identities", "title", "taskId", "topicId", "itemid"),
    *("language", "audience", 'q"x', "x.y", "\n", "customAttribute:tier", "phone:1:type", "email:1", "Umsatz €"),
)
TEXTS = (
    *("", "x", "a@example.org; b@example.org", "+16505550171", "01/02/2021", "2021-01-02T09:00:00Z", "$1,234.50"),
    *("1.234,5", "yes", "N", "#N/A", "open", "<p>x</p>", "\u200bx ", "'"),
)
LISTS = st.lists(
    st.dictionaries(st.sampled_from(["id", "type", "value", "body", "created_at"]), st.sampled_from(TEXTS))
)
CELLS = st.sampled_from([*TEXTS, None, True, 3, 3.5, 1_700_000_000]) | LISTS


@given(
    st.sampled_from(sorted(IMPORTS)),
    st.lists(st.dictionaries(st.sampled_from(NAMES), CELLS, max_size=6), min_size=1, max_size=4),
)
def test_every_draft_of_every_object_can_be_used(to: str, rows: list[dict[str, Any]]) -> None:
    """Unedited: it fills fields that the object has, cuts no id, and takes each row."""
    text = draft(rows, to)
    choice, spec = MapChoice(file="draft", text=text), import_spec(to)

    mapper = mapper_for(choice, spec, None)

    refuse_cut_identity(choice, spec)
    assert all(mapper.records(row) for row in rows)
