"""The settings file in the command line: defaults of options, and named profiles."""

import datetime as dt
import enum
import os
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import typer
from typer.models import OptionInfo

from bulkgladly.choices import closest
from bulkgladly.cli.output import tell
from bulkgladly.commands import note_invocation
from bulkgladly.errors import UsageError
from bulkgladly.settings import CONFIG_FILE, Credentials, load_toml

if TYPE_CHECKING:
    from bulkgladly.notices.night_watch import NightWatch

__all__ = ("CallContext", "credentials_for", "credentials_or_none", "lay_under", "use_settings_file")

STATE_DIR_VARIABLE = "BULKGLADLY_STATE_DIR"
_LISTS = frozenset({"after", "entities", "ignore_columns", "languages", "partition", "reports", "what"})
"""Options that take several words, comma-separated."""
_MEMBERS: Mapping[str, tuple[str, ...]] = {
    "runs": ("list", "show", "pause", "continue", "rate", "stop"),
    "listen": ("register", "show", "unregister"),
    "migrate": ("check", "run", "status"),
    "crosswalk": ("export", "import", "repair"),
}
"""Commands of a group that take their defaults from the file as well."""
_OWN_OF_CHECK = frozenset({"json", "show_values"})
"""Options that mean something else in `check` than in `import`."""
_READING = frozenset({"format_", "encoding", "delimiter", "skip_lines"})
_NUMBERS = frozenset({"concurrency", "give_up_after", "max_duration", "max_errors", "rate", "reserve"})
"""Options that take a text which may be a plain number."""
_DAYS = frozenset({"first", "last", "reports_from", "since", "until"})


@dataclass(slots=True)
class CallContext:
    """What a call of the program is given beside its options."""

    profiles: Mapping[str, Any] = field(default_factory=dict)
    """The named credentials of the settings file."""
    commands: Mapping[str, Callable[..., None]] = field(default_factory=dict)
    """The functions behind the commands."""
    environment: Any = None
    """What runs take from outside; None for the usual one."""
    watch: "NightWatch | None" = None
    """Who is told how the command goes, if anybody is."""


def use_settings_file(context: typer.Context, path: Path | None, commands: Mapping[str, Callable[..., None]]) -> None:
    """Take the defaults of options from the settings file: top-level names for all commands, `[import]` for one.

    `check` takes those of `[import]` as well, and `map check` those of `check`, because they preview an import.
    An option or a `BULKGLADLY_*` variable wins over the file. `commands` are the functions behind the commands:
    the file may give the options that they declare.

    Raises:
        UsageError: The file cannot be used, or it has a name that is not an option.
    """
    settings = load_toml(path)
    shared = {name: value for name, value in settings.items() if not isinstance(value, dict)}
    sections = {name: value for name, value in settings.items() if isinstance(value, dict)}
    if strange := [name for name in sections if name not in (*commands, "profiles")]:
        raise UsageError(
            f"{path or CONFIG_FILE}: unknown section [{strange[0]}]; known sections: {', '.join(commands)}, profiles"
        )
    # Reading the flags of every command takes as long as a small command, so it is done for settings alone.
    flags = {command: _flags_of(found) if settings else {} for command, found in commands.items()}
    file = str(path or CONFIG_FILE)
    # A name at the top is for any command that has such an option, so all options are known there.
    _refuse_unfit(shared, {name: flag for each in flags.values() for name, flag in each.items()}, "", file)
    for command in commands:
        _refuse_unfit(sections.get(command, {}), flags[command], f" in [{command}]", file)
    defaults = {command: _parameters({**shared, **sections.get(command, {})}, flags[command]) for command in commands}
    if "check" in commands and "import" in sections:
        # A check previews an import, so it must read the rows in the same way.
        rows = {name: value for name, value in sections["import"].items() if _parameter(name) not in _OWN_OF_CHECK}
        defaults["check"] = _parameters({**shared, **rows, **sections.get("check", {})}, flags["check"])
    reading = {name: value for name, value in defaults.get("check", {}).items() if name in _READING}
    defaults["map"] = {"check": defaults.get("check", {}), "init": reading}
    # The parser takes defaults from here, after the command line and the environment.
    for group, members in _MEMBERS.items():
        own = defaults.get(group, _parameters(shared, {}))
        defaults[group] = {**own, **dict.fromkeys(members, own)}
    context.default_map = defaults
    context.obj.commands = commands
    context.obj.profiles = sections.get("profiles", {})
    # A next command must then name even the usual directory, or it would work in another one.
    names_one = bool(os.environ.get(STATE_DIR_VARIABLE)) or any("state_dir" in found for found in defaults.values())
    note_invocation(config=path, is_state_dir_set=names_one)


