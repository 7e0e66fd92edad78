"""Answers, what they say, and what the public sees of them, over a real socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bulkgladly.emulator import Clock, Emulator
from bulkgladly.emulator.operations.public_answers import LIST_CAP
from tests.doors.emulator_client import an_emulator, asked, client_of

PATH = "/api/v1/answers"
ORGANIZATION = "/api/v1/orgs/example-organization"


class Wall:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_767_225_600.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def somebody(emulator: Emulator) -> AsyncIterator[aiohttp.ClientSession]:
    """A running emulator and a visitor without credentials."""
    async with emulator, aiohttp.ClientSession(emulator.url) as client:
        yield client


def place(answer_id: str, language: str = "en-us", content_type: str = "public") -> str:
    return f"{PATH}/{answer_id}/languages/{language}/type/{content_type}"


async def test_create_answers_200_with_the_answer_but_no_updated_at() -> None:
    """The body comes back with an id and a moment; the time of the last change is in GET only."""
    payload = {"id": "a-1", "name": "Sizes", "description": "d", "audienceIds": ["audience-1"], "more": 1}
    expected = {key: payload[key] for key in ("id", "name", "description", "audienceIds")}
    moment = "2026-01-01T00:00:00.000Z"
    async with client_of(an_emulator(clock=Clock(wall=Wall()))) as client:
        assert await asked(client, "POST", PATH, payload) == (200, {**expected, "createdAt": moment})
        assert await asked(client, "GET", f"{PATH}/a-1") == (
            200,
            {**expected, "createdAt": moment, "updatedAt": moment},
        )


async def test_create_without_id_gets_one() -> None:
    """In the usual style."""
    async with client_of(an_emulator()) as client:
        _, answer = await asked(client, "POST", PATH, {"name": "Sizes"})

    assert len(answer["id"]) == 22


@pytest.mark.parametrize(
    ("payload", "status", "problems"),
    [
        ({}, 400, [("name", "blank")]),
        ({"name": " "}, 400, [("name", "blank")]),
        ({"name": 1}, 400, [("name", "invalid")]),
        ({"name": "n" * 501, "description": "d" * 10_001}, 400, [("name", "too_long"), ("description", "too_long")]),
        ({"name": "n", "id": "a b"}, 400, [("id", "invalid")]),
        ({"name": "n", "id": "a/b"}, 400, [("id", "invalid")]),
        ({"name": "n", "id": ""}, 400, [("id", "invalid")]),
        ({"name": "n", "audienceIds": "audience-1"}, 400, [("audienceIds", "invalid")]),
        ({"name": "n", "id": "answer-1"}, 409, [("id", "taken")]),
        ({"name": "Returns"}, 409, [("name", "taken")]),
        ({"name": "Returns", "id": "answer-2"}, 409, [("id", "taken"), ("name", "taken")]),
    ],
)
async def test_create_that_breaks_a_rule(payload: object, status: int, problems: list[tuple[str, str]]) -> None:
    """All problems in one list; nothing is kept."""
    emulator = an_emulator()
    async with client_of(emulator) as client:
        assert await asked(client, "POST", PATH, payload) == (status, problems)

    assert emulator.store.count("answers") == 3


async def test_longest_values_are_kept() -> None:
    """The limits themselves are allowed, and an id has none."""
    payload = {"id": "i" * 80, "name": "n" * 500, "description": "d" * 10_000}
    async with client_of(an_emulator()) as client:
        assert (await asked(client, "POST", PATH, payload))[0] == 200


async def test_conflict_on_a_name_says_whose_it_is() -> None:
    """The live API has `meta.existingAnswerId`."""
    async with client_of(an_emulator()) as client, client.post(PATH, json={"name": "Returns"}) as response:
        problem = (await response.json())["errors"][0]

    assert problem["meta"] == {"existingAnswerId": "answer-1"}


async def test_patch_changes_what_it_names() -> None:
    """Audiences are replaced as a whole, null empties, the rest stays, and the time moves."""
    wall = Wall()
    async with client_of(an_emulator(clock=Clock(wall=wall))) as client:
        wall.now += 60
        payload = {"audienceIds": ["audience-1"], "description": None}
        assert await asked(client, "PATCH", f"{PATH}/answer-2", payload) == (204, None)

        _, answer = await asked(client, "GET", f"{PATH}/answer-2")

    assert answer == {
        "id": "answer-2",
        "name": "Delivery times",
        "description": "",
        "audienceIds": ["audience-1"],
        "createdAt": "2024-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-01T00:01:00.000Z",
    }


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        ({"name": "Delivery times"}, ("name", "taken")),
        ({"name": ""}, ("name", "blank")),
        ({"name": None}, ("name", "blank")),
        ({"name": "n" * 501}, ("name", "too_long")),
        ({"description": 7}, ("description", "invalid")),
    ],
)
async def test_patch_that_breaks_a_rule_is_400(payload: object, problem: tuple[str, str]) -> None:
    """A taken name too, which is 409 on create; the answer stays as it was."""
    emulator = an_emulator()
    before = dict(emulator.store.collections["answers"])
    async with client_of(emulator) as client:
        assert await asked(client, "PATCH", f"{PATH}/answer-1", payload) == (400, [problem])

    assert dict(emulator.store.collections["answers"]) == before


async def test_patch_with_its_own_name_is_no_conflict() -> None:
    """A repeat of the same PATCH does no harm."""
    async with client_of(an_emulator()) as client:
        assert await asked(client, "PATCH", f"{PATH}/answer-1", {"name": "Returns"}) == (204, None)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{PATH}/nobody"),
        ("PATCH", f"{PATH}/nobody"),
        ("DELETE", f"{PATH}/nobody"),
        ("GET", place("nobody")),
        ("PUT", place("nobody")),
        ("DELETE", place("nobody")),
        ("GET", place("answer-1", "fr-ca")),
        ("DELETE", place("answer-1", "fr-ca")),
        ("GET", place("answer-3")),
    ],
)
async def test_what_is_not_there_is_404(method: str, path: str) -> None:
    """An unknown answer, and a content that it does not have."""
    async with client_of(an_emulator()) as client:
        assert await asked(client, method, path, {} if method in ("PATCH", "PUT") else None) == (
            404,
            [(None, "not_exist")],
        )


async def test_delete_takes_the_contents_along() -> None:
    """A new answer with the old id says nothing; a second delete is 404."""
    async with client_of(an_emulator()) as client:
        assert await asked(client, "DELETE", f"{PATH}/answer-1") == (204, None)
        assert (await asked(client, "DELETE", f"{PATH}/answer-1"))[0] == 404
        assert (await asked(client, "POST", PATH, {"id": "answer-1", "name": "Returns"}))[0] == 200
        assert (await asked(client, "GET", place("answer-1")))[0] == 404
        assert (await asked(client, "GET", place("answer-2")))[0] == 200


async def test_id_of_a_deleted_answer_can_stay_taken() -> None:
    """As the option for deleted ids says."""
    async with client_of(an_emulator(deleted_ids="taken")) as client:
        await asked(client, "DELETE", f"{PATH}/answer-1")

        assert await asked(client, "POST", PATH, {"id": "answer-1", "name": "new"}) == (409, [("id", "taken")])


async def test_used_answer_cannot_be_deleted() -> None:
    """Each use is named; a help center's with its place."""
    emulator = an_emulator()
    emulator.use_answer("answer-1", by="rules")
    emulator.use_answer("answer-1", by="help_center", place="help-1")
    async with client_of(emulator) as client, client.delete(f"{PATH}/answer-1") as response:
        assert response.status == 400
        problems = (await response.json())["errors"]

    assert [problem["code"] for problem in problems] == ["in_use", "in_use"]
    assert [sorted(problem.get("meta", {})) for problem in problems] == [[], ["helpCenterID", "sectionID", "snippetID"]]
    assert "answer-1" in emulator.store.collections["answers"]


