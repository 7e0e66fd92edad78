"""Business hours and their versions, over a real socket."""

from pathlib import Path

import pytest

from bulkgladly.emulator import Clock, Emulator
from tests.doors.emulator_client import an_emulator, asked, client_of

PATH = "/api/v1/business-hours"
HOURS = {"timezone": "Europe/Berlin", "monday": [{"start": "9:00", "stop": "17:30"}]}


def primary_of(emulator: Emulator) -> list[str]:
    return [one["id"] for one in emulator.store.collections["business_hours"].values() if one["primary"]]


async def test_create_answers_201_with_the_schedule() -> None:
    """The only create whose 201 has a body."""
    clock = Clock(wall=lambda: 1_704_164_645.678)
    async with client_of(an_emulator(clock=clock)) as client:
        status, schedule = await asked(client, "POST", PATH, {"name": "Berlin", "officeHours": HOURS, "more": 1})
        found = await asked(client, "GET", f"{PATH}/{schedule['id']}")

    assert status == 201
    assert schedule.pop("id").startswith("bh_")
    assert schedule == {
        "version": 1,
        "createdAt": "2024-01-02T03:04:05.678Z",
        "updatedAt": "2024-01-02T03:04:05.678Z",
        "name": "Berlin",
        "primary": False,
        "officeHours": HOURS,
    }
    assert found[0] == 200


async def test_repeated_create_makes_a_second_schedule() -> None:
    """There is no client id and names may repeat: a blind repeat makes a twin."""
    emulator = an_emulator()
    async with client_of(emulator) as client:
        for _ in range(2):
            await asked(client, "POST", PATH, {"name": "Berlin", "officeHours": HOURS})
        _, schedules = await asked(client, "GET", PATH)

    assert [schedule["name"] for schedule in schedules] == ["Support", "Stores", "Berlin", "Berlin"]
    assert len({schedule["id"] for schedule in schedules}) == 4


@pytest.mark.parametrize(
    ("payload", "problems"),
    [
        ({}, [("name", "invalid"), ("officeHours", "blank")]),
        ({"name": " ", "officeHours": HOURS}, [("name", "invalid")]),
        ({"name": "n" * 201, "officeHours": HOURS}, [("name", "too_long")]),
        ({"name": "n", "officeHours": {}}, [("officeHours.timezone", "blank")]),
        ({"name": "n", "officeHours": {"timezone": "Mars/Base"}}, [("officeHours.timezone", "invalid")]),
        ({"name": "n", "officeHours": {"timezone": "America"}}, [("officeHours.timezone", "invalid")]),
        ({"name": "n", "officeHours": {"timezone": "../UTC"}}, [("officeHours.timezone", "invalid")]),
        ({"name": "n", "officeHours": "always"}, [("officeHours", "invalid")]),
        ({"name": "n", "officeHours": HOURS, "primary": "yes"}, [("primary", "invalid")]),
        (
            {"name": "n", "officeHours": HOURS | {"sunday": [{"start": "24:00"}]}},
            [("officeHours.sunday.start", "invalid"), ("officeHours.sunday.stop", "blank")],
        ),
        ({"name": "n", "officeHours": HOURS | {"sunday": "closed"}}, [("officeHours.sunday", "invalid")]),
        (
            {"name": "n", "officeHours": HOURS | {"exceptions": [{"start": "tomorrow"}]}},
            [
                ("officeHours.exceptions.start", "invalid"),
                ("officeHours.exceptions.stop", "blank"),
                ("officeHours.exceptions.name", "blank"),
            ],
        ),
    ],
)
async def test_schedule_that_cannot_be_is_400(payload: object, problems: list[tuple[str, str]]) -> None:
    """On create and on update alike; nothing changes."""
    emulator = an_emulator()
    before = dict(emulator.store.collections["business_hours"])
    assert isinstance(payload, dict)
    async with client_of(emulator) as client:
        assert await asked(client, "POST", PATH, payload) == (400, problems)
        assert await asked(client, "PUT", f"{PATH}/bh_stores", payload | {"version": 1}) == (400, problems)

    assert dict(emulator.store.collections["business_hours"]) == before


@pytest.mark.parametrize("time", ["0:00", "00:00", "9:05", "19:59", "23:59"])
async def test_times_of_day(time: str) -> None:
    """With one or two digits for the hour."""
    hours = {"timezone": "UTC", "friday": [{"start": time, "stop": time}]}
    async with client_of(an_emulator()) as client:
        status, schedule = await asked(client, "POST", PATH, {"name": "n", "officeHours": hours})

    assert (status, schedule["officeHours"]) == (201, hours)


