"""Invented customers, agents, inboxes, teams, topics and audiences: the same on every machine.

Email addresses are under example.org. Phone numbers are in the range 555-0100 to 555-0199, which is
reserved for fiction in every North American area.
"""

from datetime import UTC, datetime

from bulkgladly.emulator.organisation.clock import timestamp
from bulkgladly.emulator.organisation.store import Entity, Store

__all__ = ("invented_customer", "seed_customers", "seed_directory")

_FIRST = ("Ada", "Bela", "Cleo", "Dario", "Edda", "Finn", "Gwen", "Hugo", "Ines", "Jorin")
_LAST = ("Sample", "Example", "Mock", "Placeholder", "Trial", "Fixture", "Draft")
_TIERS = ("bronze", "silver", "gold")
_EPOCH = datetime(2024, 1, 1, tzinfo=UTC).timestamp()
_AREAS = tuple(area for area in range(201, 990) if area % 100 != 11)


def seed_customers(store: Store, count: int) -> None:
    """Add the first `count` invented customers."""
    for number in range(count):
        store.add_customer(invented_customer(number))


def invented_customer(number: int) -> Entity:
    """Return the profile of the customer with this number, as GET returns it; above about 78,000 it has no phone."""
    first, last = _FIRST[number % len(_FIRST)], _LAST[number // len(_FIRST) % len(_LAST)]
    email = f"{first}.{last}.{number}@Example.org"
    profile: Entity = {
        "id": f"seeded-{number:07}",
        "name": f"{first} {last}",
        "address": f"{number % 999 + 1} Test Lane, Springfield",
        "emails": [{"original": email, "normalized": email.lower(), "primary": True}],
    }
    area, line = divmod(number, 100)
    if area < len(_AREAS):
        original, e164 = f"{_AREAS[area]} 555 01{line:02}", f"+1{_AREAS[area]}55501{line:02}"
        phone = {"original": original, "normalized": e164, "regionCode": "US", "type": "MOBILE"}
        profile["phones"] = [phone | {"smsPreference": "ON"}]
    moment = timestamp(_EPOCH + number)
    return profile | {
        "customAttributes": {"tier": _TIERS[number % len(_TIERS)]},
        "createdAt": moment,
        "updatedAt": moment,
    }


def seed_directory(store: Store) -> None:
    """Give the organisation a name and a few agents, inboxes, teams, topics and audiences."""
    store.organization = {
        "id": "example-organization",
        "loginDomain": "example.org",
        "name": "Example Organization",
        "timezone": "America/New_York",
        "gladlyUrl": "https://emulator.example.org",
    }
    for kind, entities in _directory().items():
        store.collections[kind] = {entity["id"]: entity for entity in entities}


def _directory() -> dict[str, list[Entity]]:
    agents = [
        {"id": f"agent-{n}", "name": f"{first} Agent", "emailAddress": f"{first.lower()}.agent@example.org"}
        for n, first in enumerate(_FIRST[:5], start=1)
    ]
    return {
        "agents": agents,
        "inboxes": [
            {"id": "inbox-1", "name": "General", "disabled": False},
            {"id": "inbox-2", "name": "Returns", "disabled": False},
            {"id": "inbox-3", "name": "Closed years", "disabled": True},
        ],
        # The API does not show which agents belong to an inbox, but the emulator has to know.
        "inbox_members": [
            {"id": "inbox-1", "agentIds": [agent["id"] for agent in agents]},
            {"id": "inbox-2", "agentIds": ["agent-1", "agent-2", "agent-3"]},
            {"id": "inbox-3", "agentIds": []},
        ],
        "teams": [
            {
                "id": "team-1",
                "name": "Mornings",
                "description": "Early shift",
                "agentIds": ["agent-1", "agent-2"],
            },
            {"id": "team-2", "name": "Evenings", "description": "Late shift", "agentIds": ["agent-3"]},
        ],
        "topics": [
            {"id": "topic-1", "name": "Orders", "disabled": False},
            {"id": "topic-2", "name": "Late orders", "disabled": False, "parentId": "topic-1"},
            {"id": "topic-3", "name": "Old stock", "disabled": True},
        ],
        "audiences": [{"id": "audience-1", "name": "Everybody"}, {"id": "audience-2", "name": "Members"}],
    }
