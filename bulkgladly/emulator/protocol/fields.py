"""Request bodies, read field by field so that one reply can name everything that is wrong with them."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Self
from zoneinfo import ZoneInfo

from bulkgladly.emulator.organisation.clock import moment_of
from bulkgladly.emulator.protocol.replies import Refusal, problem, refuse

__all__ = ("Fields",)

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")


class Fields:
    """One JSON object of a request body. Null counts as absent; unknown fields are ignored.

    Faults are collected, with the codes of README.md, "Errors", of the fact sheet. For a field that is
    absent or at fault a method returns None, or an empty text, number or list if it promises one. So use
    nothing that was read before `refuse_faults` has returned.
    """

    def __init__(self, payload: Mapping[str, Any], *, at: str = "", faults: list[dict[str, Any]] | None = None) -> None:
        self._payload = payload
        self._at = at
        self._faults: list[dict[str, Any]] = [] if faults is None else faults

    def __contains__(self, name: str) -> bool:
        """Return whether the field is present and not null."""
        return self._payload.get(name) is not None

    def fault(self, name: str, code: str, detail: str) -> None:
        """Add a fault of a field; an empty name means the object itself."""
        attr = ".".join(part for part in (self._at, name) if part)
        self._faults.append(problem(code, detail, attr=attr or None))

    def refuse_faults(self) -> None:
        """Do nothing if the body has no faults.

        Raises:
            Refusal: 400 with all faults.
        """
        if self._faults:
            raise self.refusal()

    def refusal(self) -> Refusal:
        """400 with all faults so far."""
        return refuse(400, *self._faults)

    # Values: None if absent or at fault

    def text(self, name: str, *, required: bool = False, max_length: int | None = None) -> str | None:
        """Return a string of at most `max_length` characters. A required one must not be blank."""
        value = self._payload.get(name)
        if value is None or (required and isinstance(value, str) and not value.strip()):
            if required:
                self.fault(name, "blank", f"{name} is missing")
        elif not isinstance(value, str):
            self.fault(name, "invalid", f"{name} must be a string")
        elif max_length is not None and len(value) > max_length:
            self.fault(name, "too_long", f"{name} is over the limit of {max_length}")
        else:
            return value
        return None

    def choice(self, name: str, choices: Iterable[str], *, required: bool = False) -> str | None:
        """Return a text that must be one of several."""
        value = self.text(name, required=required)
        if value is None or value in choices:
            return value
        self.fault(name, "invalid", f"{name} can be {', '.join(choices)}")
        return None

    def flag(self, name: str) -> bool | None:
        """True or false."""
        value = self._payload.get(name)
        if value is None or isinstance(value, bool):
            return value
        self.fault(name, "invalid", f"{name} must be true or false")
        return None

    def moment(self, name: str, *, required: bool = False) -> datetime | None:
        """Return an RFC 3339 time, converted to UTC; digits beyond microseconds are dropped."""
        value = self.text(name, required=required)
        if value is None:
            return None
        try:
            if _MOMENT.fullmatch(value):
                return moment_of(value)
        except ValueError:
            pass  # the form is right, but there is no such day
        self.fault(name, "invalid", f"{name} is not a valid RFC 3339 time")
        return None

    def part(self, name: str, *, required: bool = False) -> Self | None:
        """Return an object within this one. Its faults carry both names."""
        value = self._payload.get(name)
        if value is None:
            if required:
                self.fault(name, "blank", f"{name} is missing")
        elif isinstance(value, dict):
            return type(self)(value, at=f"{self._at}.{name}" if self._at else name, faults=self._faults)
        else:
            self.fault(name, "invalid", f"{name} must be an object")
        return None

    def parts(self, name: str) -> list[Self]:
        """Return the objects of an array; without an array there are none. Their faults share its name."""
        value = self._payload.get(name)
        if value is None:
            return []
        if isinstance(value, list) and all(isinstance(entry, dict) for entry in value):
            at = f"{self._at}.{name}" if self._at else name
            return [type(self)(entry, at=at, faults=self._faults) for entry in value]
        self.fault(name, "invalid", f"{name} must be an array of objects")
        return []

    def texts(self, name: str) -> list[str]:
        """Return the strings of an array, which must not be empty."""
        value = self._payload.get(name)
        if value is None or value == []:
            self.fault(name, "blank", f"{name} is missing")
        elif isinstance(value, list) and all(isinstance(entry, str) for entry in value):
            return value
        else:
            self.fault(name, "invalid", f"{name} must be an array of strings")
        return []

    # What is required, and lists: empty if absent or at fault

    def mentions(self, name: str) -> bool:
        """Return whether the field is present, even as null. A PATCH changes such fields."""
        return name in self._payload

    def required_text(self, name: str, *, max_length: int | None = None, blank: str = "blank") -> str:
        """Return a text that must not be missing or blank; `blank` is the error code if it is."""
        value = self._payload.get(name)
        if value is None or (isinstance(value, str) and not value.strip()):
            self.fault(name, blank, f"{name} is missing")
            return ""
        return self.text(name, max_length=max_length) or ""

    def required_number(self, name: str) -> int:
        """Return a whole number; it is required."""
        value = self._payload.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if value is None:
            self.fault(name, "blank", f"{name} is missing")
        else:
            self.fault(name, "invalid", f"{name} must be a whole number")
        return 0

    def timezone(self, name: str) -> str:
        """Return the IANA name of a time zone; it is required."""
        text = self.required_text(name)
        try:
            return text and ZoneInfo(text).key
        except (KeyError, ValueError, OSError):
            self.fault(name, "invalid", f"{name} is not a valid IANA time zone")
            return ""

    def optional_texts(self, name: str) -> list[str]:
        """Return the strings of an array that may be missing or empty."""
        return self.texts(name) if self._payload.get(name) else []

    def required_parts(self, name: str) -> list[Self]:
        """Return the objects of an array, which must not be empty."""
        if self._payload.get(name):
            return self.parts(name)
        self.fault(name, "blank", f"{name} is missing")
        return []

    def text_mapping(self, name: str) -> dict[str, str]:
        """Return an object of strings that may be missing or empty."""
        value = self._payload.get(name)
        if value is None:
            return {}
        if isinstance(value, dict) and all(isinstance(text, str) for text in value.values()):
            return value
        self.fault(name, "invalid", f"{name} must be an object of strings")
        return {}