@pytest.mark.parametrize(
    ("use", "content_type", "status"),
    [
        ({"by": "rules"}, "public", 400),
        ({"by": "rules"}, "email", 400),
        ({"by": "threads", "content_type": "email"}, "email", 400),
        ({"by": "threads", "content_type": "email"}, "public", 204),
        ({"by": "help_center"}, "public", 400),
        ({"by": "help_center"}, "email", 204),
    ],
)
async def test_used_content_cannot_be_deleted(use: dict[str, Any], content_type: str, status: int) -> None:
    """What is used is the type that the use names, or all of them."""
    emulator = an_emulator()
    emulator.use_answer("answer-1", **use)
    async with client_of(emulator) as client:
        assert (await asked(client, "DELETE", place("answer-1", content_type=content_type)))[0] == status
        found, _ = await asked(client, "GET", place("answer-1", content_type=content_type))

    assert found == (200 if status == 400 else 404)


@pytest.mark.parametrize(
    ("answer_id", "use", "error"),
    [
        ("nobody", {}, KeyError),
        ("answer-1", {"by": "magic"}, ValueError),
        ("answer-1", {"content_type": "song"}, ValueError),
    ],
)
def test_use_that_cannot_be_is_refused(answer_id: str, use: dict[str, Any], error: type[Exception]) -> None:
    """Nothing is noted then."""
    emulator = an_emulator()

    with pytest.raises(error):
        emulator.use_answer(answer_id, **use)

    assert emulator.store.count("answer_uses") == 0


