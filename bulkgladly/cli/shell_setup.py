"""The side of completion that a shell sees: it is set up by an option, and asks by a variable of the environment."""

import contextlib
import importlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from bulkgladly.cli.completions import COMPLETE_VARIABLE
from bulkgladly.cli.output import print_lines, print_text
from bulkgladly.errors import UsageError

__all__ = ("answer_shell", "install_completion", "show_completion")

_FILES = (
    *(".bashrc", ".bash_completions/bulkgladly.sh", ".zshrc", ".zfunc/_bulkgladly"),
    ".config/fish/completions/bulkgladly.fish",
)
"""What Typer writes, below the home directory, depending on the shell."""


def answer_shell(ask: Callable[[], Any]) -> int:
    """Call the program as a shell does at Tab, and return the exit code. Nothing is printed but proposals.

    Whatever is wrong (a broken settings file, an unreadable state directory), a person is just typing a line.
    """
    try:
        # An option of ours installs completion, so Typer has not prepared its own.
        _typer().completion_init()
        with contextlib.redirect_stderr(io.StringIO()):
            ask()
    except Exception:  # noqa: BLE001 - see above
        return 1
    return 0


def install_completion(wanted: bool) -> None:
    """Set up completion for the shell from which the program was called, and say which files were changed.

    Raises:
        UsageError: The shell is not known, or a file cannot be written.
    """
    if not wanted:
        return
    shell, before = _shell(), _contents()
    try:
        _typer().install(shell=shell, prog_name="bulkgladly")
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be written: {error.strerror}") from error
    changed = [path for path, text in _contents().items() if text.rstrip() != before.get(path, "").rstrip()]
    print_lines(*(f"wrote {path}" for path in changed))
    print_lines(f"completion for {shell} is set up; it works in the next terminal that you open")
    raise typer.Exit


def show_completion(wanted: bool) -> None:
    """Print the script by which the shell asks for proposals.

    Raises:
        UsageError: The shell is not known.
    """
    if not wanted:
        return
    script = _typer().get_completion_script(prog_name="bulkgladly", complete_var=COMPLETE_VARIABLE, shell=_shell())
    print_text(script)
    raise typer.Exit


def _typer() -> Any:
    """Return Typer's part of completion, which it does not export."""
    return importlib.import_module("typer.completion")


def _shell() -> str:
    """Return the name of the shell from which the program was called.

    Raises:
        UsageError: It is not known.
    """
    found = ""
    with contextlib.suppress(OSError):  # what it raises if there is none is one
        found = str(importlib.import_module("shellingham").detect_shell()[0])
    if found not in ("bash", "zsh", "fish"):
        raise UsageError(f"completion works in bash, zsh and fish; this shell is {found or 'not known'}")
    return found


def _contents() -> dict[Path, str]:
    """Return the texts of the files that may be changed; those that do not exist are left out."""
    found: dict[Path, str] = {}
    for name in _FILES:
        path = Path.home() / name
        with contextlib.suppress(OSError, ValueError):
            found[path] = path.read_text(encoding="utf-8")
    return found
