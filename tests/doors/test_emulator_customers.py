"""The five customer operations of the emulator, over a real socket."""

from typing import Any

import aiohttp
import pytest
from yarl import URL

from bulkgladly.emulator import Clock, Emulator, Refusal
from tests.signing import basic_auth

PATH = "/api/v1/customer-profiles"


def session(emulator: Emulator) -> aiohttp.ClientSession:
    credentials = basic_auth(emulator.options.username, emulator.options.token)
    return aiohttp.ClientSession(emulator.url, headers={"Authorization": credentials})


def unlimited(**changes: Any) -> Emulator:
    return Emulator(rate=None, **changes)


def email(address: str) -> list[dict[str, str]]:
    return [{"original": address}]


def mobile(number: str) -> list[dict[str, str]]:
    return [{"original": number, "type": "MOBILE"}]


async def problems_of(response: aiohttp.ClientResponse) -> list[tuple[str | None, str]]:
    envelope = await response.json()
    return [(problem.get("attr"), problem["code"]) for problem in envelope["errors"]]


async def test_create_answers_201_with_a_relative_location_and_no_body() -> None:
    """The id is only in `Location`."""
    async with unlimited() as emulator, session(emulator) as client:
        async with client.post(PATH, json={"id": "c-1", "name": "Ada"}) as response:
            assert response.status == 201
            assert response.headers["Location"] == f"{PATH}/c-1"
            assert await response.read() == b""

        assert emulator.store.count("customers") == 1


async def test_create_without_id_gets_one_in_the_usual_style() -> None:
    """22 URL-safe characters that begin with a letter, different each time."""
    async with unlimited() as emulator, session(emulator) as client:
        for _ in range(3):
            async with client.post(PATH, json={}) as response:
                assert response.status == 201

    assert len(emulator.store.customers) == 3
    assert all(len(i) == 22 and i[0].isalpha() and i.isascii() for i in emulator.store.customers)


