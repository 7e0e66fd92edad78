"""Customers: what a row becomes, and what a profile lacks of it."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.explanations.explain_words import fields_of
from bulkgladly.gladly.customer_rows import changes_to, differing_parts_of, gaps_in, prepare_customer
from bulkgladly.gladly.identity import derive_id, digest64, fingerprint, key_of_content
from bulkgladly.gladly.plain_profiles import holds_plainly
from bulkgladly.gladly.spec import Draft, Policy
from bulkgladly.records import Claim, Position, Problem, Row
from bulkgladly.undo.undo_decision import decide_undo
from bulkgladly.undo.undo_images import images_of
from tests.unit.test_undo_decision import CUSTOMERS, Write

HOST = "https://example.gladly.com"
EMAILS = [{"original": "ada@example.org"}]


def prepare(fields: Mapping[str, Any], **policy: Any) -> Draft | Problem:
    row = Row(Position(0, 0, 1), dict(fields), seq=0)
    payload = {name: value for name, value in fields.items() if name != policy.get("key")}
    return prepare_customer(row, payload, Policy(host=HOST, **policy))


def record(fields: Mapping[str, Any], **policy: Any) -> Draft:
    found = prepare(fields, **policy)
    assert isinstance(found, Draft), found
    return found


def problem(fields: Mapping[str, Any], **policy: Any) -> Problem:
    found = prepare(fields, **policy)
    assert isinstance(found, Problem), found
    return found


@pytest.mark.parametrize(
    ("fields", "payload"),
    [
        pytest.param({"name": "Ada", "emails": EMAILS}, {"name": "Ada", "emails": EMAILS}, id="as it is"),
        pytest.param({"name": None, "emails": EMAILS}, {"emails": EMAILS}, id="null keeps"),
        pytest.param({"emails": EMAILS, "phones": None}, {"emails": EMAILS}, id="a null list keeps"),
        pytest.param({"emails": EMAILS, "phones": []}, {"emails": EMAILS}, id="an empty list keeps"),
        pytest.param(
            {"emails": EMAILS, "customAttributes": {"tier": "gold", "old": None}},
            {"emails": EMAILS, "customAttributes": {"tier": "gold"}},
            id="a null attribute keeps",
        ),
        pytest.param({"emails": EMAILS, "customAttributes": {}}, {"emails": EMAILS}, id="no attributes"),
        pytest.param({"emails": EMAILS, "customAttributes": None}, {"emails": EMAILS}, id="null attributes"),
    ],
)
def test_payload_holds_what_the_row_says(fields: dict[str, Any], payload: dict[str, Any]) -> None:
    """Missing and null leave a field alone."""
    assert record(fields).payload == payload


@pytest.mark.parametrize(
    ("fields", "payload"),
    [
        ({"name": None, "emails": EMAILS}, {"name": None, "emails": EMAILS}),
        (
            {"emails": EMAILS, "customAttributes": {"tier": "gold", "old": None}},
            {"emails": EMAILS, "customAttributes": {"tier": "gold", "old": None}},
        ),
        ({"emails": EMAILS, "phones": None}, {"emails": EMAILS}),
        ({"id": None, "emails": EMAILS}, {"emails": EMAILS}),
    ],
)
def test_null_clears_where_the_user_says_so(fields: dict[str, Any], payload: dict[str, Any]) -> None:
    """Except the contact lists, which imports never shorten, and the id."""
    assert record(fields, null="clear").payload == payload


def test_key_column_identifies_a_record() -> None:
    """The id is derived from the key, the content does not matter."""
    one = record({"crm": "7", "name": "Ada"}, key="crm")
    other = record({"crm": "7", "name": "Bela"}, key="crm")

    assert one.key == other.key == "7"
    assert one.id == other.id == derive_id(HOST, "customers", "default", "7")
    assert not one.has_own_id


@pytest.mark.parametrize(("value", "key"), [(7, "7"), ("7", "7"), ("007", "007")])
def test_keys_are_texts(value: Any, key: str) -> None:
    """A number and the same text are one key, in any file format."""
    assert record({"crm": value, "name": "Ada"}, key="crm").key == key


@pytest.mark.parametrize("value", [True, 1.5, {"a": 1}, ["7"]])
def test_what_is_no_text_is_no_key(value: Any) -> None:
    """It would become a key that no other system has."""
    assert problem({"crm": value, "name": "Ada"}, key="crm").code == "key_type"


def test_an_own_id_beside_a_key_is_claimed_too() -> None:
    """Two rows must not write to one customer under two keys."""
    claims = record({"crm": "7", "id": "one", "name": "Ada"}, key="crm").claims

    assert [claim.attr for claim in claims] == ["key", "id"]


def test_key_can_be_a_custom_attribute() -> None:
    """In the flat and in the nested form."""
    flat = record({"customAttribute:crm": "7", "name": "Ada"}, key="customAttribute:crm")
    nested = record({"customAttributes": {"crm": "7"}, "name": "Ada"}, key="customAttribute:crm")

    assert flat.key == nested.key == "7"


@pytest.mark.parametrize("value", [None, ""])
def test_a_row_without_its_key_is_refused(value: Any) -> None:
    """Nothing else replaces it: that would create another customer."""
    found = problem({"crm": value, "emails": EMAILS}, key="crm")

    assert (found.code, found.attr) == ("key_missing", "crm")


def test_namespaces_keep_source_systems_apart() -> None:
    """The same key in two systems is two customers."""
    ids = {record({"crm": "7"}, key="crm", namespace=name).id for name in ("shop", "desk")}

    assert len(ids) == 2


def test_own_id_is_used_as_it_is() -> None:
    """The payload's id is the key and the id, and is sent apart from the fields."""
    found = record({"id": "crm-7", "name": "Ada"})

    assert (found.id, found.key, found.has_own_id) == ("crm-7", "crm-7", True)
    assert found.payload == {"name": "Ada"}


