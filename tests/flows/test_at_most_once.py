"""What Gladly could not tell from a second one is sent once: over runs, lost journals, races and accidents."""

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bulkgladly import JournalDamaged, NotAuthenticated, Observer, Pace, Report, UsageError, list_runs
from bulkgladly.api.client import Client
from bulkgladly.emulator import drop_reply, status
from bulkgladly.messages import Reply, Request
from tests.flows.conftest import World, lines
from tests.flows.quickly import start_import
from tests.flows.test_kill_minus_nine import Program
from tests.flows.test_kill_points import POINTS, Crash, Plug

ROWS = 8
ALONE = Pace(unlimited=True, concurrency=1)


def note(number: int, **more: Any) -> dict[str, Any]:
    return {"crm": str(number), "conversationId": "talk", "body": f"x{number}", **more}


def text(number: int) -> dict[str, Any]:
    return {"crm": str(number), "mobileNumber": f"+165055501{number:02}", "from": "+16505550199", "body": "Hello"}


def notes(count: int = ROWS) -> list[dict[str, Any]]:
    return [note(number) for number in range(count)]


def made(world: World) -> Counter[str]:
    """How many notes there are with each body."""
    return Counter(str(item["content"].get("body")) for item in world.emulator.store.items.values())


def once(count: int = ROWS) -> dict[str, int]:
    return dict.fromkeys((f"x{number}" for number in range(count)), 1)


def heard(world: World) -> Counter[str]:
    """How many messages each person got."""
    return Counter(one["content"]["to"] for one in world.emulator.store.collections["sent_messages"].values())


@pytest.fixture
async def talk(world: World) -> World:
    """An organisation with a customer and a conversation."""
    world.emulator.add_customer(id="ada", emails=[{"original": "ada@example.org"}])
    world.emulator.add_conversation("ada", id="talk", inboxId="inbox-1")
    return world


@pytest.fixture
async def plug(talk: World) -> AsyncIterator[Plug]:
    plug = Plug(talk)
    yield plug
    plug.out()


async def side_by_side(world: World, *paths: Path, resource: str = "notes", **changes: Any) -> list[Report | str]:
    """Start imports at the same moment; of each its report, or why it was refused."""

    async def one(path: Path) -> Report | str:
        try:
            return await start_import(resource, [path], world.credentials, world.choose(changes))
        except UsageError as refusal:
            return str(refusal)

    return await asyncio.gather(*(one(path) for path in paths))


async def test_a_note_is_not_sent_twice_when_two_runs_overlap(talk: World) -> None:
    """Two files with the same keys at once: each note once, and each row has a word that is so."""
    first = talk.ndjson([*notes(), note(20)], "first.ndjson")
    second = talk.ndjson([*notes()[::-1], note(21)], "second.ndjson")

    reports = await side_by_side(talk, first, second)

    assert made(talk) == {**once(), "x20": 1, "x21": 1}
    words: Counter[str] = Counter()
    for report in reports:
        assert isinstance(report, Report)
        assert report.adds_up
        words.update({word: report.counts[word] for word in ("created", "unchanged", "unknown", "rejected")})
    assert words["created"] == ROWS + 2
    assert words["unchanged"] + words["unknown"] == ROWS
    assert words["rejected"] == 0


async def test_a_note_is_not_sent_twice_when_one_content_is_started_twice_at_once(talk: World) -> None:
    """Two names, one content: the second start learns of the first, or finds its notes sent."""
    paths = [talk.ndjson(notes(), name) for name in ("one.ndjson", "two.ndjson", "three.ndjson")]

    ends = await side_by_side(talk, *paths)

    assert made(talk) == once()
    assert sum(end.counts["created"] for end in ends if isinstance(end, Report)) == ROWS
    for refusal in (end for end in ends if isinstance(end, str)):
        assert "is working on run notes-create_" in refusal or "bulkgladly resume" in refusal


