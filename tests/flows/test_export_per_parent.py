"""What is fetched parent by parent: each parent asked once, every answer kept, nothing asked again for nothing."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from bulkgladly import DiskFull, InputError, Limits, Pace, UsageError
from bulkgladly.emulator import status
from bulkgladly.emulator.faults.fault import Fault
from bulkgladly.emulator.protocol.replies import Reply
from bulkgladly.exports.export_options import ExportOptions
from bulkgladly.exports.job_files import JobFiles
from bulkgladly.exports.per_parent import PerParent
from bulkgladly.exports.unit_kinds import UnitState
from bulkgladly.journal.runs import list_runs
from bulkgladly.journal.units import UnitLog
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.verify import verify
from bulkgladly.runs.environment import Bounds
from tests.flows.driving import Driver, Ends, later, path_with
from tests.flows.exporting import NIGHT, NOT_THERE, Lake, note_line
from tests.full_disk import fill_at_sync

ABSENT = "nobody-000000000000000"


def per_parent(word: str) -> Callable[[ExportOptions], PerParent]:
    return lambda options: PerParent(word, options)


async def fetch(lake: Lake, word: str, *, stop_after: int | None = None, run: str = "run", **changes: Any) -> Ends:
    """Fetch a word in one session of a run."""
    return await Driver(lake, run).drive(per_parent(word), stop_after=stop_after, **changes)


def people(lake: Lake, count: int) -> list[str]:
    """The ids of a number of new customers."""
    return [
        lake.emulator.add_customer(name=f"Person {n}", emails=[{"original": f"p{n}@example.org"}]) for n in range(count)
    ]


def ids_file(lake: Lake, ids: Iterable[str], name: str = "ids.txt") -> Path:
    return path_with(lake.folder, name, list(ids))


def rows(lake: Lake, data_set: str) -> Sequence[Mapping[str, Any]]:
    return lake.table(data_set).to_pylist()


def by_asked(lake: Lake, data_set: str = "profiles") -> dict[str, Mapping[str, Any]]:
    """The rows by what was asked for; no two answer the same."""
    found = {row["_asked_id"]: row for row in rows(lake, data_set)}
    assert len(found) == lake.table(data_set).num_rows
    return found


async def test_each_id_is_asked_once_and_its_row_says_what_was_asked_and_when(lake: Lake) -> None:
    """One request per parent, also where an id comes twice; all in one unit."""
    ids = people(lake, 12)
    lake.forget()

    ends = await fetch(lake, "profiles", ids=ids_file(lake, [*ids, "", ids[3]]))

    assert lake.asked() == {"getCustomer": 12}
    (end,) = ends
    assert (end.result.state, end.result.created, end.result.updated) == (UnitState.DONE, 12, 0)
    assert {row["id"]: row["_asked_id"] for row in rows(lake, "profiles")} == {one: one for one in ids}
    assert {row["_fetched_at"] for row in rows(lake, "profiles")} == {lake.wall.now}
    assert by_asked(lake)[ids[0]]["emails"][0]["original"] == "p0@example.org"
    assert [manifest.unit for manifest in lake.manifests("profiles").values()] == [end.name]
    assert verify(DataFolder.open(lake.out), deep=True).is_sound


async def test_what_is_there_is_not_asked_again_unless_told(lake: Lake) -> None:
    """A second run costs no request; --refresh asks all, and counts them as updated."""
    ids = ids_file(lake, people(lake, 5))
    await fetch(lake, "profiles", ids=ids)
    before = lake.parts()
    lake.forget()
    later(lake, days=1)

    again = await fetch(lake, "profiles", run="second", ids=ids)

    assert (list(again), lake.asked(), lake.parts()) == ([], {}, before)
    refreshed = await fetch(lake, "profiles", run="third", ids=ids, refresh=True)
    assert (refreshed.total("created"), refreshed.total("updated")) == (0, 5)
    assert lake.asked() == {"getCustomer": 5}
    assert lake.table("profiles").num_rows == 10


async def test_who_was_active_since_is_asked_again(lake: Lake) -> None:
    """A newer export job that shows a customer costs a request for this one, and no other."""
    ids = people(lake, 3)
    lake.wall.now = NIGHT - dt.timedelta(hours=2)
    lake.add_job([note_line(n, customerId=one) for n, one in enumerate(ids)], nights_ago=1)
    await Driver(lake, "jobs-1").drive(lambda _: JobFiles(["items"]))
    first = await fetch(lake, "profiles", from_dataset=lake.out)
    lake.wall.now = NIGHT + dt.timedelta(hours=1)
    lake.add_job([note_line(9, customerId=ids[1])])
    await Driver(lake, "jobs-2").drive(lambda _: JobFiles(["items"]))
    lake.forget()

    second = await fetch(lake, "profiles", run="second", from_dataset=lake.out)

    assert first.total("created") == 3
    assert (second.total("created"), second.total("updated")) == (0, 1)
    assert lake.asked() == {"getCustomer": 1}
    assert [row["_asked_id"] for row in rows(lake, "profiles")].count(ids[1]) == 2
    lake.forget()
    assert not list(await fetch(lake, "profiles", run="third", from_dataset=lake.out))
    assert not lake.asked()


async def test_a_merged_customer_is_followed_and_both_ids_are_kept(lake: Lake) -> None:
    """The row has the new id, and says under which old one it was asked for."""
    old, middle, new, lone = people(lake, 4)
    lake.emulator.store.merge(old, middle)
    lake.emulator.store.merge(middle, new)
    lake.forget()

    await fetch(lake, "profiles", ids=ids_file(lake, [old, lone]))

    assert {key: row["id"] for key, row in by_asked(lake).items()} == {old: new, lone: lone}
    assert lake.asked() == {"getCustomer": 4}
    lake.forget()
    assert not list(await fetch(lake, "profiles", run="second", ids=ids_file(lake, [old, new, lone])))
    assert not lake.asked()


@pytest.mark.parametrize("is_404", [True, False])
async def test_what_belonged_to_a_merged_customer_is_found(lake: Lake, is_404: bool) -> None:
    """Whatever the list of an old id answers: a 404 is not believed before the profile has said so."""
    old, new = people(lake, 2)
    conversation = lake.emulator.add_conversation(old)
    lake.emulator.store.merge(old, new)
    moved = Reply(301, orjson.dumps({"errors": [{"code": "moved", "meta": {"old": old, "new": new}}]}))
    fault = NOT_THERE if is_404 else Fault("answer", reply=moved)
    lake.emulator.faults.script(f"GET /api/v1/customers/{old}/conversations", [fault])

    ends = await fetch(lake, "conversations", ids=ids_file(lake, [old, ABSENT]))

    assert ends.only().created == 1
    ((asked, row),) = by_asked(lake, "conversations").items()
    assert (asked, row["id"], row["customerId"]) == (old, conversation, new)


async def test_what_belonged_to_a_merged_customer_is_not_lost_because_the_profile_could_not_be_read(lake: Lake) -> None:
    """Only the profile tells a merge. Without it, the 404 of the list proves nothing, and the next run asks again."""
    old, new = people(lake, 2)
    conversation = lake.emulator.add_conversation(old)
    lake.emulator.store.merge(old, new)
    lake.emulator.faults.script(f"GET /api/v1/customers/{old}/conversations", [NOT_THERE, NOT_THERE])
    lake.emulator.faults.script("getCustomer", [status(400)])

    ends = await fetch(lake, "conversations", ids=ids_file(lake, [old]))
    again = await fetch(lake, "conversations", run="second", ids=ids_file(lake, [old]))

    assert (ends.only().state, again.only().created) == (UnitState.FAILED, 1)
    assert [row["id"] for row in rows(lake, "conversations")] == [conversation]


async def test_an_address_that_is_refused_is_not_repeated(lake: Lake) -> None:
    """Gladly's own words about it stay out of journal and report."""
    said = Reply(400, orjson.dumps({"errors": [{"attr": "email", "detail": "odd@@example.org is no address"}]}))
    lake.emulator.faults.script("findCustomers", [Fault("answer", reply=said)])

    ends = await fetch(lake, "profiles", emails=path_with(lake.folder, "emails.txt", ["odd@@example.org"]))

    assert (ends.only().state, ends.only().detail) == (UnitState.FAILED, "Gladly answered 400")


