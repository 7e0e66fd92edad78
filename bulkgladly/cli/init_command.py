"""`init`: ask for host and user, write a profile into the settings file, and check that it works."""

import re
import tomllib
from pathlib import Path
from typing import Annotated

import typer

from bulkgladly.cli import flags
from bulkgladly.cli.flags import call_option
from bulkgladly.cli.output import ask, can_ask, print_lines, tell
from bulkgladly.errors import UsageError
from bulkgladly.settings import CONFIG_FILE, base_url, load_toml

__all__ = ("init",)

_ACCOUNT = "Account"
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_TOKEN = "GLADLY_API_TOKEN"  # noqa: S105 - the name of a variable
_TRIES = 3


def init(
    context: typer.Context,
    host: Annotated[
        str | None,
        call_option("--host", "The organisation, such as acme or https://acme.gladly.com.", _ACCOUNT, "HOST"),
    ] = None,
    user: Annotated[
        str | None, call_option("--user", "The email address of the Gladly user.", _ACCOUNT, "EMAIL")
    ] = None,
    token_env: Annotated[
        str,
        call_option("--token-env", "The environment variable that holds the API token.", _ACCOUNT, "VARIABLE"),
    ] = _TOKEN,
    token_file: Annotated[
        Path | None, call_option("--token-file", "A file that holds the API token instead.", _ACCOUNT, "FILE")
    ] = None,
    name: Annotated[str, call_option("--name", "The name of the profile.", _ACCOUNT, "NAME")] = "default",
    state_dir: flags.StateDir = Path(".bulkgladly"),
) -> None:
    """Set up access to an organisation, and check that it works.

    It writes a profile into bulkgladly.toml, and asks for whatever is not passed as an option, if there is a terminal.
    The token itself is never asked for and never written: the profile says where it is.
    """
    from bulkgladly.cli.program_commands import doctor

    if not _NAME.fullmatch(name):
        raise UsageError(f"--name {name!r}: use letters, digits, - and _ only")
    path = Path(CONFIG_FILE)
    profiles = load_toml(path).get("profiles", {}) if path.exists() else {}
    if name in profiles:
        raise UsageError(f"{path} already has a profile {name!r}; change it there, or pass another --name")
    host = _host(host)
    user = _user(user)
    found = {"host": host, "username": user}
    found |= {"token_file": str(token_file)} if token_file is not None else {"token_env": token_env}
    _write(path, name, found)
    print_lines(f"wrote the profile {name} to {path}; it says where the token is, and does not contain it")
    if token_file is None:
        import os

        if not os.environ.get(token_env):
            print_lines(f"next: set {token_env} to the API token of {user}, then run `bulkgladly doctor`")
            return
    context.obj.profiles = load_toml(path).get("profiles", {})
    doctor(context, state_dir=state_dir, profile=name)


def _host(given: str | None) -> str:
    """Return the base URL of the organisation.

    Raises:
        UsageError: It is not one, and nobody can be asked again.
    """
    for left in reversed(range(_TRIES)):
        text = given or _asked("Your organisation (acme, or https://acme.gladly.com):", "--host")
        try:
            return base_url(text)
        except UsageError as error:
            if given is not None or not left:
                raise UsageError(str(error).replace("GLADLY_HOST", "--host")) from None
            tell(str(error).replace("GLADLY_HOST", "the organisation"))
    raise AssertionError("the last try has returned or raised")


def _user(given: str | None) -> str:
    text = (given or _asked("Email address of the Gladly user:", "--user")).strip()
    if "@" not in text or ":" in text or any(each.isspace() for each in text):
        raise UsageError(f"--user {text!r} is not an email address")
    return text


def _asked(question: str, flag: str) -> str:
    """Return what a person types.

    Raises:
        UsageError: There is no terminal.
        Abort: The person has ended the input.
    """
    if not can_ask():
        raise UsageError(f"{flag} is missing; pass it, because there is no terminal to ask")
    if (typed := ask(question)) is None:
        raise typer.Abort
    return typed


def _write(path: Path, name: str, found: dict[str, str]) -> None:
    """Add a profile to the settings file, and make it the default if there is none. What is there stays as it is.

    Raises:
        DiskFull: It could not be written; the file is as it was.
    """
    from bulkgladly.storage.durable import write_whole
    from bulkgladly.storage.failures import writing

    before = path.read_text(encoding="utf-8") if path.exists() else ""
    section = "\n".join([f"[profiles.{name}]", *(f"{key} = {_quoted(value)}" for key, value in found.items())])
    # A name at the top level must stand before the first section.
    first = "" if "profile" in tomllib.loads(before) else f'profile = "{name}"\n'
    text = f"{first}{before}"
    text = f"{text.rstrip()}\n\n{section}\n" if text.strip() else f"{section}\n"
    tomllib.loads(text)
    with writing(path, then="run `bulkgladly init` again"):
        write_whole(path, text.encode())


def _quoted(value: str) -> str:
    """Return a text as TOML writes it."""
    import orjson

    return orjson.dumps(value).decode()
