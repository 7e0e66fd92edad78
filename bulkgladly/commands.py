"""The commands that messages tell people to run next: built in one place, so that each of them works as printed.

A command is quoted for a shell, and carries what the present one was told and the next one
must be told again: the state directory, the settings file, the profile. The organisation
comes from the environment, and is left to it.
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
    """What the present command was told beside its own flags.

    `is_state_dir_set` says that the environment or the settings file names a state directory,
    so that even the default one must be spelled out.
    """

    config: Path | None = None
    profile: str | None = None
    is_state_dir_set: bool = False


_INVOCATION: ContextVar[Invocation] = ContextVar("invocation")
_NOTHING_TOLD = Invocation()


def invoked() -> Invocation:
    """Return what the present command was told; nothing, where Python code is the caller."""
    return _INVOCATION.get(_NOTHING_TOLD)


def note_invocation(
    *, config: Path | None = None, profile: str | None = None, is_state_dir_set: bool | None = None
) -> None:
    """Remember, for this context and what it starts, what next commands must be told again."""
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
    """Return a command as one line for a shell in the present directory.

    `words` are its name and its arguments; a path that looks like a flag is spelled as a path.
    With `state_dir` it is one that works there, named as it was given; with `connects` it talks
    to Gladly, and takes the profile of the present command.
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
    """Return a word as a shell takes it; what cannot be seen is spelled as `$'...'`, so that the line stays one."""
    if word.isprintable():
        return shlex.quote(word)
    spelled = _IN_QUOTES.sub(lambda found: f"\\x{found[0].hex()}".encode(), os.fsencode(word))
    return f"$'{spelled.decode('ascii')}'"