def test_key_column_and_own_id_go_together() -> None:
    """The key is for our memory, the id for Gladly."""
    found = record({"crm": "7", "id": "own-7", "name": "Ada"}, key="crm")

    assert (found.key, found.id) == ("7", "own-7")


def test_rows_without_key_are_their_content() -> None:
    """Two equal rows are one record; the spelling of a phone number does not make another."""
    one = record({"emails": EMAILS, "phones": ["+1 650 555 0100"]})
    other = record({"phones": ["+16505550100"], "emails": EMAILS})

    assert one.key == other.key == key_of_content(one.payload)
    assert one.id == other.id


@pytest.mark.parametrize("fields", [{}, {"name": "Ada"}, {"name": "Ada", "emails": [], "phones": None}])
def test_a_row_that_nobody_could_find_again_is_refused(fields: dict[str, Any]) -> None:
    """A name alone does not identify a person."""
    assert problem(fields).code == "no_identifier"


@pytest.mark.parametrize("more", [{"emails": EMAILS}, {"phones": ["+16505550100"]}, {"externalCustomerId": "x"}])
def test_any_identifier_will_do(more: dict[str, Any]) -> None:
    """An email, a phone or an external id."""
    assert record({"name": "Ada", **more}).id


@pytest.mark.parametrize(
    ("fields", "attr"),
    [
        ({"id": "a b"}, "id"),
        ({"id": "x" * 50}, "id"),
        ({"id": 17}, "id"),
        ({"id": "1", "name": 17}, "name"),
        ({"id": "1", "address": ["1 Test Lane"]}, "address"),
        ({"id": "1", "emails": "ada@example.org"}, "emails"),
        ({"id": "1", "emails": [{"original": "nobody"}]}, "emails[0]"),
        ({"id": "1", "phones": ["020 7946 0018"]}, "phones[0]"),
        ({"id": "1", "customAttributes": ["gold"]}, "customAttributes"),
    ],
)
def test_rows_that_cannot_be_sent_name_the_field(fields: dict[str, Any], attr: str) -> None:
    """A reject before any request is spent."""
    assert problem(fields).attr == attr


