"""More kinds of fields for the bodies of whole objects: answers, schedules, webhooks and the like."""

from typing import Self
from zoneinfo import ZoneInfo

from bulkgladly.emulator.protocol.fields import Fields

__all__ = ("Body",)


class Body(Fields):
    """Fields whose readers answer an empty value, and not None, where something is missing or at fault.

    So nothing that was read may be used before `refuse_faults` has let it pass.
    """

    def names(self, name: str) -> bool:
        """Whether the field is there, even as null: what a PATCH changes."""
        return name in self._payload

    def needed(self, name: str, *, most: int | None = None, blank: str = "blank") -> str:
        """A text that must be there and say something; `blank` is the code where it does not."""
        value = self._payload.get(name)
        if value is None or (isinstance(value, str) and not value.strip()):
            self.fault(name, blank, f"{name} is missing")
            return ""
        return self.text(name, most=most) or ""

    def whole(self, name: str) -> int:
        """A whole number that must be there."""
        value = self._payload.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if value is None:
            self.fault(name, "blank", f"{name} is missing")
        else:
            self.fault(name, "invalid", f"{name} must be a whole number")
        return 0

    def timezone(self, name: str) -> str:
        """The IANA name of a time zone; it must be there."""
        text = self.needed(name)
        try:
            return text and ZoneInfo(text).key
        except (KeyError, ValueError, OSError):
            self.fault(name, "invalid", f"{name} is no IANA time zone")
            return ""

    def some_texts(self, name: str) -> list[str]:
        """The strings of an array that may be missing or empty."""
        return self.texts(name) if self._payload.get(name) else []

    def some_parts(self, name: str) -> list[Self]:
        """The objects of an array that must not be empty."""
        if self._payload.get(name):
            return self.parts(name)
        self.fault(name, "blank", f"{name} is missing")
        return []

    def texts_by_name(self, name: str) -> dict[str, str]:
        """An object of strings that may be missing or empty."""
        value = self._payload.get(name)
        if value is None:
            return {}
        if isinstance(value, dict) and all(isinstance(text, str) for text in value.values()):
            return value
        self.fault(name, "invalid", f"{name} must be an object of strings")
        return {}