async def test_a_chain_of_merges_without_end_is_given_up(lake: Lake) -> None:
    """Five are followed; then the parent fails alone."""
    circle = Reply(301, orjson.dumps({"errors": [{"code": "moved", "meta": {"new": "x"}}]}))
    (one,) = people(lake, 1)
    lake.emulator.faults.script("getCustomer", [Fault("answer", reply=circle)] * 6)
    lake.forget()

    ends = await fetch(lake, "profiles", ids=ids_file(lake, [one]))

    assert lake.asked() == {"getCustomer": 6}
    assert [(end.name, end.result.state) for end in ends] == [(one, UnitState.FAILED)]
    assert "301" in ends.only().detail


async def test_an_id_that_nobody_has_is_no_error_and_asked_once(lake: Lake) -> None:
    """404 stands in the manifest; only --refresh asks again."""
    (here,) = people(lake, 1)
    ids = ids_file(lake, [ABSENT, here])

    ends = await fetch(lake, "profiles", ids=ids)

    assert ends.only().state is UnitState.DONE
    assert ends.only().detail == "1 of 2 no longer exist"
    assert ends.notes == ["profiles: Gladly does not have 1 of those requested"]
    (manifest,) = lake.manifests("profiles").values()
    assert list(manifest.source["gone"]) == [ABSENT]
    lake.forget()
    await fetch(lake, "profiles", run="second", ids=ids)
    assert not lake.asked()
    later(lake, seconds=1)
    await fetch(lake, "profiles", run="third", ids=ids, refresh=True)
    assert lake.asked() == {"getCustomer": 2}


