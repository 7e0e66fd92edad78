"""Invented answers, business hours and campaigns: what every emulated organisation starts with."""

from collections.abc import Iterable

from bulkgladly.emulator.operations.answer_contents import content_key
from bulkgladly.emulator.organisation.store import Entity, Store

__all__ = ("seed_knowledge",)


_MOMENT = {"createdAt": "2024-01-01T00:00:00.000Z", "updatedAt": "2024-01-01T00:00:00.000Z"}


def seed_knowledge(store: Store) -> None:
    """Add three answers with contents in two languages, two schedules and a campaign of each type."""
    _put(store, "answers", _answers())
    _put(store, "answer_contents", _contents())
    _put(store, "business_hours", _schedules())
    types = ("EMAIL", "SMS", "VOICE")
    _put(store, "campaigns", ({"id": f"campaign-{n}", "type": kind} for n, kind in enumerate(types, start=1)))


def _put(store: Store, kind: str, entities: Iterable[Entity]) -> None:
    store.collections[kind].update({entity["id"]: entity for entity in entities})


def _answers() -> Iterable[Entity]:
    yield {"id": "answer-1", "name": "Returns", "description": "How to send something back", **_MOMENT}
    yield {"id": "answer-2", "name": "Delivery times", "audienceIds": ["audience-1", "audience-2"], **_MOMENT}
    yield {"id": "answer-3", "name": "Refund limits", "audienceIds": ["audience-2"], **_MOMENT}


def _contents() -> Iterable[Entity]:
    returns = "<p>Send it back within 30 days.</p>"
    yield _content("answer-1", "en-us", "public", returns, title="How do returns work?")
    yield _content("answer-1", "es-mx", "public", "<p>Tiene 30 días.</p>", title="¿Cómo devuelvo algo?")
    yield _content("answer-1", "en-us", "email", returns, subject="Your return")
    yield _content("answer-2", "en-us", "public", "<p>Two to four days.</p>", title="When does it arrive?")
    yield _content("answer-2", "en-us", "messaging", "<p>It takes two to four days.</p>")
    yield _content("answer-3", "en-us", "reference", "<p>Ask a lead above 100.</p>", internal=True)


def _content(answer_id: str, language: str, content_type: str, html: str, **rest: str | bool) -> Entity:
    place = {"answerId": answer_id, "language": language, "type": content_type}
    return {"id": content_key(answer_id, language, content_type), **place, "bodyHtml": html, **rest}


def _schedules() -> Iterable[Entity]:
    workday, saturday = [{"start": "09:00", "stop": "17:00"}], [{"start": "10:00", "stop": "14:00"}]
    week = dict.fromkeys(("monday", "tuesday", "wednesday", "thursday", "friday"), workday)
    new_year = {"start": "2025-01-01T00:00:00Z", "stop": "2025-01-02T00:00:00Z", "scheduleBlocks": []}
    support = {"timezone": "America/New_York", **week, "exceptions": [{"name": "New Year", **new_year}]}
    stores = {"timezone": "America/Los_Angeles", **week, "saturday": saturday}
    yield {"id": "bh_support", "version": 1, **_MOMENT, "name": "Support", "primary": True, "officeHours": support}
    yield {"id": "bh_stores", "version": 1, **_MOMENT, "name": "Stores", "primary": False, "officeHours": stores}
