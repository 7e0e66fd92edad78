"""`bulkgladly init`: a profile in the settings file, without the token, and a look at whether it works."""

import os
import pty
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkgladly.emulator import Emulator
from tests.flows.programs import HeardProgram, heard, program_in
from tests.flows.serving import served

TOKEN = "planted-token-7f3a9c"


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with served(Emulator(token=TOKEN)) as found:
        yield found


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> HeardProgram:
    return heard(program_in(tmp_path, monkeypatch), capfd)


def settings(folder: Path) -> dict[str, object]:
    return tomllib.loads((folder / "bulkgladly.toml").read_text(encoding="utf-8"))


def test_it_writes_a_profile_and_makes_it_the_default(program: HeardProgram, tmp_path: Path) -> None:
    told = program("init", "--host", "acme", "--user", "ops@example.org")

    assert told.code == 0, told.err
    profile = {"host": "https://acme.gladly.com", "username": "ops@example.org", "token_env": "GLADLY_API_TOKEN"}
    assert settings(tmp_path) == {"profile": "default", "profiles": {"default": profile}}
    assert "set GLADLY_API_TOKEN" in told.out


def test_what_stands_in_the_file_stays_there(program: HeardProgram, tmp_path: Path) -> None:
    before = '# ours\nrate = 5\n\n[import]\nkey = "crm_id"'
    (tmp_path / "bulkgladly.toml").write_text(before, encoding="utf-8")

    assert program("init", "--host", "acme", "--user", "ops@example.org", "--name", "live").code == 0
    assert before in (tmp_path / "bulkgladly.toml").read_text(encoding="utf-8")
    assert settings(tmp_path)["rate"] == 5
    assert settings(tmp_path)["profile"] == "live"

    assert program("init", "--host", "acme-uat.us-uat", "--user", "ops@example.org", "--name", "uat").code == 0
    assert settings(tmp_path)["profile"] == "live"
    assert settings(tmp_path)["profiles"].keys() == {"live", "uat"}  # type: ignore[attr-defined]


def test_it_checks_the_profile_when_the_token_is_there(
    program: HeardProgram, emulator: Emulator, tmp_path: Path
) -> None:
    """With `doctor`, and the token is in no file but its own."""
    (tmp_path / "token").write_text(TOKEN, encoding="utf-8")

    told = program("init", "--host", emulator.url, "--user", emulator.options.username, "--token-file", "token")

    assert told.code == 0, told.out + told.err
    assert "ok  credentials" in told.out
    assert TOKEN not in (tmp_path / "bulkgladly.toml").read_text(encoding="utf-8")
    assert program("doctor").code == 0  # by the default profile, without any variable


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--user", "ops@example.org"), "--host is missing"),
        (("--host", "acme"), "--user is missing"),
        (("--host", "http://acme.example.org", "--user", "ops@example.org"), "--host"),
        (("--host", "acme", "--user", "ops"), "not an email address"),
        (("--host", "acme", "--user", "ops@example.org", "--name", "a b"), "--name"),
    ],
)
def test_what_cannot_work_is_refused_and_nothing_is_written(
    program: HeardProgram, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    told = program("init", *arguments)

    assert (told.code, said in told.err) == (2, True), told.err
    assert not (tmp_path / "bulkgladly.toml").exists()


def test_a_profile_is_not_replaced(program: HeardProgram, tmp_path: Path) -> None:
    arguments = ("init", "--host", "acme", "--user", "ops@example.org")
    assert program(*arguments).code == 0
    before = (tmp_path / "bulkgladly.toml").read_bytes()

    told = program(*arguments)

    assert told.code == 2
    assert "already has a profile 'default'" in told.err
    assert (tmp_path / "bulkgladly.toml").read_bytes() == before


def test_a_person_is_asked_at_a_terminal(tmp_path: Path) -> None:
    """A host that is none is asked for again."""
    ours, theirs = pty.openpty()
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("GLADLY_", "BULKGLADLY_"))}
    process = subprocess.Popen(
        [sys.executable, "-m", "bulkgladly", "init"],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=variables,
    )
    os.write(ours, b"http://acme.example.org\nacme\nops@example.org\n")
    _, errors = process.communicate(timeout=30)
    os.close(ours)
    os.close(theirs)

    assert process.returncode == 0, errors
    assert errors.count(b"Your organisation") == 2
    assert settings(tmp_path)["profiles"]["default"]["host"] == "https://acme.gladly.com"  # type: ignore[index]
