"""Rows become records: how many, under which keys, and that nothing is lost on the way."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.mapping.mapper import KEY_COLUMN, Mapper
from bulkgladly.mapping.mapping import parse_mapping
from bulkgladly.mapping.row_values import column
from bulkgladly.records import Part, Position, Problem, Row, Stage, Word

HEAD = 'version = 1\nto = "activities"\n'
TICKETS = f"""{HEAD}
key = "id"
[each]
of = "comments"
as = "comment"
[fields]
title = {{ join = ["subject", "comment_number", "comment_count"], with = "/" }}
body = {{ path = "comment.body", required = true }}
"""
LONG = f"""{HEAD}
key = "id"
[fields]
title = {{ from = "subject", max = 12 }}
body = {{ from = "body", max = 10, too_long = "split", number_in = "title" }}
"""
PLACE = Position(0, 70, 3)


def row(fields: dict[str, Any] | None, **more: Any) -> Row:
    return Row(PLACE, fields, **more)


def mapped(text: str, fields: dict[str, Any], **more: Any) -> list[Row]:
    return Mapper(parse_mapping(text, "m.toml"), **more)(row(fields))


def keys(rows: list[Row]) -> list[str | None]:
    return [one.fields[KEY_COLUMN] if one.fields else None for one in rows]


def test_a_row_becomes_one_record_at_its_place() -> None:
    """With its key beside it, and itself behind it."""
    fields = {"id": 7, "subject": "Lost", "body": "short"}

    (one,) = mapped(LONG, fields)

    assert one.fields == {KEY_COLUMN: "7", "title": "Lost", "body": "short"}
    assert (one.position, one.source, one.part, one.problem) == (PLACE, fields, None, None)


def test_every_element_becomes_a_record() -> None:
    """In order, with its number, at the row's own place, under keys that tell them apart."""
    rows = mapped(TICKETS, {"id": 7, "subject": "Lost", "comments": [{"body": "one"}, {"body": "two"}]})

    assert [one.fields for one in rows] == [
        {KEY_COLUMN: "7#1", "title": "Lost/1/2", "body": "one"},
        {KEY_COLUMN: "7#2", "title": "Lost/2/2", "body": "two"},
    ]
    assert [one.part for one in rows] == [Part(1, 2), Part(2, 2)]
    assert {one.position for one in rows} == {PLACE}


def test_an_element_may_have_a_key_of_its_own() -> None:
    """So that one that comes in between later does not shift the others."""
    text = TICKETS.replace('as = "comment"', 'as = "comment"\nkey = { path = "comment.id" }')

    rows = mapped(text, {"id": 7, "comments": [{"id": 30, "body": "a"}, {"body": "b"}, {"id": 31, "body": "c"}]})

    assert keys(rows) == ["7#30", None, "7#31"]
    detail = "the key column comment.id is empty or holds a placeholder such as N/A; every row needs its own key"
    assert rows[1].problem == Problem("key_missing", detail, "comment.id")


def test_one_bad_element_leaves_its_siblings_alone() -> None:
    """And their keys are the same as they will be when it is mended."""
    comments = [{"body": "one"}, {"body": ""}, {"body": "three"}]

    rows = mapped(TICKETS, {"id": 7, "subject": "Lost", "comments": comments})

    assert keys(rows) == ["7#1", None, "7#3"]
    problem = rows[1].problem
    assert problem is not None
    assert (problem.code, problem.attr, problem.stage, problem.word) == ("mapping", "body", Stage.CHECK, Word.REJECTED)
    assert rows[1].part == Part(2, 3)


@pytest.mark.parametrize(
    ("empty", "word", "code"),
    [("skip", Word.SKIPPED, "mapping_skipped"), ("reject", Word.REJECTED, "mapping"), ("row", None, None)],
)
@pytest.mark.parametrize("comments", [[], None])
def test_a_row_without_elements_is_told(empty: str, word: Word | None, code: str | None, comments: Any) -> None:
    """Skipped, rejected, or a record of its own; never gone."""
    text = TICKETS.replace('as = "comment"', f'as = "comment"\nempty = "{empty}"').replace(", required = true", "")

    (one,) = mapped(text, {"id": 7, "subject": "Lost", "comments": comments})

    if one.problem is None:
        assert (word, one.fields) == (None, {KEY_COLUMN: "7", "title": "Lost", "body": ""})
    else:
        assert (one.problem.word, one.problem.code) == (word, code)


