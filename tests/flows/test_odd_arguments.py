"""What a user or a file can say wrongly ends with 2 and a word about it; 70 is for bugs of ours alone."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkgladly.emulator import Emulator
from bulkgladly.emulator.faults.fault import Fault
from bulkgladly.emulator.protocol.replies import Reply
from tests.flows.programs import HeardProgram, Told, heard, program_in
from tests.flows.serving import served


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with served(Emulator(rate=None, seed_customers=2)) as running:
        yield running


@pytest.fixture
def program(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> HeardProgram:
    """The program in an empty folder with a file of one row; no call may end as a bug."""
    told = heard(program_in(tmp_path, monkeypatch, emulator, stdin=b""), capsys)
    Path("rows.csv").write_text("crm_id,name\nC1,Ada Ashby\n")

    def call(*arguments: str) -> Told:
        ended = told(*arguments)
        assert "internal error" not in ended.err
        assert "Traceback" not in ended.err
        return ended

    return call


PROFILE = "[profiles.x]\nhost = 'org'\nusername = 'me@example.org'\n"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("[profiles.x]\nhost = 1\n", "host in the profile is not a text"),
        (f"{PROFILE}token_env = 1\n", "token_env in the profile is not a text"),
        (f"{PROFILE}token_file = [1]\n", "token_file in the profile is not a text"),
        (f"{PROFILE}token_file = '~nobody-of-this-name/x'\n", "token_file names"),
        (f'{PROFILE}token_file = "\\u0000"\n', "token_file names"),
        (f"{PROFILE}token_command = 1\n", "token_command is not a text or a list of texts"),
        (f"{PROFILE}token_command = [1]\n", "token_command is not a text or a list of texts"),
        (f"{PROFILE}token_command = ['printf', \"\\u0000\"]\n", "token_command 'printf' failed"),
        (f"{PROFILE}token_command = ['printf', '\\377']\n", "token_command 'printf' failed"),
        (f"{PROFILE}token_keyring = 1\n", "token_keyring in the profile is not a text"),
    ],
)
def test_a_profile_of_wrong_types_is_named(settings: str, words: str, program: HeardProgram) -> None:
    """TOML has numbers, lists and tables; a profile has texts."""
    Path("s.toml").write_text(settings)

    code, _, err = program("--config", "s.toml", "import", "customers", "rows.csv", "--profile", "x")

    assert code == 2
    assert words in err


def test_a_keyring_that_breaks_is_no_bug_of_ours(program: HeardProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend may raise whatever it likes, as one does where there is no desktop."""

    def broken(*_: object) -> None:
        raise RuntimeError("no recommended backend")

    monkeypatch.setattr("keyring.get_password", broken)
    Path("s.toml").write_text(f"{PROFILE}token_keyring = 'gladly'\n")

    code, _, err = program("--config", "s.toml", "import", "customers", "rows.csv", "--profile", "x")

    assert (code, "token_keyring 'gladly' failed: RuntimeError" in err) == (2, True)


