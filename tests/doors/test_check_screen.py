"""The screen and the judge of `check`: what the one clears, the other would pass with the same claims."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.checks.claims import Traits, traits_of
from bulkgladly.checks.judge import Judge, Screen
from bulkgladly.gladly.spec import Policy
from bulkgladly.gladly.table import import_spec
from bulkgladly.records import Mode, Position, Row

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
YEAR_AGO = NOW - dt.timedelta(days=365)

Rows = list[dict[str, Any]]

OTHER: list[Any] = [None, "", " ", 0, 1, 1.0, True, False, [], {}, ["x"], {"x": 1}, "é", "x\ny"]
"""What may stand anywhere in JSON, and mostly should not."""
IDS = ["c2", "a" * 49, "a" * 50, "a" * 51, "-_", "c 1", "ä", "c1\n", "\u0661"]
KEYS = [*IDS, "k1 ", "\ufeffk1", "'k1", "4711.0", "4711.10", "4.7E+12", "ada.b@example.org", "Zoe\u0308", "'"]
EMAILS = [
    *("ben@example.org", "ADA@example.org", " ada@example.org", "ada", "zoë@example.org", "a@ab--cd.org", "a@x.local"),
    *("Ada <ada@example.org>", "a" * 250 + "@example.org"),
]
NUMBERS = [
    *("+16505550101", "+1 650 555 0101", "650 555 0101", "+442079460018", "+44 020 7946 0018", "+1650555"),
    *("+999123456", "+16505550101 ext. 7", "+4915112345678", "+39066982", "+16505550101\n"),
]
TYPES = ["MOBILE", "mobile", "Mobile", "HOME", "OFFICE", "PAGER"]
FLAGS = ["true", "false", "TRUE", "yes", "0", "2"]
WORDS = ["ON", "off", "NEVER"]
TEXTS = ["Ada", "x" * 50, "x" * 51, "x" * 100, "x" * 101, "é" * 100, "a < b", "<p>", "<p class=a>", "x" * 10_001]
TEXTS += ["x" * 10_000, "x" * 25_000, "x" * 25_001]
MOMENTS = ["2026-11-01T10:00:00Z", "2026-11-01T10:00:00.123Z", "2026-11-01T10:00:00.1234Z", "2026-11-01 10:00:00Z"]
MOMENTS += [(YEAR_AGO + dt.timedelta(seconds=s)).isoformat().replace("+00:00", "Z") for s in (-1, 0, 1)]
MOMENTS += [(NOW + dt.timedelta(seconds=s)).isoformat().replace("+00:00", "Z") for s in (-1, 0, 1)]
MOMENTS += ["2027-02-29T10:00:00Z", "2028-02-29T10:00:00Z", "2027-11-01T24:00:00Z", "2027-11-01T10:00:60Z"]
MOMENTS += ["2027-01-01T00:00:00+01:00", "\u0662027-01-01T00:00:00Z", "2027-01-01T00:00:00Z", " 2027-01-01T00:00:00Z"]


Shape = Mapping[str, tuple[Any, list[Any]]]
"""For each field a value that is fine, and such that may not be."""


@st.composite
def near_good(draw: st.DrawFn, shape: Shape, needed: tuple[str, ...] = ()) -> dict[str, Any]:
    """Rows of some of these fields, good but for few: only these come near to being cleared by mistake."""
    names = [name for name in shape if name in needed or draw(st.booleans())]
    row = {name: shape[name][0] for name in names}
    for name in draw(st.lists(st.sampled_from(sorted(shape)), max_size=2)):
        row[name] = draw(st.sampled_from([*shape[name][1], *OTHER]))
    if needed and draw(st.integers(0, 9)) == 0:
        row.pop(draw(st.sampled_from(needed)), None)
    return row


def items(good: dict[str, Any], odd: Mapping[str, list[Any]]) -> list[Any]:
    """Lists of one item that has one odd part, or lacks one, and of two items."""
    found = [[{**good, part: value}] for part, values in odd.items() for value in [*values, *OTHER]]
    found += [[{part: value for part, value in good.items() if part != left_out}] for left_out in odd]
    found += [[{**good, "primary": True}, {**good, "original": other, "primary": True}] for other in odd["original"]]
    found += [[good, {**good, "original": other}] for other in odd["original"]]
    return [*found, [good, None], [good, "ada@example.org"], [[good]]]


EMAIL_ITEMS = items({"original": "ada@example.org"}, {"original": EMAILS, "primary": [True, False]})
PHONE_ITEMS = items(
    {"original": "+16505550101", "type": "MOBILE"},
    {
        "original": NUMBERS,
        "type": TYPES,
        "primary": [True, False],
        "smsPreference": WORDS,
        "normalized": NUMBERS,
        "regionCode": TEXTS,
    },
)
NESTED_CUSTOMER: Shape = {
    "id": ("c1", IDS),
    "crm": ("k1", KEYS),
    "name": ("Ada", TEXTS),
    "externalCustomerId": ("e1", IDS),
    "emails": ([{"original": "ada@example.org"}], EMAIL_ITEMS),
    "phones": ([{"original": "+16505550101", "type": "MOBILE"}], PHONE_ITEMS),
    "customAttributes": ({"tier": "gold"}, [{"tier": value} for value in OTHER]),
    "createdAt": ("2026-11-01T10:00:00Z", MOMENTS),
}
FLAT_CUSTOMER: Shape = {
    "id": ("c1", IDS),
    "crm": ("k1", KEYS),
    "name": ("Ada", TEXTS),
    "externalCustomerId": ("e1", IDS),
    "email:1": ("ada@example.org", EMAILS),
    "email:2": ("ben@example.org", EMAILS),
    "email:1:primary": ("true", FLAGS),
    "email:2:primary": ("false", FLAGS),
    "phone:1": ("+16505550101", NUMBERS),
    "phone:1:type": ("MOBILE", TYPES),
    "phone:1:extension": ("7", TEXTS),
    "phone:2": ("+442079460018", NUMBERS),
    "phone:2:type": ("home", TYPES),
    "phone:2:smsPreference": ("ON", WORDS),
    "customAttribute:tier": ("gold", TEXTS),
}
_CUSTOMER: Shape = {
    "customerId": ("c1", IDS),
    "customerKey": ("", [*TEXTS, *KEYS]),
    "customerEmail": ("", EMAILS),
    "customerMobile": ("", NUMBERS),
    "customer": (None, [{"emailAddress": email} for email in EMAILS]),
}
ACTIVITY: Shape = {
    "id": ("a1", IDS),
    "crm": ("k1", KEYS),
    **_CUSTOMER,
    "content": (None, [{"title": text} for text in TEXTS]),
    "activityType": ("EMAIL", ["ISSUE", "email", "FAX"]),
    "title": ("Order", TEXTS),
    "body": ("Hello", TEXTS),
    "sourceName": ("Shop", TEXTS),
    "linkUrl": ("https://example.org", TEXTS),
    "linkText": ("see", TEXTS),
    "link": (None, [{"url": "https://example.org", "text": text} for text in TEXTS]),
    "expandByDefault": (True, FLAGS),
    "occurredAt": ("2026-11-01T10:00:00Z", MOMENTS),
}
TASK: Shape = {
    "id": ("t1", IDS),
    "crm": ("k1", KEYS),
    **_CUSTOMER,
    "inbox": ("", TEXTS),
    "inboxId": ("i1", IDS),
    "agent": ("", EMAILS),
    "agentId": ("g1", IDS),
    "assignee": (None, [{"inboxId": inbox} for inbox in IDS]),
    "body": ("Call", TEXTS),
    "dueAt": ("2027-01-01T00:00:00Z", MOMENTS),
    "status": ("OPEN", ["CLOSED", "closed", "DONE"]),
}
COMMENT: Shape = {
    "id": ("m1", IDS),
    "crm": ("k1", KEYS),
    "taskKey": ("", [*TEXTS, *KEYS]),
    "taskId": ("t1", IDS),
    "agent": ("", EMAILS),
    "agentId": ("g1", IDS),
    "comment": ("Done", TEXTS),
}
NOTE: Shape = {
    "crm": ("k1", KEYS),
    "conversationId": ("v1", IDS),
    "body": ("Hello", TEXTS),
    "content": (None, [{"body": text} for text in TEXTS]),
}
POLICIES = st.builds(
    lambda key, null, region: Policy("host", key=key, null=null, phone_region=region, now=NOW),
    st.sampled_from([None, "crm"]),
    st.sampled_from(["keep", "clear"]),
    st.sampled_from([None, "GB"]),
)


def rows_of(many: Rows) -> list[Row]:
    """The rows of one file."""
    return [Row(Position(0, at, at + 1), fields, seq=at) for at, fields in enumerate(many)]


def as_sets(traits: Traits) -> tuple[set[Any], set[Any], set[Any]]:
    """Traits without their order."""
    return set(traits.marks), set(traits.references), set(traits.names)


def compare(name: str, many: Rows, policy: Policy) -> int:
    """Check that what the screen clears, the judge passes without a warning, and with the same traits."""
    spec = import_spec(name)
    ignore = () if policy.key else ("crm",)
    screen, judge = Screen(spec, policy, ignore), Judge(spec, policy, ignore)
    rows, again = rows_of(many), rows_of([dict(fields) for fields in many])
    cleared = 0
    for row, other, traits in zip(rows, again, screen.look(rows), strict=True):
        if traits is None:
            continue
        cleared += 1
        verdict = judge.verdict(other)
        assert verdict.record is not None, (verdict.problems, row.fields)
        assert not verdict.warnings, row.fields
        judged = traits_of(spec, verdict.record)
        assert as_sets(judged)[1:] == as_sets(traits)[1:]
        assert clashing_marks(name, judged, verdict.record.key) <= set(traits.marks)
        assert row.fields == other.fields, "a screen changes nothing"
    return cleared


def clashing_marks(name: str, traits: Traits, key: str) -> set[int]:
    """The marks that two rows must share to clash; that of the content of a customer has a stand-in."""
    content = name == "customers" and key.startswith("content:")
    return set(traits.marks[1:] if content else traits.marks)


@pytest.mark.parametrize("policy", [Policy("host", now=NOW), Policy("host", key="crm", now=NOW)], ids=["own id", "key"])
@pytest.mark.parametrize(
    ("name", "mode", "row"),
    [
        ("customers", Mode.UPSERT, {"id": "c1", "crm": "k", "name": "Ada", "emails": [{"original": "a@example.org"}]}),
        ("customers", Mode.UPSERT, {"id": "c1", "crm": "k", "email:1": "a@example.org", "phone:1": "+16505550101"}),
        (
            "activities",
            Mode.CREATE,
            {"id": "a1", "crm": "k", "customerId": "c1", "activityType": "EMAIL", "occurredAt": "2026-11-01T10:00:00Z"},
        ),
        (
            "tasks",
            Mode.CREATE,
            {"id": "t1", "crm": "k", "customerId": "c1", "inboxId": "i", "body": "x", "dueAt": "2027-01-01T00:00:00Z"},
        ),
        ("task-comments", Mode.CREATE, {"id": "t1", "crm": "k", "taskId": "t", "agentId": "i", "comment": "x"}),
        ("notes", Mode.CREATE, {"crm": "k", "conversationId": "c", "body": "x"}),
    ],
)
def test_the_common_shape_of_a_row_is_cleared(name: str, mode: Mode, row: Mapping[str, Any], policy: Policy) -> None:
    """A screen that clears nothing would be right, and of no use."""
    chosen = replace(policy, mode=mode)

    assert compare(name, [dict(row)], chosen) == 1


KINDS: list[tuple[str, Shape, tuple[str, ...], tuple[Mode, ...]]] = [
    ("customers", NESTED_CUSTOMER, ("crm",), (Mode.UPSERT,)),
    ("customers", FLAT_CUSTOMER, ("crm",), (Mode.UPSERT,)),
    ("activities", ACTIVITY, ("crm", "customerId", "activityType"), (Mode.CREATE, Mode.DELETE)),
    ("tasks", TASK, ("crm", "customerId", "inboxId", "body", "dueAt"), (Mode.CREATE, Mode.UPDATE, Mode.UPSERT)),
    ("task-comments", COMMENT, ("crm", "taskId", "agentId", "comment"), (Mode.CREATE,)),
    ("notes", NOTE, ("crm", "conversationId", "body"), (Mode.CREATE,)),
]
by_kind = pytest.mark.parametrize(
    ("name", "shape", "needed", "modes"),
    KINDS,
    ids=["nested customers", "flat customers", *(name for name, *_ in KINDS[2:])],
)


@by_kind
@pytest.mark.parametrize("key", [None, "crm"])
def test_every_single_deviation_from_a_good_row_is_seen(
    name: str, shape: Shape, needed: tuple[str, ...], modes: tuple[Mode, ...], key: str | None
) -> None:
    """Each field with each odd value, or left out, in a row that is fine else."""
    good = {field: value for field, (value, _) in shape.items()}
    lean = {field: good[field] for field in needed}
    many = [{**base, field: odd} for base in (good, lean) for field in shape for odd in [*shape[field][1], *OTHER]]
    many += [{field: value for field, value in good.items() if field != left_out} for left_out in shape]

    for mode in modes:
        compare(name, [dict(row) for row in many], Policy("host", mode=mode, key=key, now=NOW))


@by_kind
@given(data=st.data())
def test_rows_are_cleared_only_where_the_judge_agrees(
    name: str, shape: Shape, needed: tuple[str, ...], modes: tuple[Mode, ...], data: st.DataObject
) -> None:
    """Whatever stands in the fields, in all modes; rows of one layout are looked at together."""
    policy = replace(data.draw(POLICIES), mode=data.draw(st.sampled_from(modes)))
    first = data.draw(near_good(shape, needed))
    again = {field: (value, shape[field][1]) for field, value in first.items()}
    alike = near_good(again, tuple(again)) if again else st.just(first)

    compare(name, [first, *data.draw(st.lists(alike, max_size=3))], policy)