async def test_content_types_that_cannot_be_deleted() -> None:
    """The document says `not implemented` for some: which is an option."""
    async with client_of(an_emulator(kept_contents=("reference",))) as client:
        assert await asked(client, "DELETE", place("answer-3", content_type="reference")) == (
            400,
            [("type", "invalid")],
        )
        assert (await asked(client, "DELETE", place("answer-1")))[0] == 204


@pytest.mark.parametrize(
    ("content_type", "payload", "kept"),
    [
        ("public", {"bodyHtml": "<p>b</p>", "title": "t"}, {"bodyHtml": "<p>b</p>", "title": "t"}),
        ("email", {"bodyHtml": "b", "subject": "s"}, {"bodyHtml": "b", "subject": "s"}),
        ("messaging", {"bodyHtml": "b", "title": "no such field"}, {"bodyHtml": "b"}),
        ("reference", {"bodyHtml": "b"}, {"bodyHtml": "b", "internal": False}),
        ("reference", {"bodyHtml": "b", "internal": True}, {"bodyHtml": "b", "internal": True}),
    ],
)
async def test_put_makes_and_replaces_a_content(
    content_type: str, payload: dict[str, Any], kept: dict[str, Any]
) -> None:
    """200 in both cases, and the same as GET says afterwards."""
    path = place("answer-2", "fr-ca", content_type)
    expected = {"answerId": "answer-2", "language": "fr-ca", "type": content_type, **kept}
    async with client_of(an_emulator()) as client:
        assert await asked(client, "PUT", path, payload) == (200, expected)
        assert await asked(client, "PUT", path, payload | {"bodyHtml": "new"}) == (200, {**expected, "bodyHtml": "new"})
        assert await asked(client, "GET", path) == (200, {**expected, "bodyHtml": "new"})