@pytest.mark.parametrize(
    "line",
    [
        "what = 1",
        "what = [1]",
        "reports = 1",
        "reports_from = 1",
        "reports_from = 2026-01-01T00:00:00",
        "look_back_days = 'x'",
        "look_back_days = -1",
        "look_back_days = nan",
        "look_back_days = 99999999999",
        "look_back_days = true",
        "partition = 1",
        "keep_raw = 'no'",
        "format = 1",
        "compression = []",
        "max_file_size = 1",
    ],
)
def test_a_file_for_dump_with_a_value_of_a_wrong_kind_is_named(line: str, program: HeardProgram) -> None:
    """Before a folder is made, with what to write instead."""
    Path("night.toml").write_text(f"{line}\n")

    code, _, err = program("dump", "lake", "--config", "night.toml")

    assert code == 2
    assert f"night.toml: {line.split(maxsplit=1)[0]} is not valid; use " in err
    assert not Path("lake").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("import", "customers", "rows.csv", "--rate", "nan"),
        ("import", "customers", "rows.csv", "--rate", ""),
        ("import", "customers", "rows.csv", "--reserve", "nan%"),
        ("import", "customers", "rows.csv", "--max-errors", "nan%"),
        ("import", "customers", "rows.csv", "--max-errors", "9" * 5000),
        ("import", "customers", "rows.csv", "--concurrency", "٣" * 3),
        ("import", "customers", "rows.csv", "--max-duration", "9" * 400 + "d"),
        ("import", "customers", "rows.csv", "--max-duration", "9" * 12 + "d"),
        ("import", "customers", "rows.csv", "--delimiter", ""),
        ("import", "customers", "rows.csv", "--encoding", "rot13"),
        ("import", "customers", "."),
        ("import", "customers", ""),
        ("import", "customers", "x" * 5000),
        ("import", "customers", "rows.csv/x"),
        ("import", "customers", "rows.csv", "--state-dir", "rows.csv"),
        ("import", "customers", "rows.csv", "--state-dir", "rows.csv/x", "--key", "crm_id"),
        ("import", "customers", "rows.csv", "--after", "x/../.."),
        ("import", "customers", "rows.csv", "--map", "."),
        ("import", "customers", "rows.csv", "--transform", ":"),
        ("export", "inboxes", "--out", "rows.csv"),
        ("export", "inboxes", "--out", "rows.csv/x"),
        ("export", "inboxes", "--out", "x" * 5000),
        ("export", "inboxes", "--out", "lake", "--since", "0001-01-01T00:00+23:59"),
        ("export", "inboxes", "--out", "lake", "--max-file-size", "9" * 400),
        ("export", "items", "--out", "lake", "--look-back-days", "99999999999"),
        ("resume", "x/../.."),
        ("retry", ""),
        ("runs", "show", "../../x"),
        ("dataset", "show", "rows.csv"),
        ("map", "init", "", "--to", "customers"),
        ("map", "init", "rows.csv", "--to", "customers", "--out", "rows.csv/x"),
    ],
    ids=lambda words: " ".join(words)[:60],
)
def test_odd_arguments_are_mistakes_of_usage(arguments: tuple[str, ...], program: HeardProgram) -> None:
    """Numbers that are none, folders as files, files as folders, names that no system takes."""
    code, _, err = program(*arguments)

    assert (code, err.startswith("error: ")) == (2, True)


@pytest.mark.parametrize("flag", ["--max-requests", "--limit", "--max-errors"])
def test_a_limit_beyond_all_numbers_is_no_limit(flag: str, program: HeardProgram) -> None:
    """It is kept in the run's header, where numbers end somewhere."""
    assert program("import", "customers", "rows.csv", "--key", "crm_id", flag, "9" * 40)[0] == 0
    assert program("runs", "show")[0] == 0


@pytest.mark.parametrize("date", ["yesterday", "Fri, 99 Nov 2026 00:00:00 GMT", "Fri, 27 Nov 2026 05:00:00 -0000"])
def test_a_server_that_cannot_tell_the_time_is_no_bug_of_doctor(
    date: str, program: HeardProgram, emulator: Emulator
) -> None:
    """The rest is looked at all the same."""
    reply = Reply(200, b'{"id":"o","name":"Org"}', headers={"Date": date})
    emulator.faults.script("getOrganization", [Fault("answer", executes=False, reply=reply)])

    code, out, _ = program("doctor")

    assert code in (0, 2)
    assert "Org (o)" in out


def test_a_name_that_is_no_text_is_refused_before_anything_is_made(program: HeardProgram) -> None:
    """A journal could not keep it, and a data set not be read by others."""
    name = os.fsdecode(b"r\xff.csv")
    Path(name).write_text("crm_id,name\nC1,Ada\n")

    code, _, err = program("import", "customers", name, "--key", "crm_id")

    assert code == 2
    assert "r\\udcff.csv: the name is not valid UTF-8; rename the file or the folder" in err
    assert not Path(".bulkgladly").exists()
    code, _, err = program("import", "customers", "r*.csv", "--key", "crm_id")
    assert code == 2
    assert "is not valid UTF-8" in err


def test_consent_to_remove_rows_does_not_stand_in_a_file(program: HeardProgram) -> None:
    """It would hold for every later age as well, a mistyped one included."""
    Path("s.toml").write_text('[dump]\nretention = "400d"\nyes = true\n')

    code, _, err = program("--config", "s.toml", "dump", "lake")

    assert code == 2
    assert "pass --yes once instead" in err
    assert not Path("lake").exists()