async def test_profile_comes_back_normalized() -> None:
    """Emails in lower case, phones in E.164, region US, an empty type, and both times."""
    clock = Clock(wall=lambda: 1_704_164_645.678)
    profile = {
        "id": "c-1",
        "emails": [{"original": "Ada <Ada@Example.org>", "primary": True}],
        "phones": [{"original": "650 555 0100"}],
        "customAttributes": {"tier": "gold"},
        "nonsense": "ignored",
        "createdAt": "1999-01-01T00:00:00Z",
    }
    async with unlimited(clock=clock) as emulator, session(emulator) as client:
        await client.post(PATH, json=profile)
        async with client.get(f"{PATH}/c-1") as response:
            assert response.content_type == "application/json"
            found = await response.json()

    assert found == {
        "id": "c-1",
        "emails": [{"original": "Ada@Example.org", "normalized": "ada@example.org", "primary": True}],
        "phones": [{"original": "650 555 0100", "normalized": "+16505550100", "regionCode": "US", "type": ""}],
        "customAttributes": {"tier": "gold"},
        "createdAt": "2024-01-02T03:04:05.678Z",
        "updatedAt": "2024-01-02T03:04:05.678Z",
    }


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ({"id": "c-1"}, [("id", "taken")]),
        ({"id": "c-1", "emails": email("ada@example.org")}, [("id", "taken")]),
        ({"emails": email("ADA@example.ORG")}, [("emails", "taken")]),
        ({"phones": mobile("(650) 555-0100")}, [("phones", "taken")]),
        (
            {"emails": email("ada@example.org"), "phones": mobile("+16505550100")},
            [("emails", "taken"), ("phones", "taken")],
        ),
    ],
    ids=["id", "id hides the rest", "email in other case", "mobile in other form", "both addresses"],
)
async def test_taken_id_or_address_is_409(second: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """The conflict names the attribute, carries no meta, and nothing is added."""
    async with unlimited() as emulator, session(emulator) as client:
        emulator.add_customer(id="c-1", emails=email("Ada@Example.org"), phones=mobile("+1 650 555 0100"))

        async with client.post(PATH, json=second) as response:
            assert response.status == 409
            assert await problems_of(response) == expected
            assert all("meta" not in problem for problem in (await response.json())["errors"])

        assert emulator.store.count("customers") == 1


@pytest.mark.parametrize(("kind", "other"), [("HOME", "MOBILE"), ("OFFICE", "OFFICE"), ("", "MOBILE")])
async def test_phones_that_are_not_mobile_may_repeat(kind: str, other: str) -> None:
    """Only a MOBILE number against a MOBILE number is a conflict."""
    async with unlimited() as emulator, session(emulator) as client:
        emulator.add_customer(phones=[{"original": "+16505550100", "type": kind}])

        async with client.post(PATH, json={"phones": [{"original": "+16505550100", "type": other}]}) as response:
            assert response.status == 201


@pytest.mark.parametrize(
    ("payload", "attribute"),
    [
        ({"id": "x" * 51}, "id"),
        ({"id": "a/b"}, "id"),
        ({"id": ""}, "id"),
        ({"id": 5}, "id"),
        ({"name": 5}, "name"),
        ({"emails": "ada@example.org"}, "emails"),
        ({"emails": [{}]}, "emails"),
        ({"emails": email("no address")}, "emails"),
        ({"emails": [{"original": f"{n}@example.org", "primary": True} for n in "ab"]}, "emails"),
        ({"emails": [{"original": "a@example.org", "primary": "yes"}]}, "emails"),
        ({"phones": mobile("12")}, "phones"),
        ({"phones": mobile("call me")}, "phones"),
        ({"phones": [{"original": "+16505550100", "type": "WORK"}]}, "phones"),
        ({"phones": [{"original": "+16505550100", "smsPreference": "MAYBE"}]}, "phones"),
        ({"phones": [{"original": "030 5550100", "regionCode": "ZZ"}]}, "phones"),
        ({"customAttributes": []}, "customAttributes"),
    ],
)
async def test_field_that_cannot_be_kept_is_400(payload: dict[str, Any], attribute: str) -> None:
    """The answer names the field with `invalid`, and nothing is added."""
    async with unlimited() as emulator, session(emulator) as client:
        async with client.post(PATH, json=payload) as response:
            assert response.status == 400
            assert await problems_of(response) == [(attribute, "invalid")]

        assert emulator.store.count("customers") == 0


async def test_every_field_at_fault_is_named() -> None:
    """One answer lists all of them."""
    async with (
        unlimited() as emulator,
        session(emulator) as client,
        client.post(PATH, json={"name": 1, "phones": mobile("1")}) as response,
    ):
        assert await problems_of(response) == [("name", "invalid"), ("phones", "invalid")]


async def test_id_of_fifty_characters_is_accepted() -> None:
    """The limit itself is inside."""
    async with (
        unlimited() as emulator,
        session(emulator) as client,
        client.post(PATH, json={"id": "x" * 50}) as response,
    ):
        assert response.status == 201


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b'{"name": "\xff"}'])
async def test_body_that_is_no_json_object_is_400(body: bytes) -> None:
    """Malformed bodies are refused before anything is looked at."""
    async with (
        unlimited() as emulator,
        session(emulator) as client,
        client.post(PATH, data=body) as response,
    ):
        assert response.status == 400
        assert await problems_of(response) == [(None, "invalid")]


@pytest.mark.parametrize(
    ("original", "region", "normalized"),
    [
        ("650 555 0100", None, "+16505550100"),
        ("1-650-555-0100", "US", "+16505550100"),
        ("020 7946 0000", "GB", "+442079460000"),
        ("+44 20 7946 0000", None, "+442079460000"),
        ("06 5550 0100", "IT", "+390655500100"),
    ],
)
async def test_phone_is_read_by_its_region(original: str, region: str | None, normalized: str) -> None:
    """Without a region a local number is a US one; with a plus sign no region is needed."""
    emulator = unlimited()

    customer_id = emulator.add_customer(phones=[{"original": original, "regionCode": region}])

    assert emulator.customer(customer_id)["phones"][0]["normalized"] == normalized


