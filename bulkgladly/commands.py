"""The commands that messages tell people to run next, built in one place so that each works as printed.

A command is quoted for a shell, and repeats the flags of the present command that the next one
needs: the state directory, the settings file, the profile. The organisation comes from the
environment and is not repeated.
"""

import os
import re
import shlex
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path

__all__ = ("DEFAULT_STATE_DIR", "Invocation", "invoked", "next_command", "note_invocation", "quoted")

DEFAULT_STATE_DIR = Path(".bulkgladly")

_PROGRAM = "bulkgladly"
_IN_QUOTES = re.compile(rb"[^ -~]|['\\]")


@dataclass(frozen=True, slots=True)
class Invocation:
    """The settings of the present command that its next commands need as well.

    `is_state_dir_set` says that the environment or the settings file names a state directory,
    so that even the default one must be named.
    """

    config: Path | None = None
    profile: str | None = None
    is_state_dir_set: bool = False


_INVOCATION: ContextVar[Invocation] = ContextVar("invocation")
_NOTHING_TOLD = Invocation()


def invoked() -> Invocation:
    """Return the settings of the present command; the defaults if Python code is the caller."""
    return _INVOCATION.get(_NOTHING_TOLD)


def note_invocation(
    *, config: Path | None = None, profile: str | None = None, is_state_dir_set: bool | None = None
) -> None:
    """Keep, for this context and the tasks that it starts, settings that next commands need."""
    known = invoked()
    _INVOCATION.set(
        replace(
            known,
            config=config or known.config,
            profile=profile or known.profile,
            is_state_dir_set=known.is_state_dir_set if is_state_dir_set is None else is_state_dir_set,
        )
    )


def next_command(*words: str | Path, state_dir: Path | None = None, connects: bool = False) -> str:
    """Return a command as one line for a shell in the current directory.

    `words` are its name and its arguments; a path that looks like a flag gets `./` in front.
    Pass `state_dir`, as it was given, for a command that works there, and `connects=True` for
    one that talks to Gladly: it gets the profile of the present command.
    """
    told = invoked()
    line = [_PROGRAM]
    if told.config is not None and (state_dir is not None or connects):
        line += ["--config", str(told.config)]
    line += [f"./{word}" if isinstance(word, Path) and str(word).startswith("-") else str(word) for word in words]
    if state_dir is not None and (told.is_state_dir_set or state_dir != DEFAULT_STATE_DIR):
        line += ["--state-dir", str(state_dir)]
    if connects and told.profile is not None:
        line += ["--profile", told.profile]
    return " ".join(map(quoted, line))


def quoted(word: str) -> str:
    """Return a word quoted for a shell; one with unprintable characters as `$'...'`, so that it stays on one line."""
    if word.isprintable():
        return shlex.quote(word)
    spelled = _IN_QUOTES.sub(lambda found: f"\\x{found[0].hex()}".encode(), os.fsencode(word))
    return f"$'{spelled.decode('ascii')}'"
