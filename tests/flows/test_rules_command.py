"""`rules check`: what rules say, what they would have done, and what is wrong with them. Nothing is sent."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.flows.programs import HeardProgram, heard, program_in

RULES = """
[[rules]]
name = "vip"
on = "CONTACT/STARTED"
when = "customer.customAttributes.tier == 'vip'"
do = { to = "-" }

[[rules]]
name = "waits"
on = "CONTACT/STARTED"
key = "contact"
after = "7m"
unless = "CONTACT/ENDED"
[rules.do]
import = "conversation-topics"
row = { conversationId = "{event.content.conversationId}", topics = ["Waiting"] }
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> HeardProgram:
    """The program in an empty folder, without credentials."""
    (tmp_path / "rules.toml").write_text(RULES, "utf-8")
    return heard(program_in(tmp_path, monkeypatch), capsys)


def contact(number: int, minute: int, kind: str = "STARTED", **more: Any) -> dict[str, Any]:
    content = {"customerId": f"c{number}", "contactId": f"k{number}", "conversationId": f"t{number}", "channel": "CHAT"}
    return {
        "id": f"{kind}-{number}",
        "type": f"CONTACT/{kind}",
        "timestamp": f"2026-11-02T10:{minute:02}:00.000Z",
        "initiator": {"id": "a", "type": "AGENT"},
        "content": {**content, **more},
    }


def write(path: str, rows: Iterable[Mapping[str, Any]]) -> None:
    Path(path).write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))


EVENTS = [contact(2, 1), contact(1, 0), contact(1, 0), contact(2, 5, "ENDED"), contact(3, 30)]
CUSTOMERS = [{"id": "c1", "customAttributes": {"tier": "vip"}}, {"id": "c2", "customAttributes": {}}]


def test_a_program_that_is_not_here_is_told_before_an_event_needs_it(program: HeardProgram) -> None:
    """It is no mistake of the file, which may be for another machine."""
    Path("rules.toml").write_text(RULES.replace('to = "-"', 'to = "exec:nosuchprogram --now"'), "utf-8")

    told = program("rules", "check", "rules.toml")

    assert (told.code, "vip: not on this machine: exec:nosuchprogram" in told.err) == (0, True)