def test_claims_are_what_one_record_holds_alone() -> None:
    """The key, every email in any case, and mobile numbers, but not a shared office phone."""
    found = record(
        {
            "id": "1",
            "emails": ["Ada@Example.org", "bela@example.org"],
            "phones": [
                {"original": "+16505550100", "type": "MOBILE"},
                {"original": "+16505550101", "type": "OFFICE"},
                "+16505550102",
            ],
        }
    )

    assert found.claims == (
        Claim("key", digest64("key", "1")),
        Claim("emails[0]", digest64("email", "ada@example.org")),
        Claim("emails[1]", digest64("email", "bela@example.org")),
        Claim("phones[0]", digest64("phone", "+16505550100")),
    )


def test_fingerprints_are_kept_for_each_field() -> None:
    """So that a changed row costs one PATCH with the changed fields."""
    found = record({"id": "1", "name": "Ada", "emails": EMAILS})

    assert found.fingerprints == {"name": fingerprint("Ada"), "emails": fingerprint(EMAILS)}


PROFILE: dict[str, Any] = {
    "id": "1",
    "name": "Ada Sample",
    "emails": [{"original": "Ada@Example.org", "normalized": "ada@example.org", "primary": True}],
    "phones": [{"original": "+16505550100", "normalized": "+16505550100", "regionCode": "US", "type": ""}],
    "customAttributes": {"tier": "gold", "since": 2019},
    "createdAt": "2024-01-01T00:00:00Z",
    "updatedAt": "2024-01-02T00:00:00Z",
}


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param({}, id="an empty row"),
        pytest.param({"name": "Ada Sample"}, id="the same name"),
        pytest.param({"name": "Ada Sample", "address": None}, id="clearing what is not there"),
        pytest.param({"name": "Ada Sample", "address": ""}, id="empty and missing"),
        pytest.param({"emails": [{"original": "ada@example.org"}]}, id="normalized, and the case"),
        pytest.param({"emails": [{"original": "ada@example.org", "primary": True}]}, id="primary"),
        pytest.param({"phones": [{"original": "+16505550100"}]}, id="regionCode US and type empty"),
        pytest.param({"customAttributes": {"tier": "gold"}}, id="a part of the attributes"),
        pytest.param({"customAttributes": {"gone": None}}, id="clearing an attribute that is not there"),
    ],
)
def test_what_gladly_adds_is_no_difference(payload: dict[str, Any]) -> None:
    """A repeat of an accepted row changes nothing."""
    assert changes_to(PROFILE, payload) == {}


@pytest.mark.parametrize(
    ("payload", "changes"),
    [
        pytest.param({"name": "Ada New"}, {"name": "Ada New"}, id="another name"),
        pytest.param({"name": None}, {"name": None}, id="a name to clear"),
        pytest.param({"address": "1 Test Lane"}, {"address": "1 Test Lane"}, id="a first address"),
        pytest.param(
            {"emails": [{"original": "bela@example.org"}]},
            {"emails": [*PROFILE["emails"], {"original": "bela@example.org"}]},
            id="one more email, the held one as it came",
        ),
        pytest.param(
            {"phones": [{"original": "+16505550100", "type": "MOBILE"}]},
            {"phones": [{**PROFILE["phones"][0], "type": "MOBILE"}]},
            id="the type of a held phone",
        ),
        pytest.param(
            {"customAttributes": {"tier": "silver"}},
            {"customAttributes": {"tier": "silver", "since": 2019}},
            id="attributes laid over the present ones",
        ),
        pytest.param(
            {"customAttributes": {"tier": None}},
            {"customAttributes": {"tier": None, "since": 2019}},
            id="an attribute to clear",
        ),
    ],
)
def test_changes_are_what_the_profile_lacks(payload: dict[str, Any], changes: dict[str, Any]) -> None:
    """Only the fields that differ, and nothing that others have added is lost."""
    assert changes_to(PROFILE, payload) == changes