async def test_a_parent_without_children_is_asked_once(lake: Lake) -> None:
    """An empty list leaves no row, and is remembered all the same."""
    ids = ids_file(lake, people(lake, 2))

    ends = await fetch(lake, "conversations", ids=ids)
    lake.forget()
    again = await fetch(lake, "conversations", run="second", ids=ids)

    assert (ends.only().state, ends.only().created) == (UnitState.DONE, 0)
    assert (list(again), lake.asked()) == ([], {})


@pytest.mark.parametrize(
    "fault",
    [
        status(400),
        status(418),
        status(404, body="html"),
        Fault("answer", reply=Reply(200, b"<html>")),
        Fault("answer", reply=Reply(200, b'{"id":"somebody-else"}')),
    ],
    ids=["400", "418", "404 of a gateway", "a page", "somebody else"],
)
async def test_one_bad_answer_fails_its_parent_alone(lake: Lake, fault: Fault) -> None:
    """The others are published, the exit code tells, and the next run asks for this one again."""
    ids = people(lake, 3)
    lake.emulator.faults.after(f"GET /api/v1/customer-profiles/{ids[1]}", 0, fault)

    ends = await fetch(lake, "profiles", ids=ids_file(lake, ids))
    lake.emulator.faults.clear()
    lake.forget()
    again = await fetch(lake, "profiles", run="second", ids=ids_file(lake, ids))

    assert [end.name for end in ends.of(UnitState.FAILED)] == [ids[1]]
    assert ends.total("created") == 2
    assert (again.only().created, lake.asked()) == (1, {"getCustomer": 1})
    assert sorted(by_asked(lake)) == sorted(ids)