@pytest.mark.parametrize(
    ("content_type", "payload", "problems"),
    [
        ("public", {}, [("bodyHtml", "blank"), ("title", "blank")]),
        ("email", {"bodyHtml": "b", "title": "t"}, [("subject", "blank")]),
        ("messaging", {"bodyHtml": 5}, [("bodyHtml", "invalid")]),
        ("reference", {"bodyHtml": "b", "internal": "yes"}, [("internal", "invalid")]),
    ],
)
async def test_put_that_lacks_a_field_is_400(
    content_type: str, payload: object, problems: list[tuple[str, str]]
) -> None:
    """Each type has fields of its own."""
    async with client_of(an_emulator()) as client:
        assert await asked(client, "PUT", place("answer-2", "fr-ca", content_type), payload) == (400, problems)
        assert (await asked(client, "GET", place("answer-2", "fr-ca", content_type)))[0] == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize(
    ("language", "content_type", "problems"),
    [
        ("EN-US", "public", [("language", "invalid")]),
        ("de-de", "public", [("language", "invalid")]),
        ("en-us", "song", [("type", "invalid")]),
        ("english!", "song", [("language", "invalid"), ("type", "invalid")]),
    ],
)
async def test_place_that_cannot_be_is_400(
    method: str, language: str, content_type: str, problems: list[tuple[str, str]]
) -> None:
    """A language that is none or not configured, and a type that is none."""
    payload = {"bodyHtml": "b", "title": "t"} if method == "PUT" else None
    async with client_of(an_emulator()) as client:
        assert await asked(client, method, place("answer-1", language, content_type), payload) == (400, problems)


async def test_languages_are_an_option() -> None:
    """Only what the organization has configured."""
    async with client_of(an_emulator(languages=("de-de",))) as client:
        payload = {"bodyHtml": "b", "title": "t"}

        assert (await asked(client, "PUT", place("answer-1", "de-de"), payload))[0] == 200
        assert (await asked(client, "PUT", place("answer-1", "en-us"), payload))[0] == 400


async def test_public_answer_needs_no_credentials() -> None:
    """The management of answers does."""
    async with somebody(an_emulator()) as client:
        status, answer = await asked(client, "GET", f"{ORGANIZATION}/answers/answer-1")
        refused, _ = await asked(client, "GET", f"{PATH}/answer-1")

    assert (status, refused) == (200, 401)
    assert answer == {
        "id": "answer-1",
        "name": "Returns",
        "bodyHtml": "<p>Send it back within 30 days.</p>",
        "language": "en-us",
        "updatedAt": "2024-01-01T00:00:00.000Z",
    }


async def test_wrong_credentials_do_no_harm_to_public_answers() -> None:
    """Whatever a client sends along is not looked at."""
    async with (
        an_emulator() as emulator,
        aiohttp.ClientSession(emulator.url, headers={"Authorization": "Basic nonsense"}) as client,
    ):
        assert (await asked(client, "GET", f"{ORGANIZATION}/answers"))[0] == 200


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["Delivery times", "Returns"]),
        ("?lng=en-us", ["Delivery times", "Returns"]),
        ("?lng=ES-MX", ["Returns"]),
        ("?lng=xx", []),
        ("?audienceId=audience-2", ["Delivery times"]),
        ("?audienceId=", ["Delivery times", "Returns"]),
        ("?lng=es-mx&audienceId=audience-2", []),
    ],
)
async def test_list_shows_public_contents_by_name(query: str, names: list[str]) -> None:
    """In the language asked for, which is en-us by default, and for an audience."""
    async with somebody(an_emulator()) as client:
        status, answers = await asked(client, "GET", f"{ORGANIZATION}/answers{query}")

    assert (status, [answer["name"] for answer in answers]) == (200, names)


