"""The rules that are looked at offline, on both sides of each limit. Facts: gladly-api, README and schemas."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import phonenumbers
import pytest
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from hypothesis import assume, given
from hypothesis import strategies as st

from bulkgladly.gladly import rules
from bulkgladly.gladly.contacts import is_plain_email, is_plain_number
from bulkgladly.gladly.rules import ATTRIBUTES, TAGS, keeps_its_tags
from bulkgladly.gladly.spec import Policy, Rule
from bulkgladly.gladly.table import import_spec
from bulkgladly.mapping.html import ALLOWED_ATTRIBUTES, ALLOWED_TAGS, clean_html
from bulkgladly.records import Mode, Problem, Row
from bulkgladly.records import Position as At

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
SECOND = dt.timedelta(seconds=1)


def text_of(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def policy(mode: Mode = Mode.CREATE, **more: Any) -> Policy:
    return Policy("host", mode=mode, now=NOW, **more)


def codes(rule: Rule, payload: Mapping[str, Any], chosen: Policy | None = None) -> list[str]:
    return [problem.code for problem in rule(payload, chosen or policy())]


@pytest.mark.parametrize(
    ("occurred", "expected"),
    [
        (NOW - 365 * DAY - SECOND, ["too_old"]),
        (NOW - 365 * DAY, []),
        (NOW - 364 * DAY, []),
        (NOW + DAY, []),
    ],
)
def test_an_activity_is_at_most_a_year_old(occurred: dt.datetime, expected: list[str]) -> None:
    """365 days, to the second."""
    assert codes(rules.occurred_within_a_year, {"occurredAt": text_of(occurred)}) == expected


def test_how_old_an_activity_is_does_not_matter_when_it_is_deleted() -> None:
    """Nor is it checked without a date, or without a clock."""
    old = {"occurredAt": text_of(NOW - 999 * DAY)}

    assert codes(rules.occurred_within_a_year, old, policy(Mode.DELETE)) == []
    assert codes(rules.occurred_within_a_year, {}) == []
    assert codes(rules.occurred_within_a_year, old, Policy("host", mode=Mode.CREATE)) == []


@pytest.mark.parametrize(
    ("mode", "refused", "doubted"),
    [(Mode.CREATE, ["due_in_past"], []), (Mode.UPSERT, [], ["due_in_past"]), (Mode.UPDATE, [], [])],
)
def test_a_new_task_is_due_in_the_future(mode: Mode, refused: list[str], doubted: list[str]) -> None:
    """Rejected in a create, a warning in an upsert, and not checked in an update."""
    chosen = policy(mode)

    assert codes(rules.due_in_future, {"dueAt": text_of(NOW)}, chosen) == refused
    assert codes(rules.due_only_if_known, {"dueAt": text_of(NOW)}, chosen) == doubted
    for rule in (rules.due_in_future, rules.due_only_if_known):
        assert codes(rule, {"dueAt": text_of(NOW + SECOND)}, chosen) == []
        assert codes(rule, {}, chosen) == []


@pytest.mark.parametrize(
    ("language", "languages", "expected"),
    [
        ("en-us", ("en-us", "de-de"), []),
        ("EN-US", ("en-us",), []),
        ("fr-fr", ("en-us", "de-de"), ["unknown_language"]),
        ("fr-fr", (), []),
    ],
)
def test_a_language_is_one_of_those_that_are_named(
    language: str, languages: tuple[str, ...], expected: list[str]
) -> None:
    """Without a list, nothing is checked."""
    assert codes(rules.language_is_known, {"language": language}, policy(languages=languages)) == expected


@pytest.mark.parametrize(
    ("payload", "expected"),
    [({"assignee": {"agentId": "a"}}, ["blank"]), ({"assignee": {"inboxId": "i"}}, []), ({}, [])],
)
def test_whoever_is_assigned_has_an_inbox(payload: dict[str, Any], expected: list[str]) -> None:
    """An agent alone is not enough."""
    assert codes(rules.assignee_has_inbox, payload) == expected


@pytest.mark.parametrize(
    ("mode", "payload", "expected"),
    [
        (Mode.UPDATE, {"one": "", "two": []}, ["nothing_to_do"]),
        (Mode.UPDATE, {"one": "", "two": ["x"]}, []),
        (Mode.UPDATE, {"one": False}, []),
        (Mode.DELETE, {}, []),
    ],
)
def test_a_row_with_nothing_to_do_is_a_mistake(mode: Mode, payload: dict[str, Any], expected: list[str]) -> None:
    """Absent, null and empty are nothing; false is a value."""
    assert codes(rules.some_of("one", "two"), payload, policy(mode)) == expected


# --- lengths, as the table declares them -----------------------------------------------------


@pytest.mark.parametrize(
    ("name", "row", "field", "most", "code"),
    [
        ("activities", {"customerId": "c", "activityType": "EMAIL"}, "title", 100, "too_long"),
        ("activities", {"customerId": "c", "activityType": "EMAIL"}, "body", 25_000, "too_long"),
        ("activities", {"customerId": "c", "activityType": "EMAIL"}, "sourceName", 50, "too_long"),
        ("activities", {"customerId": "c", "activityType": "EMAIL"}, "linkText", 50, "too_long"),
        ("activities", {"customerId": "c", "activityType": "EMAIL"}, "id", 50, "id"),
        ("tasks", {"customerId": "c", "inboxId": "i", "dueAt": text_of(NOW + DAY)}, "body", 10_000, "too_long"),
        ("tasks", {"customerId": "c", "inboxId": "i", "dueAt": text_of(NOW + DAY), "body": "x"}, "id", 50, "id"),
        ("task-comments", {"taskId": "t", "agentId": "a"}, "comment", 10_000, "too_long"),
        ("answers", {}, "name", 500, "too_long"),
        ("answers", {"name": "x"}, "description", 10_000, "too_long"),
        ("customers", {"emails": [{"original": "ada@example.org"}]}, "id", 49, "id"),
    ],
)
def test_a_text_is_as_long_as_gladly_takes_it(name: str, row: dict[str, Any], field: str, most: int, code: str) -> None:
    """The longest is accepted, one character more is not; characters count, not bytes."""
    spec = import_spec(name)
    letter = "a" if field == "id" else "é"

    def problem(length: int) -> Problem | None:
        fields = {**row, field: letter * length}
        item = spec.prepare(Row(At(0, 0, 1), fields), dict(fields), policy())
        return item if isinstance(item, Problem) else None

    assert problem(most) is None
    found = problem(most + 1)
    assert found is not None
    assert (found.code, found.attr) == (code, field)


# --- rich content ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain text, a < b and c > d, <3", []),
        ("<p>Hello <b>you</b></p><br/><hr />", []),
        ('<A HREF="https://example.org" target=_blank>here</A>', []),
        ('<div style="margin: 1px; text-align:left;">x</div>', []),
        ("<td nowrap align='left'>x</td>", []),
        ("<script>x</script>", ["html_tag"]),
        ("<!-- x -->", ["html_tag"]),
        ("<ada@example.org> wrote", ["html_tag"]),
        ('<p class="x">x</p>', ["html_attribute"]),
        ('<span style="margin:1px">x</span>', ["html_attribute"]),
        ('<div style="color: red">x</div>', ["html_style"]),
        ("<img src=x onerror=y><iframe>", ["html_attribute", "html_tag"]),
    ],
)
def test_what_is_outside_gladlys_list_is_told(text: str, expected: list[str]) -> None:
    """Tags, attributes and styles, but not text that only looks like a tag."""
    assert sorted(codes(keeps_its_tags("body"), {"body": text})) == expected


def test_a_warning_names_no_personal_value() -> None:
    """The text between < and > may be an address."""
    [problem] = keeps_its_tags("body")({"body": "<ada@example.org>"}, policy())

    assert "ada" not in problem.detail


def test_the_list_is_that_of_the_mappings() -> None:
    """What a mapping removes is what the warning names."""
    assert TAGS == ALLOWED_TAGS
    assert {tag: set(names) for tag, names in ATTRIBUTES.items()} == ALLOWED_ATTRIBUTES


FRAGMENTS = st.lists(
    st.sampled_from(
        [
            *("<p>", "</p>", "<p class=a>", "<div style='color:red'>", '<a href="https://example.org">', "</a>", "<x>"),
            *("<script>", "</script>", "text", "<", ">", '"', "<!--", "-->", "<td align=left>", "<h4>", "é"),
        ]
    ),
    max_size=8,
).map("".join)


@given(FRAGMENTS)
def test_nothing_is_warned_of_after_cleaning(text: str) -> None:
    """`html = "clean"` is the fix that the finding names, so it must be one."""
    assert codes(keeps_its_tags("body"), {"body": clean_html(text)}) == []


@pytest.mark.parametrize("piece", ["<a ", "<a '", '<a "', "<a b=", '<a "<'])
def test_hostile_markup_takes_no_time(piece: str) -> None:
    """A body of the greatest length that begins tags and never ends them."""
    assert len(codes(keeps_its_tags("body"), {"body": piece * (25_000 // len(piece))})) <= 3


# --- what is passed without asking the libraries ---------------------------------------------

NAMES = st.text("abAB09_%+'-.", min_size=1, max_size=70)
LABELS = st.text("abxnAB09-", min_size=1, max_size=70)
TOPS = st.sampled_from(["org", "com", "c", "museum", "ORG", "o-rg", "co1"])


@given(NAMES, st.lists(LABELS, min_size=1, max_size=3), TOPS)
def test_a_plain_address_is_one_for_the_library(local: str, labels: list[str], top: str) -> None:
    """Except those of reserved names, such as `.local`, which the library refuses and Gladly may accept."""
    address = f"{local}@{'.'.join(labels)}.{top}"
    assume(is_plain_email(address))
    assert top.lower() not in SPECIAL_USE_DOMAIN_NAMES

    try:
        validate_email(address, check_deliverability=False)
    except EmailNotValidError as error:
        pytest.fail(f"{address}: {error}")


@st.composite
def numbers(draw: st.DrawFn) -> str:
    """Numbers of a length that their country has."""
    country = draw(st.sampled_from(sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)))
    region = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[country][0]
    about = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(country, region)
    lengths = about.general_desc.possible_length if about and about.general_desc else (8,)
    length = draw(st.sampled_from(lengths))
    return f"+{country}{draw(st.text('0123456789', min_size=length, max_size=length))}"


@given(numbers())
def test_a_plain_number_is_one_for_the_library_and_goes_out_as_it_stands(text: str) -> None:
    """Valid, and written the same after parsing."""
    if is_plain_number(text):
        number = phonenumbers.parse(text)

        assert phonenumbers.is_valid_number(number)
        assert phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) == text


@pytest.mark.parametrize("text", ["ada@example.org", "a@b-c.org", "A.B+c@sub.example.org", "a" * 64 + "@example.org"])
def test_the_usual_addresses_are_plain(text: str) -> None:
    """A test of what is accepted must accept something."""
    assert is_plain_email(text)


@pytest.mark.parametrize("text", ["+16505550101", "+442079460018", "+4915112345678", "+33123456789", "+61255501234"])
def test_the_usual_numbers_are_plain(text: str) -> None:
    """The same for numbers."""
    assert is_plain_number(text)
