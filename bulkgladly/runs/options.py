"""The options of a run as JSON in `run.json`, and back as what they were."""

import datetime as dt
import enum
import types
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

import orjson

from bulkgladly.errors import JournalDamaged
from bulkgladly.local_paths import LocalPath, OptionalPath
from bulkgladly.plain_words import duration_text
from bulkgladly.settings import Limits, Pace

__all__ = ("RunOptions", "changed_settings", "for_next_session", "restored", "session_limits", "stored")


class RunOptions(Protocol):
    """The options of any run: a frozen dataclass with these fields, with `state_dir`, and with fields of its own.

    A field of its own may be a text, a number, a bool, a path (`LocalPath`, `OptionalPath`), a date or a time, a
    `StrEnum`, a tuple of these, a dataclass of these (without paths), or None: what `stored` writes, `restored` reads.
    """

    @property
    def pace(self) -> Pace:
        """How fast it may go."""
        ...

    @property
    def limits(self) -> Limits:
        """The limits at which it stops."""
        ...


_INNER = frozenset({"is_plain", "has_pages", "folders", "contacts_people"})
"""Settings that nobody sets by their names."""
O = TypeVar("O", bound=RunOptions)  # noqa: E741 - a name for types, not for a value


def stored(options: RunOptions) -> dict[str, Any]:
    """Return options as values for `run.json`, without secrets: as they will be read from there."""
    found: dict[str, Any] = asdict(options)  # type: ignore[call-overload]
    del found["state_dir"]  # it holds the run itself, and may be moved
    named = {name: str(value.absolute()) if isinstance(value, Path) else value for name, value in found.items()}
    # A day, which a mapping has, would otherwise be one now and a text after a resume.
    read: dict[str, Any] = orjson.loads(orjson.dumps(named))
    return read


def restored(kind: type[O], settings: Mapping[str, Any], state_dir: Path) -> O:
    """Return the options with which a run began; fields that no longer exist are dropped.

    Raises:
        JournalDamaged: They are not options of this kind.
    """
    try:
        return kind(**{**_values(kind, settings), "state_dir": state_dir})
    except (AttributeError, TypeError, ValueError) as error:
        raise JournalDamaged(
            f"the settings in a run.json in {state_dir} are damaged: {error}; restore the file from a copy"
        ) from error


def changed_settings(settings: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the stored settings that differ from their defaults, those of pace, limits and reading by their own names.

    The mapping is named by its file; its content stays in `run.json`.
    """
    found: dict[str, Any] = {}
    for name, value in settings.items():
        usual = defaults.get(name)
        if isinstance(value, Mapping) and name != "mapping":
            found |= changed_settings(value, usual if isinstance(usual, Mapping) else {})
        elif name == "mapping" and isinstance(value, Mapping):
            found |= {word: value[word] for word in ("file", "transform") if value.get(word)}
        elif name in _INNER or value in (usual, list(usual) if isinstance(usual, tuple) else usual):
            continue
        else:
            found[name] = value
    return found


def for_next_session(options: O, change: Callable[[O], O]) -> O:
    """Return the options for a further session of a run.

    `change` may set another pace and other limits; all else stays.
    """
    wanted = change(replace(options, limits=session_limits(options.limits)))  # type: ignore[type-var]
    return replace(options, pace=wanted.pace, limits=wanted.limits)  # type: ignore[type-var]


def session_limits(limits: Limits) -> Limits:
    """Return the limits for a further session: those of time, requests and records applied to the one before only."""
    return replace(limits, max_duration_s=None, max_requests=None, max_rows=None, finish_by=None, canary=None)


def limits_told(limits: Limits) -> str:
    """Return the limits that would end a run early, as flags; empty if there are none."""
    found = {
        "--canary": limits.canary,
        "--max-requests": limits.max_requests,
        "--max-duration": None if limits.max_duration_s is None else duration_text(limits.max_duration_s),
    }
    return ", ".join(f"{flag} {value}" for flag, value in found.items() if value is not None)


def _values(kind: type, given: Mapping[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {each.name: _value(hints[each.name], given[each.name]) for each in fields(kind) if each.name in given}


def _value(hint: Any, value: Any) -> Any:
    """Return a value from JSON as the type that a field declares."""
    if get_origin(hint) in (Union, types.UnionType):
        return None if value is None else _value(next(arg for arg in get_args(hint) if arg is not type(None)), value)
    if get_origin(hint) is tuple:
        return _items(get_args(hint), value)
    if hint in (LocalPath, OptionalPath):
        return None if value is None else Path(value)
    if hint in (dt.datetime, dt.date):
        return hint.fromisoformat(value)
    if isinstance(hint, type) and is_dataclass(hint):
        return hint(**_values(hint, value))
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint(value)
    return value


def _items(each: tuple[Any, ...], values: Any) -> tuple[Any, ...]:
    if len(each) == 2 and each[1] is Ellipsis:
        return tuple(_value(each[0], value) for value in values)
    return tuple(_value(hint, value) for hint, value in zip(each, values, strict=True))
