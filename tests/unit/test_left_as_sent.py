"""What Gladly holds is compared with fingerprints of rows, in every form in which a row may have had it."""

from typing import Any

import pytest

from bulkgladly.gladly.fingerprints import fingerprints_of
from bulkgladly.gladly.left_as_sent import SentForm, address_digests, digests_in_word, field_not_as_sent
from bulkgladly.gladly.objects.customers import CUSTOMERS
from bulkgladly.gladly.spec import Draft, Policy
from bulkgladly.records import Position, Row

MOBILE = {"original": "+442079460018", "normalized": "+442079460018", "regionCode": "GB", "type": "MOBILE"}
HOME = {"original": "+12125550123", "normalized": "+12125550123", "regionCode": "US", "type": ""}
ADA = {"original": "Ada@example.org", "normalized": "ada@example.org", "primary": True}
ALAN = {"original": "alan@example.org", "normalized": "alan@example.org", "primary": False}


def form() -> SentForm:
    assert CUSTOMERS.as_sent is not None
    return CUSTOMERS.as_sent


def accepted_of(**fields: Any) -> dict[str, str]:
    """What is remembered of a row."""
    draft = CUSTOMERS.prepare(Row(Position(0, 0, 1), {}), {"id": "c-1", **fields}, Policy("host"))
    assert isinstance(draft, Draft)
    return dict(draft.fingerprints)


AS_SENT: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"name": "Ada", "emails": ["Ada@example.org"]}, {"name": "Ada", "emails": [ADA]}),
    ({"emails": ["Ada@example.org", "alan@example.org"]}, {"emails": [ALAN, ADA]}),
    ({"emails": [{"original": "Ada@example.org", "primary": True}, "alan@example.org"]}, {"emails": [ADA, ALAN]}),
    (
        {
            "emails": [
                {"original": "Ada@example.org", "primary": True},
                {"original": ALAN["original"], "primary": False},
            ]
        },
        {"emails": [ADA, ALAN]},
    ),
    ({"phones": ["+442079460018"]}, {"phones": [MOBILE]}),
    ({"phones": [{"original": "+442079460018", "type": "MOBILE"}, "+12125550123"]}, {"phones": [MOBILE, HOME]}),
    ({"name": " Ada"}, {"name": " Ada", "address": "where people have put it", "customAttributes": {"tier": "gold"}}),
    ({"name": "Ada", "customAttributes": {"tier": "gold"}}, {"name": "Ada", "customAttributes": {"tier": "other"}}),
]
OTHERWISE: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"name": "Ada"}, {"name": "By a person"}, "name"),
    ({"name": "Ada"}, {}, "name"),
    ({"externalCustomerId": "x-1"}, {"externalCustomerId": "x-2"}, "externalCustomerId"),
    ({"emails": ["Ada@example.org"]}, {"emails": [ADA, ALAN]}, "emails"),
    ({"emails": ["Ada@example.org"]}, {"emails": [ALAN]}, "emails"),
    ({"emails": ["Ada@example.org"]}, {"emails": [ADA], "phones": [HOME]}, "phones"),
    ({"emails": ["Ada@example.org"]}, {"emails": []}, "emails"),
    ({"phones": [{"original": "+442079460018", "type": "HOME"}]}, {"phones": [MOBILE]}, "phones"),
]


@pytest.mark.parametrize(("row", "held"), AS_SENT)
def test_what_was_sent_is_recognised(row: dict[str, Any], held: dict[str, Any]) -> None:
    """With what Gladly adds by itself, and in another order."""
    assert field_not_as_sent(form(), held, accepted_of(**row)) is None


@pytest.mark.parametrize(("row", "held", "field"), OTHERWISE)
def test_anything_else_is_somebody_elses(row: dict[str, Any], held: dict[str, Any], field: str) -> None:
    """Also an address more: it may be that of a merged customer."""
    assert field_not_as_sent(form(), held, accepted_of(**row)) == field


def test_an_owner_of_a_field_does_not_hide_a_merge() -> None:
    """A value that people may fill is theirs; an address that nobody sent is not."""
    owners = (("name", "fill"), ("emails", "source"))
    accepted = fingerprints_of({"name": "Ada", "emails": [{"original": "Ada@example.org"}]}, owners)

    assert field_not_as_sent(form(), {"name": "By a person", "emails": [ADA]}, accepted) is None
    assert field_not_as_sent(form(), {"name": "Ada", "emails": [ADA, ALAN]}, accepted) == "emails"


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("email:ada@example.org", "ADA@Example.org"),
        ("phone:+442079460018", "020 7946 0018"),
        ("phone:+442079460018", "+44 (0)20 7946-0018"),
    ],
)
def test_an_address_in_a_row_that_is_not_valid_is_found(address: str, word: str) -> None:
    """However it is written there."""
    assert set(address_digests(address)) & set(digests_in_word(word))
    assert not set(address_digests("email:other@example.org")) & set(digests_in_word(word))
    assert digests_in_word("c-17") == []
