"""Files as other systems write them, through a mapping into Gladly: each record once, whatever happens."""

import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest

from bulkgladly import ImportOptions, Limits, Report, RunFolder
from bulkgladly.checks.run_check import check
from bulkgladly.errors import InputChanged, UsageError
from bulkgladly.gladly.table import import_spec
from bulkgladly.imports.dry_run import dry_run
from bulkgladly.imports.mapping_choice import MapChoice, choose_mapping, mapper_for, unchanged_mapping
from bulkgladly.journal.ledger import Ledger
from bulkgladly.runs.options import restored, stored
from tests.flows.conftest import World, lines
from tests.flows.quickly import resume_import, retry_import, start_import

USERS = """
version = 1
to = "customers"
key = "id"
where = "role == 'end-user'"

[fields]
name = { from = "name", trim = true }
"email:*" = { path = "[email, user_fields.second_email]" }
"phone:1" = "phone"
"customAttribute:plan" = { path = "user_fields.plan", values = { "1" = "gold", "2" = "silver" } }
"customAttribute:since" = { from = "created_at", date = "iso", date_as = "date" }
"customAttribute:tags" = { path = "join(', ', tags)" }
"""
TICKETS = """
version = 1
to = "activities"
key = "id"

[each]
of = "comments"
as = "comment"
key = { path = "comment.id" }

[fields]
customerKey = { path = "comment.author_id", as = "text" }
activityType = { path = "via.channel", values = { email = "EMAIL", web = "ISSUE" } }
title = { join = [{ constant = "Ticket" }, "id", "subject"], max = 60, too_long = "cut" }
body = { path = "comment.html_body", html = "clean", max = 120, too_long = "split", number_in = "title" }
sourceName = { constant = "Old help desk" }
linkUrl = "url"
"""
NAMES = """
version = 1
to = "customers"
key = "Customer no."

[fields]
name = { join = ["First", "Last"] }
"email:*" = { from = "Mail addresses", split = ";" }
"customAttribute:born" = { from = "Birthday", date = "%d.%m.%Y", date_as = "date" }
"""


class Crash(Exception):
    """The end of the process."""


def user(number: int, **more: Any) -> dict[str, Any]:
    """An invented user, as a help desk exports them."""
    return {
        "id": 1000 + number,
        "url": f"https://desk.example.org/api/v2/users/{number}.json",
        "name": f" Sample Person {number}",
        "email": f"person.{number}@example.org",
        "created_at": "2024-05-06T07:08:09Z",
        "role": "end-user",
        "phone": None,
        "tags": ["vip", "early"],
        "user_fields": {"plan": "1", "second_email": None},
        **more,
    }