async def test_what_cannot_be_asked_is_told_with_its_place(lake: Lake) -> None:
    """No text of the file goes into a message, and the rest is fetched."""
    (here,) = people(lake, 1)
    path = lake.folder / "ids.txt"
    path.write_bytes(b"..\n\xff\xfe\n" + here.encode() + b"\r\n\n")

    ends = await fetch(lake, "profiles", ids=path)

    (failed,) = ends.of(UnitState.FAILED)
    assert failed.result.detail == f"2 are not valid ids and were not requested; the first: {path}:1"
    assert list(by_asked(lake)) == [here]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("ids.csv", "other,customerId\n1,{0}\n2,{1}\n"),
        ("ids.ndjson", '{{"id":"{0}"}}\n{{"gladly_id":"{1}"}}\n'),
        ("ids.txt", "{0}\n{1}"),
        ("ids", "\ufeff{0}\n{1}\n"),
    ],
)
async def test_ids_come_in_any_format(lake: Lake, name: str, content: str) -> None:
    """One a line, or a column of any file that can be imported; our own success.ndjson among them."""
    ids = people(lake, 2)
    path = lake.folder / name
    path.write_text(content.format(*ids), encoding="utf-8")

    await fetch(lake, "profiles", ids=path)

    assert sorted(by_asked(lake)) == sorted(ids)


async def test_a_file_without_ids_is_refused_before_anything_is_asked(lake: Lake) -> None:
    path = path_with(lake.folder, "ids.csv", ["name", "Ada"])

    with pytest.raises(UsageError, match="no column id or customerId"):
        await fetch(lake, "profiles", ids=path)
    with pytest.raises(InputError, match=r"missing\.txt: no such file"):
        await fetch(lake, "profiles", ids=lake.folder / "missing.txt")
    assert not lake.asked()