async def test_search_by_email_ignores_case_and_finds_one() -> None:
    """The address is compared in lower case."""
    async with unlimited(seed_customers=3) as emulator, session(emulator) as client:
        emulator.add_customer(id="c-1", emails=email("Ada@Example.org"))

        async with client.get(PATH, params={"email": "ADA@EXAMPLE.ORG"}) as response:
            assert [found["id"] for found in await response.json()] == ["c-1"]


async def test_search_gives_at_most_fifty_and_the_newest_first() -> None:
    """The cap is silent; of equal times the one written last comes first."""
    now = 1_704_000_000.0
    async with unlimited(clock=Clock(wall=lambda: now)) as emulator, session(emulator) as client:
        for number in range(55):
            emulator.add_customer(id=f"c-{number}", phones=[{"original": "+16505550100", "type": "HOME"}])
        now += 1
        await client.patch(f"{PATH}/c-7", json={"name": "Newest"})

        async with client.get(PATH, params={"phoneNumber": "+16505550100"}) as response:
            found = [profile["id"] for profile in await response.json()]

    assert len(found) == 50
    assert found[:3] == ["c-7", "c-54", "c-53"]


async def test_search_by_external_id() -> None:
    """The old Lookup Adaptor's id can be searched for."""
    async with unlimited() as emulator, session(emulator) as client:
        emulator.add_customer(id="c-1", externalCustomerId="X 1")

        async with client.get(PATH, params={"externalCustomerId": "X 1"}) as response:
            assert [found["id"] for found in await response.json()] == ["c-1"]


async def test_search_without_a_match_is_an_empty_list() -> None:
    """Not found is 200."""
    async with (
        unlimited() as emulator,
        session(emulator) as client,
        client.get(PATH, params={"email": "nobody@example.org"}) as response,
    ):
        assert (response.status, await response.json()) == (200, [])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", (None, "invalid")),
        ("?email=a@example.org&phoneNumber=%2B16505550100", (None, "invalid")),
        ("?email=a@example.org&email=b@example.org", (None, "invalid")),
        ("?email=nonsense", ("email", "invalid")),
        ("?phoneNumber=+16505550100", ("phoneNumber", "invalid")),
    ],
    ids=["none", "two kinds", "one twice", "no address", "plus sign not encoded"],
)
async def test_search_that_cannot_be_understood_is_400(query: str, expected: tuple[str | None, str]) -> None:
    """Exactly one parameter, and a readable one."""
    async with (
        unlimited() as emulator,
        session(emulator) as client,
        client.get(URL(f"{emulator.url}{PATH}{query}", encoded=True)) as response,
    ):
        assert response.status == 400
        assert await problems_of(response) == [expected]


async def test_get_of_an_unknown_id_is_404() -> None:
    """The envelope says `not_exist`."""
    async with (
        unlimited() as emulator,
        session(emulator) as client,
        client.get(f"{PATH}/nobody") as response,
    ):
        assert response.status == 404
        assert await problems_of(response) == [(None, "not_exist")]


async def test_404_can_carry_a_single_object() -> None:
    """With the option, `errors` is the bare object that many of Gladly's examples show."""
    async with (
        unlimited(not_found="object") as emulator,
        session(emulator) as client,
        client.get(f"{PATH}/nobody") as response,
    ):
        assert (await response.json())["errors"]["code"] == "not_exist"


async def test_patch_replaces_arrays_whole_and_leaves_the_rest() -> None:
    """A shorter list frees the addresses that are gone; null clears; unknown fields are ignored."""
    async with unlimited() as emulator, session(emulator) as client:
        emails = email("old@example.org") + email("kept@example.org")
        emulator.add_customer(id="c-1", name="Ada", address="1 Test Lane", emails=emails)

        change = {"emails": email("kept@example.org"), "address": None, "id": "other", "nonsense": 1}
        async with client.patch(f"{PATH}/c-1", json=change) as response:
            assert (response.status, await response.read()) == (204, b"")

        profile = emulator.customer("c-1")
        assert profile["name"] == "Ada"
        assert "address" not in profile
        assert [entry["original"] for entry in profile["emails"]] == ["kept@example.org"]
        emulator.add_customer(emails=email("old@example.org"))