def ticket(number: int, comments: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """An invented ticket with its comments."""
    return {
        "id": number,
        "url": f"https://desk.example.org/tickets/{number}",
        "subject": f"Parcel {number}",
        "requester_id": 1000,
        "via": {"channel": "email", "source": {"rel": None}},
        "comments": comments,
        **more,
    }


def comment(number: int, words: int = 3, **more: Any) -> dict[str, Any]:
    body = " ".join(f"word{n}" for n in range(words))
    return {"id": number, "author_id": 1000, "html_body": f'<div class="c"><p>{body}</p></div>', "public": True, **more}


def chosen(folder: Path, text: str, transform: str | None = None) -> MapChoice:
    path = folder / "mapping.toml"
    path.write_text(text, encoding="utf-8")
    choice = choose_mapping(path, transform)
    assert choice is not None
    return choice


def options(world: World, text: str, **more: Any) -> ImportOptions:
    return replace(world.options, key=None, mapping=chosen(world.folder, text), **more)


def check_sums(report: Report) -> None:
    """What holds for every run, though several records may share one place."""
    assert report.adds_up, report.counts
    rejected, success, unprocessed = (
        lines(Path(report.folder) / f"{name}.ndjson") for name in ("rejected", "success", "unprocessed")
    )
    assert len(success) == sum(report.counts[word] for word in ("created", "updated", "deleted", "unchanged"))
    assert len(rejected) == sum(report.counts[word] for word in ("rejected", "unknown"))
    assert len(unprocessed) == report.counts["unprocessed"]


async def with_customers(world: World, count: int = 1) -> None:
    """Bring the authors in, from whom activities take their customers."""
    report = await start_import(
        "customers", [world.ndjson(map(user, range(count)), "users.ndjson")], world.credentials, options(world, USERS)
    )
    assert report.exit_code == 0, report.counts


def items(world: World) -> list[Mapping[str, Any]]:
    """What stands on timelines."""
    return [item["content"] for item in world.emulator.store.items.values()]


async def test_users_of_a_help_desk_become_customers(world: World) -> None:
    """Nested fields, lists, value tables and times; agents are skipped, mistakes rejected, all as they were read."""
    rows = [
        user(0),
        user(1, user_fields={"plan": "2", "second_email": "other.1@example.org"}, phone="+16505550101"),
        user(2, role="agent"),
        user(3, user_fields={"plan": "9"}),
        user(4, created_at="yesterday"),
        user(5, id=None),
        user(6, tags=None),
    ]

    report = await start_import(
        "customers", [world.ndjson(rows)], world.credentials, options(world, USERS, on_conflict="quarantine")
    )

    check_sums(report)
    assert report.counts["read"] == len(rows)
    assert (report.counts["created"], report.counts["skipped"], report.counts["rejected"]) == (2, 1, 4)
    held = {profile["name"]: profile for profile in world.emulator.store.customers.values()}
    assert set(held) == {"Sample Person 0", "Sample Person 1"}
    assert held["Sample Person 0"]["customAttributes"] == {"plan": "gold", "since": "2024-05-06", "tags": "vip, early"}
    assert [email["original"] for email in held["Sample Person 1"]["emails"]] == [
        "person.1@example.org",
        "other.1@example.org",
    ]
    rejected = {row["_bulkgladly"]["position"]["record"]: row for row in lines(Path(report.folder) / "rejected.ndjson")}
    found = {number: (row["_bulkgladly"]["code"], row["_bulkgladly"]["attr"]) for number, row in rejected.items()}
    assert found == {
        4: ("mapping", "customAttribute:plan"),
        5: ("mapping", "customAttribute:since"),
        6: ("key_missing", "id"),
        7: ("mapping", "customAttribute:tags"),
    }
    for number, row in rejected.items():
        row.pop("_bulkgladly")
        assert row == rows[number - 1]


async def test_a_csv_of_its_own_kind(world: World) -> None:
    """Columns with other names; the rows of rejects are those of the file."""
    names: list[str] = ["Customer no.", "First", "Last", "Mail addresses", "Birthday"]
    cells = [
        ("7", "Ada", "Ashby", "ada@example.org; a@example.org", "09.12.1990"),
        ("8", "Ben", "", "ben@example.org", ""),
        ("9", "Cleo", "Holt", "cleo@example.org", "soon"),
        ("", "Dan", "Hill", "dan@example.org", ""),
    ]
    rows = [dict(zip(names, row, strict=True)) for row in cells]

    report = await start_import("customers", [world.csv(rows)], world.credentials, options(world, NAMES))

    check_sums(report)
    assert world.names() == {"ada@example.org": "Ada Ashby", "ben@example.org": "Ben"}
    rejected = lines(Path(report.folder) / "rejected.ndjson")
    assert [row["_bulkgladly"]["attr"] for row in rejected] == ["customAttribute:born", "Customer no."]
    assert [{k: v for k, v in row.items() if k != "_bulkgladly"} for row in rejected] == rows[2:]


async def test_comments_of_tickets_become_activities(world: World) -> None:
    """One for each comment and each piece of a long one, on the timeline of who wrote it."""
    await with_customers(world)
    rows = [
        ticket(1, [comment(11), comment(12, words=40)]),
        ticket(2, [comment(21), comment(22, author_id=4711), comment(23)], subject="x" * 200),
        ticket(3, []),
        ticket(4, [comment(41)], via={"channel": "fax"}),
    ]

    report = await start_import("activities", [world.ndjson(rows)], world.credentials, options(world, TICKETS))

    check_sums(report)
    keys = [row["key"] for row in lines(Path(report.folder) / "success.ndjson")]
    pieces = [key for key in keys if key.startswith("1#12")]
    assert pieces == ["1#12", "1#12#2", "1#12#3"]
    assert keys == ["1#11", *pieces, "2#21", "2#23"]
    codes = [(row["id"], row["_bulkgladly"]["code"]) for row in lines(Path(report.folder) / "rejected.ndjson")]
    assert codes[1:] == [(4, "mapping")]
    found = items(world)
    assert len(found) == 6
    assert Counter(content["title"][:13] for content in found) == {"Ticket 1 Parc": 4, "Ticket 2 xxxx": 2}
    assert all(len(content["title"]) <= 60 and len(content["body"]) <= 120 for content in found)
    long = [content["body"] for content in found if "/3)" in content["title"]]
    assert "".join(body.replace("<div>", "").replace("<p>", "").partition("<")[0] for body in long) == " ".join(
        f"word{n}" for n in range(40)
    )


@pytest.mark.parametrize("after", range(1, 9))
async def test_a_crash_in_the_middle_of_a_row_makes_each_record_once(world: World, after: int) -> None:
    """Wherever among the records of one row a process dies: the next one finds its place."""
    await with_customers(world)
    rows = [ticket(1, [comment(1), comment(2, words=40), comment(3)]), ticket(2, [comment(4), comment(5, words=30)])]
    path = world.ndjson(rows, "tickets.ndjson")
    copy = world.folder / "crashed"

    class Dying(Ledger):
        settled = 0

        def settle(self, *arguments: Any, **more: Any) -> None:
            self.settled += 1
            if self.settled == after:
                shutil.copytree(world.state, copy, ignore=shutil.ignore_patterns("*-shm"))
            if self.settled >= after:
                raise Crash
            super().settle(*arguments, **more)

    with pytest.raises(Crash):
        await start_import(
            "activities",
            [path],
            world.credentials,
            options(world, TICKETS),
            environment=replace(world.environment, ledger=Dying),
        )
    (run,) = (copy / "runs").glob("activities-*")

    report = await resume_import(RunFolder(run), world.credentials)

    check_sums(report)
    assert report.counts["read"] == report.counts["created"] == 8
    assert len(items(world)) == 8
    keys = [row["key"] for row in lines(Path(report.folder) / "success.ndjson")]
    assert keys == ["1#1", "1#2", "1#2#2", "1#2#3", "1#3", "2#4", "2#5", "2#5#2"]


async def test_limits_and_resumes_within_a_row_lose_nothing(world: World) -> None:
    """Three records a session: what is unprocessed is told, and nothing is sent twice."""
    await with_customers(world)
    rows = [ticket(1, [comment(n) for n in range(5)]), ticket(2, [comment(n) for n in range(10, 15)])]
    path = world.ndjson(rows, "tickets.ndjson")
    world.forget()

    report = await start_import(
        "activities", [path], world.credentials, options(world, TICKETS, limits=Limits(max_rows=3))
    )
    check_sums(report)
    assert (report.exit_code, report.counts["read"], report.counts["unprocessed"]) == (10, 10, 7)
    parts = [row["_bulkgladly"] for row in lines(Path(report.folder) / "unprocessed.ndjson")]
    assert parts[:2] == [{"part": 4, "of": 5}, {"part": 5, "of": 5}]
    while report.exit_code == 10:
        report = await resume_import(
            world.last_run(), world.credentials, change=lambda stored: replace(stored, limits=Limits(max_rows=3))
        )
        check_sums(report)

    assert report.counts["created"] == 10
    assert len(items(world)) == 10
    assert sum(world.asked().values()) == 10


async def test_rejects_are_retried_part_by_part_with_the_mapping_of_now(world: World) -> None:
    """A corrected mapping is the usual cure; the siblings of a rejected record are not touched."""
    await with_customers(world)
    rows = [
        ticket(1, [comment(1), comment(2, author_id=4711), comment(3)]),
        ticket(2, [comment(4)], via={"channel": "fax"}),
    ]
    first = await start_import("activities", [world.ndjson(rows)], world.credentials, options(world, TICKETS))
    assert (first.counts["created"], first.counts["rejected"]) == (2, 2)
    chosen(world.folder, TICKETS.replace('web = "ISSUE"', 'fax = "ISSUE"').replace("comment.author_id", "requester_id"))
    world.forget()

    report = await retry_import(world.last_run(), world.credentials)

    check_sums(report)
    assert report.counts["read"] == report.counts["created"] == 2
    assert sum(world.asked().values()) == 2
    assert [row["key"] for row in lines(Path(report.folder) / "success.ndjson")] == ["1#2", "2#4"]


async def test_a_changed_mapping_is_refused_like_a_changed_input(world: World) -> None:
    """It would make other records of the rest of the input than of its beginning."""
    rows = [user(number) for number in range(6)]
    choice = options(world, USERS, limits=Limits(max_rows=2))
    await start_import("customers", [world.ndjson(rows)], world.credentials, choice)
    path = world.folder / "mapping.toml"
    path.write_text(USERS.replace('"gold"', '"best"'))

    with pytest.raises(InputChanged, match=r"the mapping .*mapping\.toml has changed since the run began"):
        await resume_import(world.last_run(), world.credentials)
    path.unlink()
    report = await resume_import(
        world.last_run(), world.credentials, change=lambda stored: replace(stored, limits=Limits(max_rows=2))
    )
    path.write_text(USERS.replace('"gold"', '"best"'))
    last = await resume_import(world.last_run(), world.credentials, accept_changed_input=True)

    assert report.exit_code == 10, "a file that is gone is no change: the run has kept it"
    assert last.counts["created"] == 6
    plans = Counter(profile["customAttributes"]["plan"] for profile in world.emulator.store.customers.values())
    assert plans == {"gold": 4, "best": 2}


async def test_a_transform_is_part_of_the_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows go through the mapping; its mistakes reject rows; a change of its source is refused."""
    monkeypatch.chdir(world.folder)
    module = world.folder / "invented_desk_transform.py"
    module.write_text("def row(fields):\n    fields['name'] = fields['name'].strip().upper()\n    return fields\n")
    rows = [user(0), user(1, name=None), user(2)]
    chosen_mapping = choose_mapping(_mapping_file(world.folder), "invented_desk_transform:row")
    choice = replace(world.options, key=None, mapping=chosen_mapping, limits=Limits(max_rows=2))

    report = await start_import("customers", [world.ndjson(rows)], world.credentials, choice)
    monkeypatch.chdir("/")
    module.write_text(module.read_text() + "\n# another version\n")
    with pytest.raises(InputChanged, match="the source of invented_desk_transform:row has changed"):
        await resume_import(world.last_run(), world.credentials)
    report = await resume_import(world.last_run(), world.credentials, accept_changed_input=True)

    check_sums(report)
    assert (report.counts["created"], report.counts["rejected"]) == (2, 1)
    assert set(world.names().values()) == {"SAMPLE PERSON 0", "SAMPLE PERSON 2"}
    (rejected,) = lines(Path(report.folder) / "rejected.ndjson")
    assert rejected["_bulkgladly"]["code"] == "transform"
    assert rejected["_bulkgladly"]["detail"] == (
        "invented_desk_transform:row raised AttributeError at line 2 of invented_desk_transform.py"
    )


def _mapping_file(folder: Path) -> Path:
    path = folder / "mapping.toml"
    path.write_text(USERS)
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TICKETS, "is a mapping to activities, not to customers"),
        (
            USERS.replace("name = {", "nmae = {"),
            r'\[fields\] "nmae": customers have no such field; did you mean name\?',
        ),
        (
            USERS.replace('key = "id"', "").replace("[fields]", '[each]\nof = "tags"\n[fields]'),
            "needs its own key",
        ),
    ],
)
async def test_a_mapping_that_cannot_work_is_refused_before_anything_is_sent(
    world: World, text: str, message: str
) -> None:
    """By what it is for, by the fields of the resource, by what a resume needs."""
    with pytest.raises(UsageError, match=message):
        await start_import("customers", [world.ndjson([user(0)])], world.credentials, options(world, text))

    assert not world.emulator.requests.by_operation
    assert not (world.state / "runs").exists()


async def test_a_column_that_is_not_in_the_file_is_refused(world: World) -> None:
    """Where there is a header to tell."""
    path = world.csv([{"Customer no.": "7", "Frist": "Ada", "Last": "", "Mail addresses": "", "Birthday": ""}])

    with pytest.raises(UsageError, match=r"no column First \(did you mean Frist\?\), which .* reads"):
        await start_import("customers", [path], world.credentials, options(world, NAMES))


async def test_a_dry_run_tells_what_a_mapping_makes(world: World) -> None:
    """Records, rejects and all, without a request."""
    path = world.ndjson([ticket(1, [comment(1), comment(2, words=40)]), ticket(2, [], via={"channel": "fax"})])

    found = await dry_run("activities", [str(path)], options(world, TICKETS), host=world.credentials.host)

    assert found.rows == 5
    assert {finding.code for finding in found.findings} >= {"mapping_skipped"}
    assert not world.emulator.requests.by_operation


async def test_rows_that_the_mapping_leaves_out_are_no_findings_to_mend(world: World) -> None:
    """They are told, but a dry run is content."""
    path = world.ndjson([user(0), user(1, role="agent")])

    found = await dry_run("customers", [str(path)], options(world, USERS), host=world.credentials.host)

    assert (found.rows, found.exit_code, found.settled) == (2, 0, {"skipped": 1})


async def test_a_run_remembers_its_mapping(world: World) -> None:
    """In `run.json`, as text, so that it can be read there."""
    await start_import("customers", [world.ndjson([user(0)])], world.credentials, options(world, USERS))

    stored = orjson.loads((world.last_run().path / "run.json").read_bytes())["settings"]["mapping"]

    assert stored["text"] == USERS
    assert stored["file"] == str((world.folder / "mapping.toml").absolute())


async def test_what_a_mapping_looks_up_is_part_of_the_run(world: World) -> None:
    """A file that has changed is refused; a resume with the same one, and a retry with the new one, go on."""
    names = world.folder / "plans.csv"
    names.write_text("number,plan\n1,gold\n")
    text = USERS.replace('values = { "1" = "gold", "2" = "silver" }', 'lookup = "plans"').replace(
        "[fields]", '[lookup.plans]\nfile = "plans.csv"\nkey = "number"\nvalue = "plan"\n\n[fields]'
    )
    rows = [user(0), user(1), user(2, user_fields={"plan": "2"}), user(3)]
    limited = options(world, text, limits=Limits(max_rows=1))

    await start_import("customers", [world.ndjson(rows)], world.credentials, limited)
    first = world.last_run()
    names.write_text("number,plan\n1,best\n")
    with pytest.raises(InputChanged, match=r"plans\.csv, which the mapping looks values up in, has changed"):
        await resume_import(first, world.credentials)
    names.write_text("number,plan\n1,gold\n")
    report = await resume_import(first, world.credentials)

    check_sums(report)
    assert (report.counts["created"], report.counts["rejected"]) == (3, 1)
    names.write_text("number,plan\n1,gold\n2,silver\n")
    last = await retry_import(first, world.credentials)
    assert last.counts["created"] == 1
    plans = Counter(profile["customAttributes"]["plan"] for profile in world.emulator.store.customers.values())
    assert plans == {"gold": 3, "silver": 1}


async def test_two_mappings_that_give_the_same_keys_are_told(world: World) -> None:
    """With a key that keeps them apart; a newer version of one mapping is meant to change its records."""
    await with_customers(world)
    path = world.ndjson([ticket(1, [comment(1)])], "tickets.ndjson")
    await start_import("activities", [path], world.credentials, options(world, TICKETS))
    other = world.folder / "ratings.toml"
    other.write_text(TICKETS.replace('as = "comment"', 'as = "one"').replace("comment.", "one."))
    own = replace(world.options, key=None, mapping=choose_mapping(other, None))
    apart = other.with_name("apart.toml")
    apart.write_text(other.read_text().replace('key = "id"', "key = { template = 'ratings-{id}' }"))

    again = await dry_run("activities", [path], options(world, TICKETS + "\n"), host=world.credentials.host)
    told = await dry_run("activities", [path], own, host=world.credentials.host)
    quiet = replace(own, mapping=choose_mapping(apart, None))
    untold = await dry_run("activities", [path], quiet, host=world.credentials.host)

    assert (again.notes, untold.notes) == ((), ())
    (note,) = told.notes
    assert "made activities of the same input with another mapping (mapping.toml) and the same keys" in note
    assert note.endswith(f"use key = {{ template = 'ratings-{{id}}' }} in {other}")
    report = await check("activities", [path], own, host=world.credentials.host)
    assert report.notes == (note,)


def test_the_day_of_a_run_and_what_it_looks_up_are_kept(tmp_path: Path) -> None:
    """In `run.json`, so that a resume on another day makes the same records."""
    (tmp_path / "plans.csv").write_text("id,plan\n1,gold\n")
    text = (
        'version = 1\nto = "customers"\nkey = "id"\n[lookup.plans]\nfile = "plans.csv"\nkey = "id"\n[fields]\n'
        'name = { from = "id", lookup = "plans.plan" }\n'
        'address = { from = "day", date = "iso", date_as = "date", not_before = "-1d", outside = "limit" }\n'
    )
    choice = replace(chosen(tmp_path, text), today=date(2020, 1, 2))

    kept = orjson.loads(orjson.dumps(stored(ImportOptions(mapping=choice))))
    again = restored(ImportOptions, kept, tmp_path).mapping

    assert again is not None
    assert again == choice == unchanged_mapping(again)
    records = mapper_for(again, import_spec("customers"), None).records({"id": "1", "day": "2019-12-31"})
    assert records == [{"_key": "1", "name": "gold", "address": "2020-01-01"}]
