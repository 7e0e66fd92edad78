"""The command `verify`: what it says, how it ends, and what it refuses."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkgladly.emulator import Emulator
from tests.flows.programs import HeardProgram, heard, program_in
from tests.flows.serving import served

ROWS = "crm_id,name,email:1,phone:1\nC1,Ada Ashby,ada@example.org,\nC2,Bela Birch,bela@example.org,020 7946 0018\n"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with served(Emulator(rate=None)) as running:
        yield running


@pytest.fixture
def program(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> HeardProgram:
    """The program, after an import of two rows, one of which was rejected."""
    told = heard(program_in(tmp_path, monkeypatch, emulator), capsys)
    Path("other.csv").write_text(ROWS.replace("Ada", "Zoe"), encoding="utf-8")
    Path("customers.csv").write_text(ROWS, encoding="utf-8")
    assert told("import", "customers", "customers.csv", "--key", "crm_id").code == 1
    return told


def test_a_run_is_verified_and_what_differs_is_told(program: HeardProgram, emulator: Emulator) -> None:
    """Price first, then counts, fields with a masked sample, and what to do next; values only if they are wanted."""
    good = program("verify", "customers-upsert")
    [profile] = emulator.store.customers.values()
    emulator.store.replace_customer({**profile, "name": "Zoe Zander"})
    bad = program("verify", "customers-upsert", "--json")
    shown = program("verify", "customers-upsert", "--show-values")
    report = json.loads(bad.out)

    assert good.code == 0
    assert "1 row: about 2 requests; Ctrl-C stops safely" in good.err
    assert "2 rows read: 1 equal (50 %), 1 not sent (50 %)" in good.err
    assert "--phone-region COUNTRY" in good.err
    assert (bad.code, report["exit_code"], report["counts"]["different"]) == (6, 6, 1)
    assert report["fields"][0]["field"] == "name"
    assert "customers.csv:2: the file has Aaa Aaaaa" in bad.err.replace("Aaa Aaa…a", "Aaa Aaaaa")
    assert "Zander" not in bad.err + bad.out + (Path(report["folder"]) / "report.md").read_text("utf-8")
    assert "the file has Ada Ashby, Gladly holds Zoe Zander" in shown.err
    listed, last = program("runs", "list"), program("runs", "show")
    assert "1 different (50 %), 1 not sent (50 %)" in listed.out
    assert "name, 1 row: customers.csv:2: the file has" in last.out


def test_files_are_verified_with_the_flags_of_an_import(program: HeardProgram) -> None:
    """Also from the standard input of a pipe, whose copy a resume reads."""
    ended = program("verify", "customers", "customers.csv", "--key", "crm_id", "--phone-region", "GB", "--sample", "9")
    stopped = program("verify", "customers", "customers.csv", "--key", "crm_id", "--max-requests", "1")
    resumed = program("resume")

    assert (ended.code, stopped.code, resumed.code) == (6, 10, 0)
    assert "1 row missing in Gladly: customers.csv:3" in ended.err
    assert "2 of 2 rows checked" in ended.err
    assert "1 equal" in resumed.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("customers",), "or compare what its newest import has sent: `bulkgladly verify customers-upsert_"),
        (("tasks",), "no files of tasks are named; pass them: `bulkgladly verify tasks FILE`"),
        (("custmers", "customers.csv"), "did you mean 'customers'?"),
        (("customers-upsert", "other.csv"), "other.csv is not an input of run customers-upsert_"),
        (("customers-upsert", "gone.csv"), "gone.csv"),
        (("nowhere",), "there is no run 'nowhere'"),
        (("customers-upsert", "--key", "crm_id"), "customers-upsert has its own settings; omit --key"),
        (("customers-upsert", "--var", "a=b"), "customers-upsert has its own settings; omit --var"),
        (("customers", "customers.csv", "--sample", "0"), "--sample 0 is not a number of rows"),
        (("customers", "customers.csv", "--sample", "101%"), "--sample 101% is not a number of rows"),
        (("customers", "customers.csv", "--sample", "50000"), "is more than 20,000 rows; pass a percentage"),
        (("sms", "customers.csv"), "sms cannot be verified"),
        (("customers", "customers.csv", "--key", "crm_id", "--mode", "delete", "--forget"), "--forget is for objects"),
        (("customers", "gone.csv"), "gone.csv"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_sent(
    arguments: tuple[str, ...], words: str, program: HeardProgram, emulator: Emulator
) -> None:
    """With exit code 2, a word about it, and no run left behind."""
    runs = len(list(Path(".bulkgladly/runs").iterdir()))
    emulator.requests.clear()

    ended = program("verify", *arguments)

    assert (ended.code, emulator.requests.count()) == (2, 0), ended
    assert words in ended.err
    assert len(list(Path(".bulkgladly/runs").iterdir())) == runs


def test_a_verification_has_no_rejects_to_retry(program: HeardProgram) -> None:
    """`retry` names what it is."""
    program("verify", "customers-upsert")

    ended = program("retry", "customers-verify")

    assert (ended.code, "is not an import (verify)" in ended.err) == (2, True)