@pytest.mark.parametrize(("held", "wanted"), [(True, 1), (0, False), ([True], [1]), ({"a": 1}, {"a": True}), (1, "1")])
def test_a_flag_is_not_a_number(held: Any, wanted: Any) -> None:
    """For Python it is: an attribute that goes from one to the other is written, shown, and taken back."""
    profile, payload = ({"customAttributes": {"vip": one, "tier": "gold"}} for one in (held, wanted))

    assert changes_to(profile, payload) == payload
    assert differing_parts_of(profile, payload, "customAttributes") == [("customAttributes.vip", wanted, held)]
    assert [one.field for one in fields_of(profile, payload)] == ["customAttributes.vip"]
    images = images_of([Write("update", profile, payload)], CUSTOMERS)
    assert images.maps == {"customAttributes": {"vip": (held, wanted)}}
    assert decide_undo(images, payload, CUSTOMERS).changes == profile
    assert changes_to(profile, profile) == {}


def test_a_number_is_the_same_in_both_spellings() -> None:
    """JSON has one kind of number."""
    assert changes_to({"customAttributes": {"age": 1.0}}, {"customAttributes": {"age": 1}}) == {}


@pytest.mark.parametrize("profile", [{}, {"emails": None}, {"emails": "x", "customAttributes": 3}, {"emails": ["x"]}])
def test_strange_profiles_are_empty_ones(profile: dict[str, Any]) -> None:
    """A profile that is not in Gladly's form never raises."""
    payload = {"emails": EMAILS, "customAttributes": {"tier": "gold"}}

    assert changes_to(profile, payload) == payload


@pytest.mark.parametrize(
    ("payload", "gaps"),
    [
        pytest.param({"name": "Other", "address": "1 Test Lane"}, {"address": "1 Test Lane"}, id="the held name wins"),
        pytest.param({"name": None, "address": None}, {}, id="nulls fill nothing"),
        pytest.param(
            {"customAttributes": {"tier": "silver", "shoe": 41}},
            {"customAttributes": {"shoe": 41}},
            id="the held attribute wins",
        ),
        pytest.param(
            {"emails": [{"original": "bela@example.org", "primary": True}]},
            {"emails": [{"original": "bela@example.org"}]},
            id="the held primary wins",
        ),
        pytest.param({}, {}, id="an empty row"),
    ],
)
def test_gaps_are_filled_and_nothing_is_overwritten(payload: dict[str, Any], gaps: dict[str, Any]) -> None:
    """Where Gladly holds a value, it stays."""
    assert gaps_in(PROFILE, payload) == gaps


_PARTS = st.fixed_dictionaries(
    {"original": st.sampled_from(["+16505550100", "+16505550101"])},
    optional={
        "normalized": st.sampled_from(["+16505550100", "+16505550101"]),
        "type": st.sampled_from(["", "HOME", "MOBILE", None]),
        "primary": st.sampled_from([True, False, None]),
    },
)
_CONTENT = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["Ada", "", None]),
        "phones": st.lists(_PARTS, max_size=2, unique_by=lambda entry: entry["original"]),
        "customAttributes": st.dictionaries(st.sampled_from("ab"), st.sampled_from(["1", "", True, 1])),
    },
)


@given(_CONTENT, _CONTENT)
def test_the_quick_look_never_calls_equal_what_the_close_look_would_change(
    profile: dict[str, Any], row: dict[str, Any]
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("bulkgladly.gladly.customer_rows.holds_plainly", lambda *_: False)
        changes = changes_to(profile, row)
    assert not (changes and holds_plainly(profile, row))
