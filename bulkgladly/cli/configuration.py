"""The settings file in the command line: defaults for flags, and named profiles."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from bulkgladly.choices import closest
from bulkgladly.commands import note_invocation
from bulkgladly.errors import UsageError
from bulkgladly.settings import Credentials, load_toml

__all__ = ("Invocation", "credentials_for", "credentials_or_none", "use_settings_file")

STATE_DIR_VARIABLE = "BULKGLADLY_STATE_DIR"
COMMANDS = ("import", "export", "dump", "check", "resume", "retry", "doctor")


@dataclass(slots=True)
class Invocation:
    """What one call of the program has been given beside its flags."""

    profiles: Mapping[str, Any] = field(default_factory=dict)
    """The named credentials of the settings file."""
    environment: Any = None
    """What runs take from outside; None for the usual one."""


def use_settings_file(context: typer.Context, path: Path | None) -> None:
    """Let the settings file give the defaults of flags: top-level names for all commands, `[import]` for one.

    A flag or a `BULKGLADLY_*` variable wins over it.

    Raises:
        UsageError: The file cannot be used, or it has a name that is no flag.
    """
    settings = load_toml(path)
    shared = {name: value for name, value in settings.items() if not isinstance(value, dict)}
    sections = {name: value for name, value in settings.items() if isinstance(value, dict)}
    if strange := [name for name in sections if name not in (*COMMANDS, "profiles")]:
        raise UsageError(f"the settings file has a section [{strange[0]}]; there are: {', '.join(COMMANDS)}, profiles")
    flags = {command: _flags_of(context, command) for command in COMMANDS}
    _refuse_unknown(shared, set().union(*flags.values()), "")
    for command in COMMANDS:
        _refuse_unknown(sections.get(command, {}), flags[command], f" in [{command}]")
    defaults = {command: _parameters({**shared, **sections.get(command, {})}) for command in COMMANDS}
    context.default_map = {**defaults, "runs": {"list": _parameters(shared), "show": _parameters(shared)}}
    context.obj.profiles = sections.get("profiles", {})
    names_one = bool(os.environ.get(STATE_DIR_VARIABLE)) or any("state_dir" in found for found in defaults.values())
    note_invocation(config=path, is_state_dir_set=names_one)


def _flags_of(context: typer.Context, command: str) -> set[str]:
    group: Any = context.command
    return {parameter.name for parameter in group.commands[command].params if parameter.param_type_name == "option"}


def _refuse_unknown(values: Mapping[str, Any], known: set[str], where: str) -> None:
    for name in values:
        if _parameter(name) not in known:
            meant = closest(_parameter(name), known)
            hint = f"; did you mean {meant.strip('_')}?" if meant else ""
            raise UsageError(f"the settings file has {name}{where}, which is no flag{hint}")


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
        raise UsageError(f"there is no profile {profile!r} in the settings file; there are: {known}")
    note_invocation(profile=profile)
    return Credentials.from_environment(profile=profiles[profile])


def credentials_or_none(context: typer.Context, profile: str | None) -> Credentials | None:
    """Return the credentials, for commands that send nothing; None where nobody has named any.

    Raises:
        UsageError: A profile was named, and cannot be used.
    """
    if profile is None and not os.environ.get("GLADLY_HOST"):
        return None
    return credentials_for(context, profile)


def _parameters(values: Mapping[str, Any]) -> dict[str, Any]:
    return {_parameter(name): _text(value) for name, value in values.items()}


def _parameter(name: str) -> str:
    plain = name.replace("-", "_")
    return f"{plain}_" if plain in ("format", "map") else plain  # built-in names


def _text(value: Any) -> str:
    return ",".join(str(item) for item in value) if isinstance(value, list) else str(value)