async def test_a_second_start_at_the_same_moment_is_refused_clearly(talk: World) -> None:
    """In processes of their own, which also make the state together: one begins, the others name it."""
    path = talk.ndjson(notes(2))
    program = Program(talk.emulator, talk.folder)

    started = [await program.start("import", "notes", str(path), "--key", "crm") for _ in range(3)]
    ends = [await program.end(process) for process in started]

    assert made(talk) == once(2)
    assert [code for code, _, _ in ends if code != 2].count(0) >= 1, ends
    for code, _, errors in ends:
        assert code in (0, 2), errors.decode()
        told = errors.decode()
        assert code == 0 or "is working on run notes-create_" in told or "bulkgladly resume notes-create_" in told


async def test_nobody_gets_a_message_twice_when_two_runs_begin_at_once(talk: World) -> None:
    """The first message of each run goes out alone, for a person to look at: it is one and the same."""
    paths = [talk.ndjson([text(number) for number in order], f"{order[0]}.ndjson") for order in ([0, 1, 2], [0, 2, 1])]

    await side_by_side(talk, *paths, resource="sms", contacts_people=True)
    for run in list_runs(talk.state):
        await talk.resume(run)

    assert max(heard(talk).values()) == 1
    assert sum(heard(talk).values()) == 3


async def test_a_note_is_not_sent_twice_when_the_journal_is_lost_after_a_kill(talk: World, plug: Plug) -> None:
    """A run without its journal is no new run; and a new one knows from the state what may have been sent."""
    path = talk.ndjson(notes())
    plug.at("after commit on the server, before the reply", 3)
    with pytest.raises(Crash):
        await talk.run(path, resource="notes", pace=ALONE)
    plug.out()
    talk.options = talk.choose({"state_dir": plug.after})
    [run] = list_runs(plug.after)
    for file in run.path.glob("journal.sqlite*"):
        file.unlink()

    with pytest.raises(JournalDamaged, match=r"is damaged: .*journal\.sqlite is missing or empty"):
        await talk.resume(run)
    anew = await talk.run(path, resource="notes")

    assert made(talk) == once()
    assert (anew.counts["created"], anew.counts["unknown"], anew.counts["unchanged"]) == (ROWS - 3, 1, 2)
    assert run.name in str(talk.result(anew, "rejected")[0]["_bulkgladly"]["detail"])


@pytest.mark.parametrize("point", [point for point in POINTS if point != "before intent"])
async def test_a_note_is_not_sent_twice_when_an_older_journal_is_put_back(point: str, talk: World, plug: Plug) -> None:
    """From a backup, say: what it does not know of, the state knows."""
    path = talk.ndjson(notes())
    await talk.run(path, resource="notes", max_rows=2)
    [run] = list_runs(talk.state)
    shutil.copytree(run.path, talk.folder / "older")
    plug.at(point, 1 if point == "before commit" else 3)
    with pytest.raises(Crash):
        await talk.resume(pace=ALONE)
    plug.out()
    talk.options = talk.choose({"state_dir": plug.after})
    [run] = list_runs(plug.after)
    shutil.rmtree(run.path)
    shutil.copytree(talk.folder / "older", run.path)

    report = await talk.resume(run)

    assert max(made(talk).values()) == 1
    assert report.counts["created"] + report.counts["unchanged"] + report.counts["unknown"] == ROWS
    assert len(made(talk)) >= ROWS - report.counts["unknown"]


class Meddler(Observer):
    """Does something to the disk when the first requests are out."""

    interval_s = 0.001

    def __init__(self, act: Callable[[], None]) -> None:
        self._act: Callable[[], None] | None = act

    def tick(self, view: Any) -> None:
        if self._act is not None and view.counts.get("created", 0) >= 2:
            act, self._act = self._act, None
            act()


def remove_state(state: Path) -> None:
    for path in state.glob("state.sqlite*"):
        path.unlink()


def replace_state(state: Path) -> None:
    (state / "other").write_bytes(b"")
    (state / "other").replace(state / "state.sqlite")


