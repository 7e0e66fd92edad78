"""The page of a run that was interrupted, and of one whose rows make several records."""

from pathlib import Path

import orjson

from bulkgladly import Limits
from bulkgladly.imports.mapping_choice import choose_mapping
from tests.flows.conftest import World
from tests.flows.quickly import resume_import, start_import

MAPPING = """version = 1
to = "activities"
key = "ticket"
[fields]
customerEmail = "who"
activityType = { constant = "NONE" }
title = { constant = "Old" }
body = { from = "text", max = 10, too_long = "split" }
sourceName = { constant = "CRM" }
"""


async def test_rows_and_records_are_counted_whatever_the_stop(world: World) -> None:
    """Also if the run is stopped between two records of one row."""
    (world.folder / "m.toml").write_text(MAPPING)
    path = world.folder / "tickets.csv"
    path.write_text(
        "ticket,who,text\n1,a@example.org,one two three four\n2,b@example.org,one\n3,c@example.org,a b c d e f g\n"
    )
    mapping = choose_mapping(world.folder / "m.toml", None)

    options = world.choose({"key": None, "mapping": mapping, "max_rows": 1})
    stopped = await start_import("activities", [path], world.credentials, options)
    ended = await resume_import(world.last_run(), world.credentials)

    assert stopped.counts["unprocessed"] == stopped.counts["read"] - 1
    assert (stopped.rows, ended.rows) == (3, 3)
    assert ended.counts["read"] > 3
    page = (Path(ended.folder) / "report.md").read_text()
    assert f"3 rows made {ended.counts['read']} records." in page
    assert page.startswith("# Activities from tickets.csv to Gladly, ")


async def test_a_pause_is_told_with_its_reason(world: World) -> None:
    """As the session that ended could still say it."""
    await world.run(world.csv([{"crm": "c-1", "name": "Ada"}, {"crm": "c-2", "name": "Ben"}]), key="crm", max_rows=1)

    report = await world.resume(limits=Limits())

    (pause,) = report.interruptions
    assert pause["reason"] == "the limit of 1 row was reached"
    assert (pause["stopped_at"] or "") <= (pause["resumed_at"] or "")
    page = (Path(report.folder) / "report.md").read_text()
    assert "1 interruption: at " in page
    assert "the limit of 1 row was reached, continued at " in page


async def test_the_report_names_inputs_settings_and_first_places(world: World) -> None:
    """What differs from the defaults, with mode and rate; nothing of the rows."""
    path = world.csv([{"crm": f"c-{at}", "name": "Ada", "email:1": "nobody"} for at in range(5)])

    report = await world.run(path, key="crm", max_errors=9)

    found = orjson.loads((Path(report.folder) / "report.json").read_bytes())
    assert found["inputs"] == [str(path)]
    assert {**found["settings"], "rate": 0} == {"mode": "upsert", "rate": 0, "key": "crm", "max_errors": 9}
    (reason,) = found["reasons"]
    assert (reason["code"], reason["records"], reason["outcome"]) == ("invalid_email", 5, "rejected")
    assert [each["line"] for each in reason["examples"]] == [2, 3, 4]
    for name in ("report.json", "report.md"):
        assert "nobody" not in (Path(report.folder) / name).read_text()


async def test_what_a_person_decides_is_named(world: World) -> None:
    """Two rows with one key: correct one of them, or let the last one win."""
    rows = [{"crm": "c-1", "name": "Ada"}, {"crm": "c-1", "name": "Ben"}]

    report = await world.rows(rows, key="crm")

    assert "bulkgladly import customers" in report.next_commands[0]
    assert f"bulkgladly retry {report.run} --on-duplicate last" in report.next_commands[1]
    assert len(report.next_commands) == 3


async def test_each_kind_of_bad_phone_has_its_fix(world: World) -> None:
    """A column was read as numbers, or digits of it are lost; a word is no number at all."""
    phones = ["4915112345678.0", "ask Jon", "+4912", "4.91511E+12", "-"]
    rows = [{"crm": f"c-{at}", "name": "Ada", "phone:1": phone} for at, phone in enumerate(phones)]

    report = await world.run(world.csv(rows), key="crm")

    found = [(each.reason, each.fix, [place["line"] for place in each.examples]) for each in report.reasons]
    rounded = "the phone is a number that a spreadsheet has rounded, so digits are lost"
    assert found[0] == ("the phone is not a phone number", "write only its digits", [3, 6])
    assert sorted(found[1:]) == [
        ("the phone is a decimal number", "export the column as text (in pandas: dtype=str)", [2]),
        (rounded, "export the column as text again", [5]),
        (
            "the phone is not a phone number: the length is wrong for its country",
            "correct the number or leave the cell empty",
            [4],
        ),
    ]
    assert report.rejects_by_code == {"invalid_phone": 5}