def test_what_is_no_list_is_a_problem() -> None:
    """Of the row, once."""
    (one,) = mapped(TICKETS, {"id": 7, "comments": "none"})

    assert one.problem is not None
    assert one.problem.detail.startswith("comments is not a list")


def test_a_long_text_becomes_several_records() -> None:
    """Counted in the title, which stays within its own length; the first keeps the row's key."""
    rows = mapped(LONG, {"id": 7, "subject": "Lost parcel", "body": "one two three four five"})

    assert [one.fields for one in rows] == [
        {KEY_COLUMN: "7", "title": "Lost… (1/3)", "body": "one two"},
        {KEY_COLUMN: "7#2", "title": "Lost… (2/3)", "body": "three four"},
        {KEY_COLUMN: "7#3", "title": "Lost… (3/3)", "body": "five"},
    ]


@given(st.lists(st.text(st.sampled_from("ab \n"), max_size=40), max_size=5), st.integers(1, 9))
def test_split_and_joined_again_nothing_is_lost(bodies: list[str], most: int) -> None:
    """Whatever is split how often: all of the text is in the records, in its order, under different keys."""
    text = f"""{HEAD}
key = "id"
[each]
of = "comments"
empty = "row"
[fields]
body = {{ path = "item", max = {most}, too_long = "split" }}
"""

    rows = mapped(text, {"id": 1, "comments": bodies})

    assert "".join("".join(one.fields["body"] for one in rows if one.fields).split()) == "".join(
        "".join(bodies).split()
    )
    assert len(set(keys(rows))) == len(rows)
    assert all(one.fields and len(one.fields["body"]) <= most for one in rows)
    assert rows == mapped(text, {"id": 1, "comments": bodies}), "a resume must find the same records"


def test_a_row_from_a_rejects_file_makes_its_own_part_alone() -> None:
    """Its siblings came through; but where the mapping now makes another number, all are made again."""
    mapper = Mapper(parse_mapping(TICKETS, "m.toml"))
    fields = {"id": 7, "subject": "Lost", "comments": [{"body": "one"}, {"body": "two"}]}

    assert keys(mapper(row(fields, part=Part(2, 2)))) == ["7#2"]
    assert keys(mapper(row(fields, part=Part(2, 3)))) == ["7#1", "7#2"]


def test_a_row_that_could_not_be_read_passes_through() -> None:
    """It has its own problem."""
    unreadable = row(None, problem=Problem("malformed_json", "not valid JSON", stage=Stage.READ), raw=b"{")

    assert Mapper(parse_mapping(TICKETS, "m.toml"))(unreadable) == [unreadable]


@pytest.mark.parametrize(
    ("value", "code"), [("", "key_missing"), (None, "key_missing"), (True, "key_type"), ([1], "key_type")]
)
def test_a_row_without_a_key_is_a_problem(value: Any, code: str) -> None:
    """It could not be told from others on a repeat."""
    (one,) = mapped(LONG, {"id": value, "body": "x"})

    assert one.problem is not None
    assert (one.problem.code, one.problem.attr) == (code, "id")


def test_the_key_may_come_from_the_command_line() -> None:
    """It wins over that of the file."""
    assert keys(mapped(LONG, {"id": 7, "number": "T-9", "body": "x"}, key=column("number"))) == ["T-9"]


def test_a_list_field_of_which_a_row_says_nothing_is_left_out() -> None:
    """A text in its place, though empty, would be wrong."""
    text = f'{HEAD}[fields]\nemails = {{ path = "mails" }}\nname = "n"\n'

    (one,) = mapped(text, {}, nested=["emails"])
    (other,) = mapped(text, {"mails": [{"original": "a@example.org"}]}, nested=["emails"])

    assert one.fields == {"name": ""}
    assert other.fields == {"name": "", "emails": [{"original": "a@example.org"}]}