@pytest.mark.parametrize(("meddle", "what"), [(remove_state, "deleted"), (replace_state, "replaced")])
async def test_a_note_is_not_sent_twice_when_the_memory_is_lost_in_mid_run(
    meddle: Callable[[Path], None], what: str, talk: World
) -> None:
    """The run ends at once with exit code 2, and a resume writes down again what it has sent."""
    rows = notes(40)
    path = talk.ndjson(rows)
    options = talk.choose({"pace": Pace(unlimited=True, concurrency=1)})

    report = await start_import(
        "notes", [path], talk.credentials, options, observer=Meddler(lambda: meddle(talk.state))
    )
    sent = sum(made(talk).values())
    with pytest.raises(UsageError, match="resume"):
        await talk.run(path, resource="notes")
    resumed = await talk.resume()
    again = await talk.rows(rows, resource="notes")

    assert (report.exit_code, report.status) == (2, "failed")
    assert f"state.sqlite was {what}" in (report.reason or "")
    assert 2 <= sent < 40, "nothing more left once it was noticed"
    assert (resumed.exit_code, resumed.counts["created"]) == (0, 40)
    assert again.counts["created"] == 0
    assert made(talk) == once(40)


async def test_a_run_that_lost_the_memory_is_not_a_success(world: World) -> None:
    """Also where nobody could be made twice: the next run would ask about all of them."""
    path = world.ndjson([{"crm": str(number), "name": f"Sample {number}"} for number in range(50)])
    options = world.choose({"pace": Pace(unlimited=True, concurrency=1)})

    report = await start_import(
        "customers", [path], world.credentials, options, observer=Meddler(lambda: remove_state(world.state))
    )

    assert (report.exit_code, report.status) == (2, "failed")
    assert report.counts["created"] == 50


async def test_what_was_refused_can_be_corrected_and_sent(talk: World) -> None:
    """A refusal made nothing: the key is free again."""
    await talk.rows([note(1, conversationId="elsewhere")], resource="notes")

    corrected = await talk.rows([note(1)], resource="notes")

    assert corrected.counts["created"] == 1


class Withdrawing(Client):
    """A client whose token is withdrawn before it changes anything."""

    async def send(self, request: Request) -> Reply:
        if request.method == "POST":
            raise NotAuthenticated("the token was withdrawn")
        return await super().send(request)


async def test_what_was_not_let_in_is_sent_by_a_resume(talk: World) -> None:
    """Wrong credentials end a run, and leave nothing in doubt."""
    usual = talk.environment
    talk.environment = replace(usual, client=Withdrawing)
    report = await talk.run(talk.ndjson(notes()), resource="notes")
    talk.environment = usual

    resumed = await talk.resume()

    assert (report.exit_code, report.counts["unprocessed"]) == (4, ROWS)
    assert (resumed.exit_code, resumed.counts["created"]) == (0, ROWS)
    assert made(talk) == once()


# --- what a person has looked for -------------------------------------------------------------


async def test_a_message_that_a_person_has_looked_for_is_sent_once(talk: World) -> None:
    """The messages of the unknown rows, and of no other; allowed again, and one first."""
    talk.emulator.faults.script("sendSMS", [None, status(503), status(503), drop_reply()])
    await talk.run(talk.ndjson([text(number) for number in range(5)]), resource="sms", contacts_people=True)
    first = await talk.resume(pace=ALONE)
    run = talk.last_run()

    with pytest.raises(UsageError, match="skipped"):
        await talk.retry(run, contacts_people=True)
    with pytest.raises(UsageError, match="--i-know-this-contacts-people"):
        await talk.retry(run, sent_nothing=True)
    canary = await talk.retry(run, sent_nothing=True, contacts_people=True)
    rest = await talk.resume()

    assert first.counts["unknown"] == 3
    assert (canary.counts["created"], canary.counts["unprocessed"], canary.exit_code) == (1, 2, 10)
    assert (rest.counts["created"], rest.exit_code) == (3, 0)
    # The last one had arrived: whoever says that it had not was wrong, and only so it is there twice.
    assert sorted(heard(talk).values()) == [1, 1, 1, 1, 2]