@pytest.mark.parametrize(
    ("word", "changes", "message"),
    [
        ("profiles", {}, "--emails"),
        ("conversations", {}, "--ids FILE or --from-dataset"),
        ("tasks", {"emails": Path("x")}, "export profiles by --emails first"),
    ],
)
def test_parents_must_be_named(lake: Lake, word: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        PerParent(word, lake.options(**changes))


async def test_a_data_set_that_names_no_parents_is_refused(lake: Lake) -> None:
    DataFolder.open(lake.folder / "other", host=None, create=True)

    with pytest.raises(UsageError, match="has no customers or items"):
        await fetch(lake, "profiles", from_dataset=lake.folder / "other")


async def test_addresses_are_looked_up_and_do_not_leave_the_data(lake: Lake) -> None:
    """One request per address; journal, manifests and results name it by a hash."""
    ids = people(lake, 2)
    path = path_with(lake.folder, "emails.csv", ["email", "p0@example.org", "P1@example.org", "nobody@example.org"])
    lake.forget()

    ends = await fetch(lake, "profiles", emails=path)

    assert lake.asked() == {"findCustomers": 3}
    assert sorted(row["id"] for row in rows(lake, "profiles")) == sorted(ids)
    (manifest,) = lake.manifests("profiles").values()
    assert len(manifest.source["empty"]) == 1
    told = repr((ends, manifest)).encode()
    for at in (
        path for top in (lake.out / "_manifest", lake.folder / "run") for path in top.rglob("*") if path.is_file()
    ):
        told += at.read_bytes()
    assert b"nobody@" not in told
    assert b"p0@" not in told.lower()
    lake.forget()
    assert not list(await fetch(lake, "profiles", run="second", emails=path))
    assert not lake.asked()


async def test_every_word_fills_its_data_set(make_lake: Callable[..., Any]) -> None:
    """From one seed of customers to all that hangs on them, each word by the rows of the one before."""
    lake = await make_lake(seed_customers=3, seed_conversations=2)
    store = lake.emulator.store
    ids = ids_file(lake, list(store.customers))

    for word in ("profiles", "conversations", "tasks"):
        await fetch(lake, word, run=word, ids=ids)
    for word in ("conversation-items", "task-comments", "transcripts"):
        await fetch(lake, word, run=word, from_dataset=lake.out if word != "transcripts" else None)
    answers = ids_file(lake, list(store.collections["answers"]), "answers.txt")
    for word in ("answers", "answer-contents"):
        await fetch(lake, word, run=word, ids=answers)

    for word in ("conversations", "tasks", "answers"):
        assert lake.ids(word) == sorted(store.collections[word]), word
    in_conversations = [one["id"] for one in store.items.values() if "conversationId" in one]
    assert lake.ids("conversation-items") == sorted(in_conversations)
    for data_set in ("profiles", "task-comments", "transcripts", "answer-contents"):
        assert lake.table(data_set).num_rows > 0, data_set
        manifests = lake.manifests(data_set).values()
        assert not [drift for one in manifests for drift in one.drift], data_set
    assert {row["_asked_id"].count("/") for row in rows(lake, "answer-contents")} == {2}
    assert verify(DataFolder.open(lake.out), deep=True).is_sound


async def test_an_item_of_a_type_that_is_not_shown_counts_as_gone(make_lake: Callable[..., Any]) -> None:
    """400 on getItem says that the API does not return this type, now or later."""
    lake = await make_lake(seed_customers=1)
    customer = next(iter(lake.emulator.store.customers))
    shown = lake.emulator.add_item({"type": "CONVERSATION_NOTE", "body": "x"}, customer_id=customer)
    hidden = lake.emulator.add_item({"type": "INTERNAL_THING"}, customer_id=customer)

    ends = await fetch(lake, "item", ids=ids_file(lake, [shown, hidden]))

    assert (ends.only().state, ends.only().created) == (UnitState.DONE, 1)
    assert lake.ids("conversation-items") == [shown]


@pytest.mark.parametrize("limited_data", ["flag", "value"])
@pytest.mark.parametrize("capped_end", ["newest", "oldest"])
async def test_a_cut_list_is_told_and_tried_in_a_second_way(
    make_lake: Callable[..., Any], limited_data: str, capped_end: str
) -> None:
    """Conversations that the items name are asked for one by one; the parent stays told as incomplete."""
    lake = await make_lake(limited_data=limited_data, capped_end=capped_end, caps={"getConversations": 3})
    many, few = people(lake, 2)
    all_of_them = [lake.emulator.add_conversation(many) for _ in range(5)]
    whole = lake.emulator.add_conversation(few)
    lake.add_job([note_line(n, customerId=many, conversationId=one) for n, one in enumerate([*all_of_them, ABSENT])])
    await Driver(lake, "jobs").drive(lambda _: JobFiles(["items"]))
    lake.forget()

    ends = await fetch(lake, "conversations", from_dataset=lake.out)
    few_ends = await fetch(lake, "conversations", run="few", ids=ids_file(lake, [few]))

    assert [(end.name, end.result.state) for end in ends.of(UnitState.INCOMPLETE)] == [(many, UnitState.INCOMPLETE)]
    assert lake.ids("conversations") == sorted([*all_of_them, whole])
    assert lake.asked() == {"getConversations": 2, "getConversation": 3}
    assert not few_ends.of(UnitState.INCOMPLETE)
    texts = [one.incomplete for one in lake.manifests("conversations").values() if one.incomplete]
    assert len(texts) == 1
    assert many in texts[0]
    lake.forget()
    assert not list(await fetch(lake, "conversations", run="third", from_dataset=lake.out))
    assert not lake.asked()


@pytest.mark.parametrize("stopped_after", [1, 5, 12, 13])
async def test_a_killed_run_goes_on_with_what_it_has(lake: Lake, stopped_after: int) -> None:
    """No answer that came is asked for again, and each parent has one row in the end."""
    ids = people(lake, 12)
    path = ids_file(lake, [*ids, ABSENT])
    lake.forget()

    await fetch(lake, "profiles", ids=path, stop_after=stopped_after)
    asked = lake.asked()["getCustomer"]
    assert not lake.manifests("profiles")
    later(lake, hours=1)
    ends = await fetch(lake, "profiles", ids=path)

    assert asked == stopped_after
    assert lake.asked() == {"getCustomer": 13}
    assert sorted(by_asked(lake)) == sorted(ids)
    assert ends.total("created") == 12
    lake.forget()
    assert not list(await fetch(lake, "profiles", ids=path))
    assert not lake.asked()


async def test_a_run_that_is_stopped_goes_on_where_it_stopped(lake: Lake) -> None:
    """Through the front door: what was answered waits in the run's journal, and the resume asks for the rest."""
    ids = people(lake, 60)
    lake.forget()

    slow = Pace(unlimited=True, concurrency=4)
    stopped = await lake.export("profiles", ids=ids_file(lake, ids), pace=slow, limits=Limits(max_requests=20))
    asked = lake.asked()["getCustomer"]
    (run,) = list_runs(lake.folder / "state")
    ended = await lake.resume(run)

    assert (stopped.exit_code, stopped.counts["read"]) == (10, 0)
    assert 19 <= asked < 30  # the greeting is a request, too
    assert lake.asked()["getCustomer"] == 60
    assert (ended.status, ended.exit_code, ended.counts["created"]) == ("complete", 0, 60)
    assert sorted(by_asked(lake)) == sorted(ids)


async def test_a_kill_between_publishing_and_forgetting_makes_no_row_twice(lake: Lake) -> None:
    """The answers still wait, but the data set has them: found out by their times."""
    ids = people(lake, 4)
    path = ids_file(lake, [*ids, ABSENT])
    with pytest.raises(ExceptionGroup) as caught:
        await Driver(lake, make_log=_DyingLog).drive(per_parent("profiles"), ids=path)
    assert caught.group_contains(_KilledError)
    assert lake.table("profiles").num_rows == 4
    lake.forget()
    later(lake, hours=1)

    ends = await fetch(lake, "profiles", ids=path)

    assert (list(ends), lake.asked()) == ([], {})
    assert sorted(by_asked(lake)) == sorted(ids)


async def test_a_full_disk_loses_no_answer(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run ends, the answers wait in the journal, and the resume publishes them without a request."""
    ids = people(lake, 4)
    with monkeypatch.context() as patch:
        fill_at_sync(patch, lake.out, "_incoming/profiles/")
        with pytest.raises(ExceptionGroup) as caught:
            await fetch(lake, "profiles", ids=ids_file(lake, ids))
    assert caught.group_contains(DiskFull)
    assert not lake.manifests("profiles")
    lake.forget()

    ends = await fetch(lake, "profiles", ids=ids_file(lake, ids))

    assert (ends.only().created, lake.asked()) == (4, {})
    assert verify(DataFolder.open(lake.out), deep=True).is_sound


class _KilledError(Exception):
    pass


class _DyingLog(UnitLog):
    """A journal whose process dies before it forgets what was published."""

    def drop(self, data_set: str, keys: Sequence[str]) -> None:
        raise _KilledError(f"{len(keys)} of {data_set}")


async def test_many_answers_are_published_while_more_are_asked(lake: Lake) -> None:
    """One unit per number of replies, each reply in one of them, and nothing left waiting."""
    ids = people(lake, 40)

    driver = Driver(lake, bounds=Bounds(replies_in_unit=7))
    ends = await driver.drive(per_parent("profiles"), ids=ids_file(lake, ids))

    assert ends.total("created") == 40
    assert len(list(ends)) == len(lake.manifests("profiles")) >= 4
    assert sorted(by_asked(lake)) == sorted(ids)
    assert all(one.rows == one.source["asked"] for one in lake.manifests("profiles").values())


async def test_large_answers_are_published_by_their_size(lake: Lake) -> None:
    """However many answers may wait: memory is what bounds a unit."""
    driver = Driver(lake, bounds=Bounds(bytes_in_unit=1000))

    await driver.drive(per_parent("profiles"), ids=ids_file(lake, people(lake, 30)))

    assert len(lake.manifests("profiles")) > 2
    assert lake.table("profiles").num_rows == 30


@pytest.mark.parametrize("format_", ["ndjson", "csv"])
async def test_what_was_asked_is_known_from_every_format(lake: Lake, format_: str) -> None:
    """Rows written as text say as well what was asked, and when."""
    ids = people(lake, 3)
    await fetch(lake, "profiles", ids=ids_file(lake, ids), format=format_)
    lake.forget()

    again = await fetch(lake, "profiles", run="second", ids=ids_file(lake, ids), format=format_)

    assert (list(again), lake.asked()) == ([], {})
