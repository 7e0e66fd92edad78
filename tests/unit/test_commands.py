"""Next commands: a shell must take each as it was meant, from the same directory."""

import contextvars
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bulkgladly.commands import DEFAULT_STATE_DIR, Invocation, invoked, next_command, note_invocation, quoted

ODD = ("plain", "my state", "it's", 'say "so"', "$HOME", "`ls`", "a;b", "*", "~", "#x", "", "ü", "back\\slash", "!1")
UNSEEN = ("line\nbreak", "\x1b[2J", "\u202eflip", "quote'\n\\", "tab\there", "\xa0")


def taken(command: str, shell: str = "/bin/sh") -> list[str]:
    """The words that a shell makes of a command, without its name."""
    words = [shell, "-c", f"bulkgladly() {{ printf '%s\\0' \"$@\"; }}\n{command}"]
    return subprocess.run(words, capture_output=True, check=True).stdout.decode().split("\0")[:-1]


@pytest.mark.parametrize("name", ODD)
def test_a_shell_takes_any_name_as_it_is(name: str) -> None:
    """Blanks, quotes, and what a shell would expand."""
    command = next_command("resume", "run_1", state_dir=Path("x") / name)

    assert taken(command) == ["resume", "run_1", "--state-dir", str(Path("x") / name)]


@pytest.mark.skipif(not Path("/bin/bash").exists(), reason="there is no bash here")
@pytest.mark.parametrize("name", UNSEEN)
def test_what_cannot_be_seen_is_spelled_so_that_a_shell_reads_it_back(name: str) -> None:
    """A line break in a name does not break the line."""
    assert quoted(name).isprintable()
    assert taken(f"bulkgladly {quoted(name)}", "/bin/bash") == [name]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (".bulkgladly", []),
        ("./.bulkgladly", []),
        ("state", ["--state-dir", "state"]),
        ("../state", ["--state-dir", "../state"]),
        ("/srv/.bulkgladly", ["--state-dir", "/srv/.bulkgladly"]),
    ],
)
def test_the_state_directory_is_named_as_it_was_given_unless_it_is_the_default(given: str, words: list[str]) -> None:
    """Another directory of the default's name is another directory."""
    assert taken(next_command("runs", "show", "r", state_dir=Path(given))) == ["runs", "show", "r", *words]


def in_context(work: Callable[[], str]) -> str:
    return contextvars.copy_context().run(work)


def test_the_default_is_named_where_something_else_would_be_taken() -> None:
    """The environment or the settings file names one, and a flag had the last word."""

    def work() -> str:
        note_invocation(is_state_dir_set=True)
        return next_command("resume", "r", state_dir=DEFAULT_STATE_DIR)

    assert in_context(work) == "bulkgladly resume r --state-dir .bulkgladly"


def test_the_settings_file_and_the_profile_are_told_again() -> None:
    """The profile to commands that talk to Gladly; what was told to one command is not kept for others."""

    def work() -> str:
        note_invocation(config=Path("my settings.toml"))
        note_invocation(profile="eu")
        both = next_command("resume", "r", state_dir=Path("s"), connects=True)
        return f"{both}\n{next_command('runs', 'list', state_dir=Path('s'))}\n{next_command('dataset', 'show', 'x')}"

    with_profile, listing, plain = in_context(work).split("\n")
    assert with_profile == "bulkgladly --config 'my settings.toml' resume r --state-dir s --profile eu"
    assert listing == "bulkgladly --config 'my settings.toml' runs list --state-dir s"
    assert plain == "bulkgladly dataset show x"
    assert invoked() == Invocation()


def test_a_path_is_never_taken_for_a_flag() -> None:
    """A folder may be called `-x`."""
    assert taken(next_command("dataset", "show", Path("-x"))) == ["dataset", "show", "./-x"]