async def test_two_retries_of_what_was_looked_for_send_it_once(talk: World) -> None:
    """Also when both begin at the same moment."""
    talk.emulator.faults.script("addNoteToConversation", [status(503)] * ROWS)
    first = await talk.run(talk.ndjson(notes()), resource="notes")
    run = talk.last_run()

    ends = await asyncio.gather(*(talk.retry(run, sent_nothing=True) for _ in range(3)), return_exceptions=True)

    assert first.counts["unknown"] == ROWS
    assert made(talk) == once()
    assert sum(end.counts["created"] for end in ends if isinstance(end, Report)) == ROWS


async def test_a_retry_that_was_killed_sends_nothing_twice(talk: World, plug: Plug) -> None:
    """What it had sent stays sent, what it had not is still released to it, what is between is unknown again."""
    talk.emulator.faults.script("addNoteToConversation", [status(503)] * ROWS)
    await talk.run(talk.ndjson(notes()), resource="notes")
    plug.at("before settle", 3)
    with pytest.raises(Crash):
        await talk.retry(talk.last_run(), sent_nothing=True, pace=ALONE)
    plug.out()
    talk.options = talk.choose({"state_dir": plug.after})

    resumed = await talk.resume(talk.last_run())

    assert made(talk) == once()
    assert (resumed.counts["created"], resumed.exit_code) == (ROWS, 0)


async def test_what_another_run_may_have_sent_is_released_by_that_run_alone(talk: World) -> None:
    """Unless it is gone: then whoever met its reservation can say that nothing was sent."""
    talk.emulator.faults.script("addNoteToConversation", [status(503)])
    first = await talk.rows([note(0)], resource="notes")
    holder = talk.last_run()
    met = await talk.rows([note(0), note(1)], resource="notes")
    other = talk.last_run()

    told = str(talk.result(met, "rejected")[0]["_bulkgladly"]["detail"])
    kept = await talk.retry(other, sent_nothing=True)
    shutil.rmtree(holder.path)
    sent = await talk.retry(other, sent_nothing=True)

    assert (first.counts["unknown"], met.counts["unknown"], kept.counts["unknown"]) == (1, 1, 1)
    assert f"retry {holder.name} --sent-nothing" in told
    assert (sent.counts["created"], made(talk)) == (1, {"x0": 1, "x1": 1})


async def test_customers_are_asked_about_and_not_declared_unsent(world: World) -> None:
    """`--sent-nothing` is for what nobody can ask about."""
    await world.rows([{"crm": "1", "email:1": "nobody"}])

    with pytest.raises(UsageError, match="run `bulkgladly retry"):
        await world.retry(sent_nothing=True)


async def test_a_canary_goes_first_although_another_run_has_the_first_row(talk: World) -> None:
    """A row that ends without being sent is nothing to look at."""
    await talk.run(talk.ndjson([text(0)], "one.ndjson"), resource="sms", contacts_people=True)
    talk.emulator.faults.script("sendSMS", [status(503)])
    await talk.run(talk.ndjson([text(1)], "two.ndjson"), resource="sms", contacts_people=True)
    rows = talk.ndjson([text(1), text(2), text(3)], "three.ndjson")

    first = await talk.run(rows, resource="sms", contacts_people=True)
    rest = await talk.resume()

    assert (first.counts["unknown"], first.counts["created"], first.counts["unprocessed"]) == (1, 1, 1)
    assert rest.counts["created"] == 2


async def test_the_result_of_a_reserved_record_is_told(talk: World) -> None:
    """Rejected and unknown rows stand in the file for people, as for every other object."""
    talk.emulator.faults.script("addNoteToConversation", [status(503)])

    report = await talk.rows([note(0), note(1, conversationId="elsewhere")], resource="notes", pace=ALONE)

    told = lines(Path(report.folder) / "rejected.ndjson")
    assert {row["_bulkgladly"]["outcome"] for row in told} == {"unknown", "rejected"}