async def test_whole_fetched_profile_can_be_sent_back() -> None:
    """Reading, changing and writing a profile works without picking fields."""
    async with unlimited(seed_customers=1) as emulator, session(emulator) as client:
        async with client.get(f"{PATH}/seeded-0000000") as response:
            profile = await response.json()

        async with client.patch(f"{PATH}/seeded-0000000", json=profile | {"name": "Changed"}) as response:
            assert response.status == 204

        after = emulator.customer("seeded-0000000")
        assert {**after, "updatedAt": ""} == {**profile, "name": "Changed", "updatedAt": ""}


@pytest.mark.parametrize(("mode", "expected"), [("merge", {"a": "1", "b": "2"}), ("replace", {"b": "2", "c": None})])
async def test_custom_attributes_merge_or_replace_by_option(mode: str, expected: dict[str, str]) -> None:
    """Gladly does not say which; merging, a null removes its key."""
    async with unlimited(attributes=mode) as emulator, session(emulator) as client:
        emulator.add_customer(id="c-1", customAttributes={"a": "1", "c": "3"})

        await client.patch(f"{PATH}/c-1", json={"customAttributes": {"b": "2", "c": None}})

        assert emulator.customer("c-1")["customAttributes"] == expected


async def test_patch_with_a_taken_address_is_409_and_changes_nothing() -> None:
    """The profile stays as it was, its own addresses included."""
    async with unlimited() as emulator, session(emulator) as client:
        emulator.add_customer(id="c-1", emails=email("one@example.org"))
        emulator.add_customer(id="c-2", emails=email("two@example.org"))
        before = dict(emulator.customer("c-2"))

        change = {"name": "New", "emails": email("One@example.org")}
        async with client.patch(f"{PATH}/c-2", json=change) as response:
            assert response.status == 409
            assert await problems_of(response) == [("emails", "taken")]

        assert emulator.customer("c-2") == before
        with pytest.raises(Refusal):
            emulator.add_customer(emails=email("two@example.org"))


async def test_patch_that_cannot_be_kept_is_400_and_of_nobody_404() -> None:
    """The same checks as on create."""
    async with unlimited() as emulator, session(emulator) as client:
        emulator.add_customer(id="c-1")

        async with client.patch(f"{PATH}/c-1", json={"emails": email("nonsense")}) as response:
            assert response.status == 400
        async with client.patch(f"{PATH}/nobody", json={}) as response:
            assert response.status == 404


async def test_delete_frees_addresses_and_the_repeat_is_404() -> None:
    """Afterwards the customer is unknown, and its addresses may be used."""
    async with unlimited() as emulator, session(emulator) as client:
        emulator.add_customer(id="c-1", emails=email("one@example.org"), phones=mobile("+16505550100"))

        async with client.delete(f"{PATH}/c-1") as response:
            assert response.status == 204
        async with client.delete(f"{PATH}/c-1") as response:
            assert response.status == 404

        emulator.add_customer(id="c-1", emails=email("one@example.org"), phones=mobile("+16505550100"))


async def test_deleted_id_stays_taken_by_option() -> None:
    """Gladly does not say whether an id can come back."""
    async with unlimited(deleted_ids="taken") as emulator, session(emulator) as client:
        emulator.add_customer(id="c-1")
        await client.delete(f"{PATH}/c-1")

        async with client.post(PATH, json={"id": "c-1"}) as response:
            assert await problems_of(response) == [("id", "taken")]


async def test_customer_with_an_open_conversation_cannot_be_deleted() -> None:
    """400 with the single-object envelope; once it is closed, customer and conversation go together."""
    async with unlimited() as emulator, session(emulator) as client:
        emulator.add_customer(id="c-1")
        conversations = emulator.store.collections["conversations"]
        conversations["v-1"] = {"id": "v-1", "customerId": "c-1", "status": "WAITING"}

        async with client.delete(f"{PATH}/c-1") as response:
            assert response.status == 400
            error = (await response.json())["errors"]
            assert (error["attr"], error["code"]) == ("conversation", "invalid_state")

        conversations["v-1"]["status"] = "CLOSED"
        async with client.delete(f"{PATH}/c-1") as response:
            assert response.status == 204
        assert not conversations


