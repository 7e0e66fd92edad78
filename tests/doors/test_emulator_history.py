"""`seed_history`: the objects, the export jobs, the events and the reports tell one history."""

import datetime as dt
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
import pytest

from bulkgladly.emulator import Clock, Emulator
from bulkgladly.emulator.operations.event_types import EVENT_SHAPES, Field
from bulkgladly.emulator.organisation.clock import moment_of
from bulkgladly.emulator.seeding.history_plan import Story
from bulkgladly.emulator.seeding.seed_history import History

NOW = dt.datetime(2026, 3, 20, 15, 26, tzinfo=dt.UTC)
DAYS = [NOW.date() - dt.timedelta(days=back) for back in range(8)]


def an_emulator(**options: Any) -> Emulator:
    return Emulator(**{"seed_history": 7, "clock": Clock(wall=NOW.timestamp), **options})


@pytest.fixture(scope="module")
def emulator() -> Emulator:
    return an_emulator()


@pytest.fixture(scope="module")
def history(emulator: Emulator) -> History:
    assert emulator.history is not None
    return emulator.history


def rows(emulator: Emulator, metric_set: str) -> list[dict[str, str]]:
    return [row for day in DAYS for row in emulator.reports.rows(metric_set, day=day)]


def lines(emulator: Emulator, name: str) -> Iterator[dict[str, Any]]:
    for job in emulator.store.jobs.present():
        file = job.files[name]
        yield from (orjson.loads(line) for line in b"".join(file.blocks()).splitlines())


def test_the_same_seed_gives_the_same_history(history: History) -> None:
    """And another seed another one."""
    assert an_emulator().history == history
    assert an_emulator(seed=1).history != history


def test_a_longer_history_has_the_same_days(history: History) -> None:
    """Those of the shorter one, apart from what began before it."""
    longer = an_emulator(seed_history=12).history
    assert longer is not None
    assert {story.id for story in history.stories} <= {story.id for story in longer.stories}


def test_nothing_happens_after_now(emulator: Emulator, history: History) -> None:
    """Neither in objects nor in events."""
    moments = [moment_of(item["timestamp"]) for item in emulator.store.items.values()]
    moments += [each.at for each in history.happenings]
    assert max(moments) <= NOW
    assert moments


def test_export_jobs_hold_the_items_of_their_days(emulator: Emulator) -> None:
    """Each item that happened before today, once, as the API has it."""
    exported = {line["id"]: line for line in lines(emulator, "conversation_items.jsonl")}
    midnight = NOW.replace(hour=0, minute=0)
    first = midnight - dt.timedelta(days=7)
    past = {i: v for i, v in emulator.store.items.items() if first <= moment_of(v["timestamp"]) < midnight}
    assert exported == past
    assert {line["id"] for line in lines(emulator, "customers.jsonl")} == set(emulator.store.customers)


def test_reports_name_the_same_conversations(emulator: Emulator, history: History) -> None:
    """With status, agent and times of the API."""
    reported = {row["Conversation ID"]: row for row in rows(emulator, "ConversationExportReport")}
    assert set(reported) == {story.id for story in history.stories} == set(emulator.store.conversations)
    for conversation in emulator.store.conversations.values():
        row = reported[conversation["id"]]
        assert row["Created At"] == conversation["createdAt"]
        assert row["Last Closed At"] == conversation.get("closedAt", "")
        assert row["Assigned Agent ID - Current"] == conversation.get("agentId", "")
        assert (row["Status"] == "CLOSED") == (conversation["status"] == "CLOSED")


def test_reports_add_up(emulator: Emulator, history: History) -> None:
    """Each contact is in every report about contacts, and each task in those about tasks."""
    total = len(history.stories)
    assert len(rows(emulator, "ContactExportReportV3")) == total
    assert len(rows(emulator, "WorkSessionEventsReportV4")) == total
    assert sum(int(row["Contacts"]) for row in rows(emulator, "ChannelMixReportV2")) == total
    assert {row["Task ID"] for row in rows(emulator, "TaskExportReport")} == set(emulator.store.tasks)
    assert len(rows(emulator, "AgentLoginTimeReport")) == len(history.shifts)
    summed = sum(float(row["Handle Time"]) for row in rows(emulator, "AgentSummaryV2"))
    assert summed == pytest.approx(sum(s.handle_s for s in history.stories if s.accepted and s.ended), abs=1)


def test_reports_tell_the_events(emulator: Emulator, history: History) -> None:
    """Each event of a contact, conversation or task once, with its time."""
    told = Counter((each.type, each.content.get("conversationId", "")) for each in history.happenings)
    for name, begin in (("ContactTimestampsReport", "CONTACT/"), ("ConversationTimestampsReport", "CONVERSATION")):
        found = Counter((row["Event Type"], row["Conversation ID"]) for row in rows(emulator, name))
        renamed = Counter({(e.replace("NOTE/", "CONVERSATION/NOTE_"), c): n for (e, c), n in found.items()})
        assert renamed == Counter({each: n for each, n in told.items() if each[0].startswith(begin)})


def test_events_of_the_last_day_have_their_shape(emulator: Emulator) -> None:
    """The documented fields, about objects that exist."""
    kinds = set()
    for event in emulator.store.event_log:
        kinds.add(event.type.split("/")[0])
        assert_shape(event.content, EVENT_SHAPES[event.type])
        content = event.content
        assert "messageId" not in content or content["messageId"] in emulator.store.items
        assert "taskId" not in content or content["taskId"] in emulator.store.tasks
    assert kinds >= {"CONTACT", "CONVERSATION", "TASK", "AGENT_STATUS", "AGENT_AVAILABILITY"}


def assert_shape(content: Mapping[str, Any], fields: Sequence[Field]) -> None:
    known = {field.name: field for field in fields}
    assert set(content) <= set(known)
    assert {field.name for field in fields if field.required} <= set(content)
    for name, value in content.items():
        kind = known[name].kind
        if isinstance(kind, tuple):
            assert_shape(value, kind)


def test_agents_differ(history: History) -> None:
    """In how fast they reply, in the order of their numbers."""
    quick, slow = (median_of(history.stories, agent) for agent in ("agent-1", "agent-5"))
    assert quick * 1.5 < slow


def median_of(stories: Sequence[Story], agent: str) -> float:
    waits = [s.first_response_s for s in stories if s.agent_id == agent and s.channel == "CHAT"]
    return statistics.median([wait for wait in waits if wait is not None])


def test_people_act_in_a_human_order(history: History) -> None:
    """Accepted after the start, replied after that, ended, closed, and then rated."""
    for story in history.stories:
        rated = None if story.survey is None else story.survey.at
        moments = [story.started, story.accepted, story.ended, story.closed, rated]
        past = [moment for moment in moments if moment is not None]
        assert past == sorted(past)
        sent = [message.at for message in story.messages]
        assert sent == sorted(sent)


def test_a_state_file_wins(tmp_path: Any) -> None:
    """A history is not added to what was loaded."""
    file = tmp_path / "state.json"
    file.write_bytes(orjson.dumps({"version": 1, "organization": {}, "collections": {}, "merged": {}, "deleted": []}))
    emulator = an_emulator(state_file=file)
    assert emulator.history is None
    assert not emulator.store.conversations


@pytest.mark.parametrize("options", [{"seed_history": 367}, {"seed_events": 5}])
def test_what_does_not_go_together_is_refused(options: dict[str, int]) -> None:
    """A year at most, and no events from elsewhere."""
    with pytest.raises(ValueError, match="seed_history"):
        an_emulator(**options)
