"""Objects that belong to others: found by what they belong to without a walk over all."""

from collections import UserDict
from typing import Any

__all__ = ("Linked",)


class Linked(UserDict[str, dict[str, Any]]):
    """Objects by id, indexed by the fields that name what they belong to.

    Replace an object to change such a field; changing it in place would leave the index behind.
    """

    def __init__(self, *fields: str) -> None:
        self._fields = fields
        self._owned: dict[tuple[str, str], dict[str, None]] = {}
        super().__init__()

    def of(self, field: str, owner: str) -> list[dict[str, Any]]:
        """The objects whose `field` is `owner`, in the order in which they came to it."""
        return [self.data[key] for key in self._owned.get((field, owner), ())]

    def __setitem__(self, key: str, entity: dict[str, Any]) -> None:
        before = self.data.get(key, {})
        for field in self._fields:
            # An object that stays where it was keeps its place in the order.
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