def lay_under(context: typer.Context, path: Path | None) -> Path | None:
    """Take the defaults of one command's options from a file of its own, as from `[command]` in the settings file.

    This is the callback of an eager option, because the parser looks up defaults when it reads the other options.

    Raises:
        UsageError: The file cannot be used, or it has a name that is not an option, or a value that does not fit.
    """
    if path is None:
        return None
    command = str(context.command.name)
    found = load_toml(path)
    flags = _flags_of(context.obj.commands[command])
    _refuse_unfit(found, flags, "", str(path))
    context.default_map = {**(context.default_map or {}), **_parameters(found, flags)}
    tell(
        f"`{command} --config` is deprecated and will be removed; "
        f"move the lines of {path} to [{command}] in {CONFIG_FILE}"
    )
    return path


class _Flag(NamedTuple):
    name: str
    kind: Any
    """The type of its values."""
    least: float | None
    most: float | None


@cache
def _flags_of(command: Callable[..., None]) -> Mapping[str, _Flag]:
    """Return the options that a command declares, by the names of its parameters."""
    found = {}
    for name, hint in get_type_hints(command, include_extras=True).items():
        if get_origin(hint) is Annotated and isinstance(about := get_args(hint)[1], OptionInfo):
            kind = next(each for each in _alternatives(get_args(hint)[0]) if each is not type(None))
            found[name] = _Flag(name, get_origin(kind) or kind, about.min, about.max)
    return found


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def _refuse_unfit(values: Mapping[str, Any], known: Mapping[str, _Flag], where: str, file: str) -> None:
    for name, value in values.items():
        flag = known.get(_parameter(name))
        if name == "yes" and "retention" in known:
            # It would agree to every later retention as well, a mistyped one included.
            raise UsageError(f"{file}: yes{where} is not allowed, because it agrees once; pass --yes once instead")
        if flag is None:
            meant = closest(_parameter(name), known)
            hint = f"; did you mean {meant.strip('_')}?" if meant else ""
            raise UsageError(f"{file}: unknown setting {name}{where}{hint}")
        if (wanted := _wanted_instead(flag, value)) is not None:
            raise UsageError(f"{file}: {name}{where} is not valid; use {wanted}")


def _wanted_instead(flag: _Flag, value: Any) -> str | None:
    """Return what an option takes in a settings file, or None if it takes this value."""
    name, least, most = flag.name, flag.least, flag.most
    if flag.kind is bool:
        return None if isinstance(value, bool) else "true or false"
    if flag.kind is int:
        # `type`, because True is an int for `isinstance`.
        is_fit = type(value) is int and (least is None or value >= least) and (most is None or value <= most)
        span = f" from {least} to {most}" if most is not None else f" from {least}" if least is not None else ""
        return None if is_fit else f"a whole number{span}"
    if flag.kind is list or name in _LISTS:
        is_fit = isinstance(value, str) or (isinstance(value, list) and all(isinstance(item, str) for item in value))
        return None if is_fit else 'texts, such as ["items", "customers"]'
    # TOML has days of its own; a time would be cut to a day without notice, so it is refused.
    if name in _DAYS and isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return None
    if name in _NUMBERS and isinstance(value, int | float) and not isinstance(value, bool):
        return None
    if issubclass(flag.kind, enum.Enum):
        choices = [str(choice.value) for choice in flag.kind]
        return None if value in choices else f"one of {', '.join(map(repr, choices))}"
    if isinstance(value, str):
        return None
    return "a day, such as 2026-11-22" if name in _DAYS else 'a text, such as "zstd"'


def credentials_for(context: typer.Context, profile: str | None) -> Credentials:
    """Return the credentials of a profile, or without one those of the environment.

    Raises:
        UsageError: Something is missing; the message names it.
    """
    if profile is None:
        return Credentials.from_environment()
    profiles: Mapping[str, Any] = context.obj.profiles
    if profile not in profiles:
        known = ", ".join(profiles) or "none"
        raise UsageError(f"unknown profile {profile!r} in the settings file; known profiles: {known}")
    note_invocation(profile=profile)
    return Credentials.from_environment(profile=profiles[profile])


def credentials_or_none(context: typer.Context, profile: str | None) -> Credentials | None:
    """Return the credentials, or None if the environment names none. For commands that send nothing.

    Raises:
        UsageError: A profile was named, and cannot be used.
    """
    if profile is None and not os.environ.get("GLADLY_HOST"):
        return None
    return credentials_for(context, profile)


def _parameters(values: Mapping[str, Any], flags: Mapping[str, _Flag]) -> dict[str, Any]:
    # The parser converts texts, as it does those of the command line; a list is written as it is there.
    found: dict[str, Any] = {}
    for name, value in values.items():
        flag = flags.get(_parameter(name))
        if flag is not None and flag.kind is list:  # an option that may be repeated
            found[_parameter(name)] = value if isinstance(value, list) else [value]
        else:
            found[_parameter(name)] = _text(value)
    return found


def _parameter(name: str) -> str:
    plain = name.replace("-", "_")
    return f"{plain}_" if plain in ("format", "map") else plain  # built-in names


def _text(value: Any) -> str:
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")  # never as 1e-05, which the command line does not take either
    return ",".join(str(item) for item in value) if isinstance(value, list) else str(value)