def test_events_are_taken_from_the_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `inbox replay` writes them."""
    (tmp_path / "rules.toml").write_text(RULES, "utf-8")
    recorded = b"".join(orjson.dumps(event) + b"\n" for event in EVENTS)
    program = heard(program_in(tmp_path, monkeypatch, stdin=recorded), capsys)

    told = program("rules", "check", "rules.toml", "--events", "-")

    assert told.code == 0
    assert "4 events from 2026-11-02T10:00" in told.err


def test_a_check_says_each_rule_in_a_sentence(program: HeardProgram) -> None:
    """And nothing else."""
    told = program("rules", "check", "rules.toml")

    assert (told.code, told.err) == (0, "")
    assert told.out.splitlines() == [
        (
            "vip: when CONTACT/STARTED happens, if customer.customAttributes.tier == 'vip', pass the event on to the "
            "standard output."
        ),
        (
            "waits: 7 minutes after CONTACT/STARTED, unless CONTACT/ENDED happens for the same contact before, import "
            "a row of conversation-topics."
        ),
    ]


def test_recorded_events_are_played_with_their_timers(program: HeardProgram) -> None:
    """By their timestamps, whatever the order of the file; copies count once."""
    write("events.ndjson", EVENTS)
    write("customers.ndjson", CUSTOMERS)

    told = program("rules", "check", "rules.toml", "--events", "events.ndjson", "--customers", "customers.ndjson")

    assert told.code == 0
    assert told.out.splitlines()[3:] == [
        "2026-11-02T10:00:00.000Z  vip  CONTACT/STARTED: pass the event on to the standard output",
        "2026-11-02T10:07:20.000Z  waits  k1  CONTACT/STARTED: import a row of conversation-topics",
        '    {"conversationId":"t1","topics":["Waiting"]}',
        "2026-11-02T10:37:20.000Z  waits  k3  CONTACT/STARTED: import a row of conversation-topics",
        '    {"conversationId":"t3","topics":["Waiting"]}',
    ]
    assert told.err.splitlines() == [
        "4 events from 2026-11-02T10:00:00.000Z to 2026-11-02T10:30:00.000Z",
        "  vip: fired 1 time",
        "  waits: fired 2 times",
        (
            "1 request would have been made for a customer or an object that is not known here; pass the customers "
            "with --customers FILE"
        ),
    ]


def test_rows_of_the_data_set_are_events_as_well(program: HeardProgram) -> None:
    """Their fields are flat, and those of other types are empty."""
    rows = [{**{k: v for k, v in one.items() if k != "content"}, **one["content"], "taskId": None} for one in EVENTS]
    write("events.ndjson", rows)

    told = program("rules", "check", "rules.toml", "--events", "events.ndjson", "--json")

    found = json.loads(told.out)
    assert [one["event_id"] for one in found["actions"]] == ["STARTED-1", "STARTED-3"]
    assert found["fired"] == {"waits": 2}
    assert [rule["name"] for rule in found["rules"]] == ["vip", "waits"]


def test_a_row_that_could_not_be_imported_is_told(program: HeardProgram) -> None:
    """The exit code is 1."""
    write("events.ndjson", [contact(1, 0, conversationId="")])

    told = program("rules", "check", "rules.toml", "--events", "events.ndjson")

    assert told.code == 1
    assert "    could not be imported: conversationId " in told.out


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (b"{", "events.ndjson:1: is not JSON"),
        (b"\n[]\n", "events.ndjson:2: is not a JSON object"),
        (b'{"id": "x"}', "events.ndjson:1: is not an event: id or type is missing"),
        (b'{"id": "x", "type": "y", "timestamp": 1}', "events.ndjson:1: timestamp is not a time"),
    ],
)
def test_a_file_without_events(program: HeardProgram, lines: bytes, message: str) -> None:
    """The line is named."""
    Path("events.ndjson").write_bytes(lines)

    told = program("rules", "check", "rules.toml", "--events", "events.ndjson")

    assert told.code == 2
    assert f"error: {message}" in told.err


def test_a_mistake_in_the_rules(program: HeardProgram) -> None:
    """The exit code is 2, and the fix is named."""
    Path("rules.toml").write_text(RULES.replace('"CONTACT/ENDED"', '"CONTACT/END"'), "utf-8")

    told = program("rules", "check", "rules.toml")

    assert (told.code, told.out) == (2, "")
    assert told.err == (
        "error: rules.toml: [rule waits] unless: 'CONTACT/END' is not a type of event; did you mean 'CONTACT/ENDED'?\n"
    )


def test_types_that_only_webhooks_bring(program: HeardProgram) -> None:
    """A rule on them would wait for ever beside `follow`."""
    Path("rules.toml").write_text(RULES.replace('on = "CONTACT/STARTED"', 'on = "EXPORT_JOB/FAILED"', 1), "utf-8")

    told = program("rules", "check", "rules.toml")

    assert (told.code, told.err) == (
        0,
        "vip: EXPORT_JOB/FAILED comes by webhook only, so `follow` never sees it; use `listen`\n",
    )


def test_customers_without_events(program: HeardProgram) -> None:
    """There would be nothing to try."""
    write("customers.ndjson", CUSTOMERS)

    assert (
        "also pass recorded events with --events FILE"
        in program("rules", "check", "rules.toml", "--customers", "customers.ndjson").err
    )


def test_a_file_without_a_line(program: HeardProgram) -> None:
    """Nothing happened, and it is said."""
    Path("events.ndjson").write_bytes(b"")

    told = program("rules", "check", "rules.toml", "--events", "events.ndjson")

    assert (told.code, told.err) == (0, "events.ndjson has no events\n")


# --- the samples ---

SAMPLES = Path(__file__).parents[2] / "samples" / "rules"
TALK = {"customerId": "c1", "conversationId": "t1", "context": {}}


def toggle(number: int, second: int) -> dict[str, Any]:
    at = f"2026-11-02T10:{second // 60:02}:{second % 60:02}.000Z"
    content = {"agentId": "a1", "availableFor": [], "occurredAt": at}
    return {"id": f"toggle-{number}", "type": "AGENT_AVAILABILITY/UPDATED", "timestamp": at, "content": content}


def conversation(kind: str) -> dict[str, Any]:
    return {"id": f"talk-{kind}", "type": f"CONVERSATION/{kind}", "timestamp": "2026-11-02T10:00:00Z", "content": TALK}


@pytest.mark.parametrize(
    ("sample", "events", "fired"),
    [
        ("vip", [contact(1, 0), contact(2, 1)], [("10:00:00", "STARTED-1")]),
        ("account_managers", [conversation("REOPENED"), conversation("CLOSED")], [("10:00:00", "talk-REOPENED")]),
        ("reopened", [conversation("CREATED"), conversation("REOPENED")], [("10:00:00", "talk-REOPENED")]),
        (
            "waiting_contacts",
            [contact(1, 0), contact(2, 0), contact(2, 6, "FULFILLED", fulfilledType="RESPONDED")],
            [("10:07:20", "STARTED-1")],
        ),
        ("availability", [toggle(1, 0), toggle(2, 100), toggle(3, 290), toggle(4, 300)], [("10:05:10", "toggle-3")]),
    ],
)
def test_samples_on_recorded_events(
    program: HeardProgram, sample: str, events: list[dict[str, Any]], fired: list[tuple[str, str]]
) -> None:
    """Each does what its comment says, and sends rows that can be imported."""
    attributes = {"tier": "vip", "accountManager": "mia@example.org"}
    write("events.ndjson", events)
    write("customers.ndjson", [{"id": "c1", "name": "Ada", "customAttributes": attributes}, {"id": "c2"}])
    paths = ("--events", "events.ndjson", "--customers", "customers.ndjson")

    told = program("rules", "check", str(SAMPLES / f"{sample}.toml"), *paths, "--json")

    assert told.code == 0
    found = json.loads(told.out)["actions"]
    assert [(one["at"][11:19], one["event_id"]) for one in found] == fired
    assert [one["problem"] for one in found] == [""] * len(found)