async def test_exceptions_are_kept_in_utc() -> None:
    """No blocks mean closed."""
    day = {"name": "Fair", "start": "2026-05-01T00:00:00+02:00", "stop": "2026-05-02T00:00:00+02:00"}
    block = {"start": "10:00", "stop": "12:00"}
    exceptions = [day, day | {"scheduleBlocks": [block]}]
    payload = {"name": "n", "officeHours": HOURS | {"exceptions": exceptions}}
    async with client_of(an_emulator()) as client:
        _, schedule = await asked(client, "POST", PATH, payload)

    first, second = schedule["officeHours"]["exceptions"]
    assert first == {
        "name": "Fair",
        "start": "2026-04-30T22:00:00Z",
        "stop": "2026-05-01T22:00:00Z",
        "scheduleBlocks": [],
    }
    assert second["scheduleBlocks"] == [block]


async def test_update_moves_to_the_next_version() -> None:
    """A repeat of the same PUT is told that its version is outdated."""
    payload = {"version": 1, "name": "Shops", "officeHours": HOURS}
    async with client_of(an_emulator()) as client:
        status, schedule = await asked(client, "PUT", f"{PATH}/bh_stores", payload)
        again = await asked(client, "PUT", f"{PATH}/bh_stores", payload)
        found = await asked(client, "GET", f"{PATH}/bh_stores")

    assert (status, schedule["version"], schedule["name"], schedule["officeHours"]) == (200, 2, "Shops", HOURS)
    assert schedule["createdAt"] < schedule["updatedAt"]
    assert again == (409, [("version", "version_outdated")])
    assert found == (200, schedule)


@pytest.mark.parametrize(
    ("version", "answer"),
    [
        (None, (400, [("version", "blank")])),
        ("1", (400, [("version", "invalid")])),
        (True, (400, [("version", "invalid")])),
        (0, (409, [("version", "version_outdated")])),
        (2, (409, [("version", "version_outdated")])),
    ],
)
async def test_update_needs_the_current_version(version: object, answer: object) -> None:
    """An older and a later one are both not current."""
    async with client_of(an_emulator()) as client:
        payload = {"version": version, "name": "n", "officeHours": HOURS}

        assert await asked(client, "PUT", f"{PATH}/bh_stores", payload) == answer


async def test_one_schedule_is_the_primary_one() -> None:
    """The mark moves with a create or an update, and the one that loses it gets a new version."""
    emulator = an_emulator()
    async with client_of(emulator) as client:
        assert primary_of(emulator) == ["bh_support"]
        payload = {"version": 1, "name": "n", "officeHours": HOURS, "primary": True}
        await asked(client, "PUT", f"{PATH}/bh_stores", payload)
        assert primary_of(emulator) == ["bh_stores"]
        assert emulator.store.collections["business_hours"]["bh_support"]["version"] == 2

        _, made = await asked(client, "POST", PATH, {"name": "n", "officeHours": HOURS, "primary": True})

    assert primary_of(emulator) == [made["id"]]
    assert emulator.store.collections["business_hours"]["bh_stores"]["version"] == 3


async def test_primary_schedule_stays_it_until_another_one_is() -> None:
    """It cannot give up the mark, and keeps it when a PUT says nothing about it."""
    emulator = an_emulator()
    payload = {"version": 1, "name": "n", "officeHours": HOURS}
    async with client_of(emulator) as client:
        assert await asked(client, "PUT", f"{PATH}/bh_support", payload | {"primary": False}) == (
            400,
            [("primary", "invalid")],
        )
        assert (await asked(client, "PUT", f"{PATH}/bh_support", payload))[1]["primary"] is True
        payload |= {"version": 2, "primary": True}
        assert (await asked(client, "PUT", f"{PATH}/bh_support", payload))[1]["version"] == 3

    assert primary_of(emulator) == ["bh_support"]


async def test_first_schedule_is_the_primary_one() -> None:
    """Whatever it says about itself."""
    emulator = an_emulator()
    emulator.store.collections["business_hours"].clear()
    async with client_of(emulator) as client:
        _, schedule = await asked(client, "POST", PATH, {"name": "n", "officeHours": HOURS})

    assert schedule["primary"] is True


async def test_delete() -> None:
    """Once; the primary one cannot go."""
    async with client_of(an_emulator()) as client:
        assert await asked(client, "DELETE", f"{PATH}/bh_stores") == (204, None)
        assert (await asked(client, "DELETE", f"{PATH}/bh_stores"))[0] == 404
        assert await asked(client, "DELETE", f"{PATH}/bh_support") == (400, [(None, "invalid")])


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_unknown_schedule_is_404(method: str) -> None:
    """Before anything else is looked at."""
    async with client_of(an_emulator()) as client:
        assert await asked(client, method, f"{PATH}/bh_none", {} if method == "PUT" else None) == (
            404,
            [(None, "not_exist")],
        )


async def test_schedules_survive_in_the_state_file(tmp_path: Path) -> None:
    """With their versions."""
    file = tmp_path / "state.json"
    first = an_emulator(state_file=file)
    async with client_of(first) as client:
        await asked(client, "PUT", f"{PATH}/bh_stores", {"version": 1, "name": "n", "officeHours": HOURS})

    second = an_emulator(state_file=file)

    assert second.store.collections["business_hours"] == first.store.collections["business_hours"]
    assert second.store.collections["business_hours"]["bh_stores"]["version"] == 2