async def test_list_is_cut_at_its_cap_without_a_sign() -> None:
    """The first 1000 by name."""
    emulator = an_emulator()
    for number in range(LIST_CAP):
        key = f"a-{number}"
        emulator.store.collections["answers"][key] = {"id": key, "name": f"A {number:04}", "updatedAt": "-"}
        content = {"answerId": key, "language": "en-us", "type": "public", "bodyHtml": "b", "title": "t"}
        emulator.store.collections["answer_contents"][f"{key}/en-us/public"] = {"id": "-", **content}
    async with somebody(emulator) as client, client.get(f"{ORGANIZATION}/answers") as response:
        answers = await response.json()
        assert "Gladly-Limited-Data" not in response.headers

    assert [answer["name"] for answer in answers] == [f"A {number:04}" for number in range(LIST_CAP)]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("q=RETURNS", ["answer-1"]),
        ("q=how+returns+30", ["answer-1"]),
        ("q=returns+arrive", []),
        ("q=four", ["answer-2"]),
        ("q=p", []),
        ("q=", []),
        ("", []),
        ("q=d%C3%ADas&lng=es-mx", ["answer-1"]),
        ("q=four&audienceId=audience-9", []),
    ],
)
async def test_search_finds_all_words_in_what_is_read(query: str, ids: list[str]) -> None:
    """In name, title and text, in any case; the names of tags are no text."""
    async with somebody(an_emulator()) as client:
        status, found = await asked(client, "GET", f"{ORGANIZATION}/answers-search?{query}")

    assert (status, [answer["id"] for answer in found]) == (200, ids)
    assert all(answer.keys() == {"id", "name"} for answer in found)


async def test_help_center_has_the_titles_of_the_answers_it_uses() -> None:
    """Of those with a public content in the language; another center has its own."""
    emulator = an_emulator()
    emulator.use_answer("answer-2", by="help_center", place="help-1")
    emulator.use_answer("answer-3", by="help_center", place="help-1")
    emulator.use_answer("answer-1", by="help_center", place="help-2")
    async with somebody(emulator) as client:
        titles = f"{ORGANIZATION}/help-center/help-1/answer-titles"
        assert await asked(client, "GET", titles) == (200, [{"id": "answer-2", "name": "Delivery times"}])
        assert await asked(client, "GET", f"{titles}?lng=es-mx") == (200, [])


@pytest.mark.parametrize(
    "path",
    [
        f"{ORGANIZATION}/answers/answer-3",
        f"{ORGANIZATION}/answers/nobody",
        f"{ORGANIZATION}/answers/answer-2?lng=es-mx",
        "/api/v1/orgs/another/answers",
        "/api/v1/orgs/another/answers/answer-1",
        "/api/v1/orgs/another/answers-search?q=returns",
        "/api/v1/orgs/another/help-center/help-1/answer-titles",
    ],
)
async def test_what_the_public_may_not_see_is_404(path: str) -> None:
    """An answer without a public content, and another organization."""
    async with somebody(an_emulator()) as client:
        assert (await asked(client, "GET", path))[0] == 404


async def test_new_content_is_public_at_once() -> None:
    """And moves the time of the answer."""
    wall = Wall()
    async with client_of(an_emulator(clock=Clock(wall=wall))) as client:
        await asked(client, "PUT", place("answer-3"), {"bodyHtml": "b", "title": "t"})
        _, shown = await asked(client, "GET", f"{ORGANIZATION}/answers/answer-3")
        wall.now += 1
        await asked(client, "DELETE", place("answer-3"))
        _, answer = await asked(client, "GET", f"{PATH}/answer-3")

    assert shown["updatedAt"] == "2026-01-01T00:00:00.000Z"
    assert answer["updatedAt"] == "2026-01-01T00:00:01.000Z"


async def test_answers_survive_in_the_state_file(tmp_path: Path) -> None:
    """With contents and uses; the seeded ones do not come back."""
    file = tmp_path / "state.json"
    first = an_emulator(state_file=file)
    first.use_answer("answer-1", by="threads")
    async with client_of(first) as client:
        await asked(client, "DELETE", f"{PATH}/answer-2")
        await asked(client, "POST", PATH, {"id": "a-1", "name": "Sizes"})
        await asked(client, "PUT", place("a-1"), {"bodyHtml": "b", "title": "t"})

    async with client_of(an_emulator(state_file=file)) as client:
        assert (await asked(client, "GET", f"{PATH}/answer-2"))[0] == 404
        assert (await asked(client, "GET", place("a-1")))[0] == 200
        assert await asked(client, "DELETE", f"{PATH}/answer-1") == (400, [(None, "in_use")])