async def test_merged_customer_answers_301_with_the_new_id() -> None:
    """The body names both ids; there is no `Location` unless asked for."""
    async with unlimited() as emulator, session(emulator) as client:
        emulator.add_customer(id="old")
        emulator.add_customer(id="new")
        emulator.store.merge("old", "new")

        async with client.get(f"{PATH}/old", allow_redirects=False) as response:
            assert response.status == 301
            assert "Location" not in response.headers
            [error] = (await response.json())["errors"]

        assert (error["attr"], error["code"]) == ("customerId", "moved")
        assert error["meta"] == {"old": "old", "new": "new"}


async def test_location_of_a_merged_customer_by_option() -> None:
    """With the option, a client that follows redirects arrives."""
    async with unlimited(moved_location=True) as emulator, session(emulator) as client:
        emulator.add_customer(id="old")
        emulator.add_customer(id="new")
        emulator.store.merge("old", "new")

        async with client.get(f"{PATH}/old") as response:
            assert (await response.json())["id"] == "new"


@pytest.mark.parametrize(("moved_to", "expected"), [("next", "b"), ("last", "c")])
async def test_chain_of_merges_names_the_next_or_the_last(moved_to: str, expected: str) -> None:
    """Gladly does not say which; by default a client has to follow step by step."""
    async with unlimited(moved_to=moved_to) as emulator, session(emulator) as client:
        for customer_id in "abc":
            emulator.add_customer(id=customer_id)
        emulator.store.merge("a", "b")
        emulator.store.merge("b", "c")

        async with client.get(f"{PATH}/a", allow_redirects=False) as response:
            assert (await response.json())["errors"][0]["meta"]["new"] == expected


async def test_merged_customer_cannot_be_written_and_keeps_its_id() -> None:
    """PATCH and DELETE are 404, a create with the id is 409."""
    async with unlimited() as emulator, session(emulator) as client:
        emulator.add_customer(id="old")
        emulator.add_customer(id="new")
        emulator.store.merge("old", "new")

        async with client.patch(f"{PATH}/old", json={"name": "Late"}) as response:
            assert response.status == 404
        async with client.delete(f"{PATH}/old") as response:
            assert response.status == 404
        async with client.post(PATH, json={"id": "old"}) as response:
            assert response.status == 409


async def test_merge_joins_addresses_fields_and_conversations() -> None:
    """The winner keeps what it has and gains the rest; its primary address stays the only one."""
    emulator = unlimited()
    primary = [{"original": "old@example.org", "primary": True}]
    emulator.add_customer(id="old", name="Old", address="Lane", emails=primary, customAttributes={"a": "1"})
    kept = [{"original": "new@example.org", "primary": True}]
    emulator.add_customer(id="new", name="New", emails=kept, customAttributes={"b": "2"})
    emulator.store.collections["conversations"]["v"] = {"id": "v", "customerId": "old", "status": "OPEN"}

    emulator.store.merge("old", "new")

    winner = emulator.customer("new")
    assert (winner["name"], winner["address"]) == ("New", "Lane")
    assert [(e["original"], e["primary"]) for e in winner["emails"]] == [
        ("new@example.org", True),
        ("old@example.org", False),
    ]
    assert winner["customAttributes"] == {"a": "1", "b": "2"}
    assert emulator.store.find_by_email("OLD@example.org") == [winner]
    assert emulator.store.collections["conversations"]["v"]["customerId"] == "new"


async def test_merge_of_the_unknown_or_of_itself_is_refused() -> None:
    """Nothing changes."""
    emulator = unlimited()
    emulator.add_customer(id="c-1")

    with pytest.raises(KeyError):
        emulator.store.merge("nobody", "c-1")
    with pytest.raises(KeyError):
        emulator.store.merge("c-1", "nobody")
    with pytest.raises(ValueError, match="into itself"):
        emulator.store.merge("c-1", "c-1")

    assert list(emulator.store.customers) == ["c-1"]
