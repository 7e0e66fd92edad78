"""Indexes of the store: who owns which address, and what belongs to whom."""

from collections import UserDict
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ("AddressBook", "OwnedObjects")


class AddressBook:
    """Indexes over customer profiles, by email, phone and external id.

    Emails are compared in lower case and belong to one customer each. Phones are compared in
    E.164; those of type MOBILE belong to one customer each, others may repeat.
    A profile must be removed in the same form in which it was entered.
    """

    def __init__(self) -> None:
        self._emails: dict[str, str] = {}
        self._mobiles: dict[str, str] = {}
        self._phones: dict[str, dict[str, None]] = {}
        self._external: dict[str, dict[str, None]] = {}

    def conflicts(self, profile: Mapping[str, Any], customer_id: str) -> list[str]:
        """Return the fields that hold an address of another customer: `emails`, `phones`, both or neither."""
        taken = []
        if any(self._emails.get(key, customer_id) != customer_id for key in _emails_of(profile)):
            taken.append("emails")
        if any(self._mobiles.get(key, customer_id) != customer_id for key in _mobiles_of(profile)):
            taken.append("phones")
        return taken

    def enter(self, profile: Mapping[str, Any]) -> None:
        """Index a profile that has no conflicts."""
        customer_id = profile["id"]
        for email in _emails_of(profile):
            self._emails[email] = customer_id
        for number in _mobiles_of(profile):
            self._mobiles[number] = customer_id
        for index, key in self._shared_keys(profile):
            index.setdefault(key, {})[customer_id] = None

    def leave(self, profile: Mapping[str, Any]) -> None:
        """Remove a profile."""
        for email in _emails_of(profile):
            self._emails.pop(email, None)
        for number in _mobiles_of(profile):
            self._mobiles.pop(number, None)
        for index, key in self._shared_keys(profile):
            owners = index.get(key, {})
            owners.pop(profile["id"], None)
            if not owners:
                index.pop(key, None)

    def by_email(self, email: str) -> list[str]:
        """Return the id of the owner, in a list of one or none."""
        owner = self._emails.get(email.lower())
        return [] if owner is None else [owner]

    def by_phone(self, number: str) -> list[str]:
        """Return the ids of all profiles with this E.164 number of any type, the last written first."""
        return list(reversed(self._phones.get(number, {})))

    def by_external_id(self, external_id: str) -> list[str]:
        """Return the ids of all profiles with this external id, the last written first."""
        return list(reversed(self._external.get(external_id, {})))

    def _shared_keys(self, profile: Mapping[str, Any]) -> Iterator[tuple[dict[str, dict[str, None]], str]]:
        for phone in profile.get("phones", ()):
            yield self._phones, phone["normalized"]
        external_id = profile.get("externalCustomerId")
        if external_id is not None:
            yield self._external, external_id


def _emails_of(profile: Mapping[str, Any]) -> Iterator[str]:
    return (email["normalized"] for email in profile.get("emails", ()))


def _mobiles_of(profile: Mapping[str, Any]) -> Iterator[str]:
    return (phone["normalized"] for phone in profile.get("phones", ()) if phone.get("type") == "MOBILE")


class OwnedObjects(UserDict[str, dict[str, Any]]):
    """Objects by id, indexed by the fields that name their owners.

    To change such a field, replace the object. Changing it in place would make the index wrong.
    """

    def __init__(self, *fields: str) -> None:
        self._fields = fields
        self._owned: dict[tuple[str, str], dict[str, None]] = {}
        super().__init__()

    def of(self, field: str, owner: str) -> list[dict[str, Any]]:
        """Return the objects whose `field` is `owner`, in the order in which they were added to it."""
        return [self.data[key] for key in self._owned.get((field, owner), ())]

    def __setitem__(self, key: str, entity: dict[str, Any]) -> None:
        before = self.data.get(key, {})
        for field in self._fields:
            # An object that keeps its owner keeps its place in the order.
            if before.get(field) != entity.get(field):
                self._part(field, before.get(field), key)
                self._join(field, entity.get(field), key)
        self.data[key] = entity

    def __delitem__(self, key: str) -> None:
        entity = self.data.pop(key)
        for field in self._fields:
            self._part(field, entity.get(field), key)

    def _join(self, field: str, owner: str | None, key: str) -> None:
        if owner is not None:
            self._owned.setdefault((field, owner), {})[key] = None

    def _part(self, field: str, owner: str | None, key: str) -> None:
        if owner is not None:
            owned = self._owned[field, owner]
            del owned[key]
            if not owned:
                del self._owned[field, owner]
