"""Where a token comes from: a variable, a file, a command or the keyring. It is never a flag."""

import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bulkgladly.errors import UsageError

__all__ = (
    "secret_of",
    "text_in_profile",
    "token_of_profile",
)


def secret_of(env: Mapping[str, str], name: str) -> str:
    """Return a variable, or the content of the file that `<name>_FILE` names; empty if neither is set.

    Raises:
        UsageError: The file cannot be read.
    """
    if value := env.get(name):
        return value
    if path := env.get(f"{name}_FILE"):
        return _read_secret(Path(path), f"{name}_FILE")
    return ""


def token_of_profile(profile: Mapping[str, Any], env: Mapping[str, str]) -> str:
    """Return the token that a profile names, else that of the environment.

    Raises:
        UsageError: It cannot be had from where the profile says.
    """
    if name := text_in_profile(profile, "token_env"):
        if not env.get(name, "").strip():
            raise UsageError(f"{name} is not set, which token_env of the profile names; set it to the API token")
        return env[name]
    if path := text_in_profile(profile, "token_file"):
        return _read_secret(Path(path), "token_file")
    if command := profile.get("token_command"):
        return _run_for_secret(command)
    if service := text_in_profile(profile, "token_keyring"):
        return _from_keyring(service, text_in_profile(profile, "username"))
    return secret_of(env, "GLADLY_API_TOKEN")


def text_in_profile(profile: Mapping[str, Any], name: str) -> str:
    """Return a text of a profile; empty if it is not there."""
    value = profile.get(name, "")
    if not isinstance(value, str):
        raise UsageError(f"{name} in the profile is not a text; write it in quotes")
    return value


def _read_secret(path: Path, name: str) -> str:
    try:
        return path.expanduser().read_text(encoding="utf-8").strip()
    except (OSError, ValueError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise UsageError(f"{name} names {path}, which cannot be read: {why}; check the path") from error


def _run_for_secret(command: object) -> str:
    if isinstance(command, list) and all(isinstance(word, str) for word in command):
        command = shlex.join(command)
    if not isinstance(command, str):
        raise UsageError("token_command is not a text or a list of texts; write it in quotes")
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"token_command is not a valid command: {error}") from None
    if not words:
        raise UsageError("token_command is empty")
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603 - the user's own command
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise UsageError(f"token_command {words[0]!r} failed: {type(error).__name__}") from None
    return done.stdout.strip()


def _from_keyring(service: str, username: str) -> str:
    try:
        import keyring  # noqa: PLC0415 - an optional extra, needed by few
    except ImportError:
        raise UsageError("token_keyring needs the extra: pip install 'bulkgladly[keyring]'") from None
    try:
        return keyring.get_password(service, username) or ""
    except Exception as error:
        # A backend is another program's code and may raise anything.
        raise UsageError(f"token_keyring {service!r} failed: {type(error).__name__}") from error
