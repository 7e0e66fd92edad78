"""The settings file in the command line: defaults for flags, and named profiles."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from bulkgladly.errors import UsageError
from bulkgladly.settings import Credentials, load_toml

__all__ = ("credentials_for", "credentials_or_none", "use_settings_file")

COMMANDS = ("import", "resume", "retry", "doctor")


def use_settings_file(context: typer.Context, path: Path | None) -> None:
    """Let the settings file give the defaults of flags: top-level names for all commands, `[import]` for one.

    A flag or a `BULKGLADLY_*` variable wins over it.

    Raises:
        UsageError: The file cannot be used.
    """
    settings = load_toml(path)
    shared = {name: value for name, value in settings.items() if not isinstance(value, dict)}
    sections = {name: value for name, value in settings.items() if isinstance(value, dict)}
    known = {*COMMANDS, "profiles"}
    if strange := [name for name in sections if name not in known]:
        raise UsageError(f"the settings file has a section [{strange[0]}]; there are: {', '.join(sorted(known))}")
    context.default_map = {command: _parameters({**shared, **sections.get(command, {})}) for command in COMMANDS}
    context.obj = sections.get("profiles", {})


def credentials_for(context: typer.Context, profile: str | None) -> Credentials:
    """Return the credentials of a profile, or without one those of the environment.

    Raises:
        UsageError: Something is missing; the message names it.
    """
    if profile is None:
        return Credentials.from_environment()
    profiles: Mapping[str, Any] = context.obj or {}
    if profile not in profiles:
        known = ", ".join(profiles) or "none"
        raise UsageError(f"there is no profile {profile!r} in the settings file; there are: {known}")
    return Credentials.from_environment(profile=profiles[profile])


def credentials_or_none(context: typer.Context, profile: str | None) -> Credentials | None:
    """Return the credentials where there are some, for commands that send nothing."""
    try:
        return credentials_for(context, profile)
    except UsageError:
        return None


def _parameters(values: Mapping[str, Any]) -> dict[str, Any]:
    names = {"limit": "limit", "format": "format_"}
    return {names.get(name, name.replace("-", "_")): str(value) for name, value in values.items()}
