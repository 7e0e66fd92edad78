"""Whatever Gladly, a file or a name holds: it comes to a terminal and into a page as harmless text."""

import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from rich.console import Console

from bulkgladly.cli import display
from bulkgladly.emulator import Emulator
from bulkgladly.emulator.faults.fault import Fault
from bulkgladly.emulator.protocol.replies import Reply
from bulkgladly.runs.observer import RunView
from tests.flows.programs import HeardProgram, Told, heard, program_in
from tests.flows.serving import served

FORGED = "error: all is well"
EVIL = f"\x1b]0;owned\x07\x1b[2J\r\n{FORGED}\n\u202eflip\u2066\x9b31m\x7f\u2028[red]red[/red][/]"
PLAIN = "\\x1b]0;owned\\x07\\x1b[2J\\r\\nerror: all is well\\n\\u202eflip\\u2066\\x9b31m\\x7f\\u2028[red]red[/red][/]"
NAME = EVIL.replace("/", "")  # no file can have a slash in its name


def evil_error(status: int) -> Fault:
    """A refusal in Gladly's shape with the text in every field of it."""
    error = {"code": EVIL, "attr": EVIL, "detail": EVIL, "meta": {"new": EVIL, "existing": EVIL}, "id": EVIL}
    return Fault("answer", executes=False, reply=Reply(status, orjson.dumps({"errors": [error]})))


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with served(Emulator(rate=None, seed_customers=2)) as running:
        yield running


@pytest.fixture
def program(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> HeardProgram:
    """The program; whatever it prints is looked at, each time."""
    told = heard(program_in(tmp_path, monkeypatch, emulator), capsys)

    def call(*arguments: str) -> Told:
        ended = told(*arguments)
        assert_harmless(ended.out)
        assert_harmless(ended.err)
        for page in tmp_path.rglob("report.md"):
            assert_harmless(page.read_text(encoding="utf-8"))
        return ended

    return call


def assert_harmless(text: str) -> None:
    """Nothing that a terminal obeys, nothing that cannot be seen, and no line that is not ours."""
    assert not [character for character in text if not character.isprintable() and character != "\n"]
    assert not [line for line in text.split("\n") if line.strip().startswith(FORGED)]


def test_what_gladly_says_of_a_record_cannot_forge_a_line(program: HeardProgram, emulator: Emulator) -> None:
    """In the summary, `runs show`, the page, log lines and JSON; the result file keeps it exactly."""
    Path("rows.csv").write_text("crm_id,name\nK1,Ada\nK2,Ben\n")
    emulator.faults.script("createCustomer", [evil_error(400)] * 2)

    code, out, err = program("import", "customers", "rows.csv", "--key", "crm_id", "--json")

    assert code == 1
    report = json.loads(out)
    assert report["rejects_by_code"] == {EVIL: 2}
    assert PLAIN in err
    rejected = [json.loads(line) for line in (Path(report["folder"]) / "rejected.ndjson").read_bytes().splitlines()]
    assert rejected[0]["_bulkgladly"]["detail"] == EVIL
    page = (Path(report["folder"]) / "report.md").read_text(encoding="utf-8")
    assert "\\[red\\]" in page
    assert PLAIN in program("runs", "show")[1]
    assert json.loads(program("runs", "show", "--json")[1])["rejects_by_code"] == {EVIL: 2}
    assert program("runs", "list")[0] == 0
    emulator.faults.script("createCustomer", [evil_error(400)] * 2)
    lines = program("import", "customers", "rows.csv", "--key", "crm_id", "--log-format", "json", "--new-run")[2]
    assert json.loads(lines.splitlines()[-1])["report"]["rejects_by_code"] == {EVIL: 2}


@pytest.mark.parametrize("arguments", [("doctor",), ("doctor", "--json")])
def test_the_name_of_an_organisation_cannot_paint_the_screen(
    arguments: tuple[str, ...], program: HeardProgram, emulator: Emulator
) -> None:
    """Whoever may name it could otherwise write into the terminals of its partners."""
    named = orjson.dumps({"id": EVIL, "name": EVIL})
    emulator.faults.script("getOrganization", [Fault("answer", executes=False, reply=Reply(200, named))])

    code, out, _ = program(*arguments)

    assert code == 0
    assert (json.loads(out)["findings"][4]["text"] if "--json" in arguments else out).count(FORGED) == 2


def test_names_of_files_and_columns_and_keys_cannot_forge_a_line(program: HeardProgram) -> None:
    """They come from whoever sent the file."""
    head = f'crm_id,"{NAME}",email:1\n'
    Path(f"{NAME}.csv").write_bytes((head + f'"K{NAME}",x,"{NAME}"\n"K{NAME}",y,"{NAME}@"\n').encode())

    code, _, err = program("import", "customers", f"{NAME}.csv", "--key", "crm_id")
    assert code == 2
    assert "have no column" in err
    assert program("import", "customers", f"{NAME}.csv", "--key", NAME)[0] == 2
    assert program("import", "customers", f"{NAME}.csv", "--key", "crm_id", "--ignore-columns", "*")[0] == 1
    assert program("runs", "show")[0] == 0
    assert program("check", "customers", f"{NAME}.csv", "--key", "crm_id")[0] == 2
    shown = program("check", "customers", f"{NAME}.csv", "--key", "crm_id", "--ignore-columns", "*", "--show-values")
    assert shown[0] == 1
    assert FORGED in shown[1]
    assert program("map", "init", f"{NAME}.csv", "--to", "customers", "--show-values")[0] == 0
    assert program("import", NAME, f"{NAME}.csv")[0] == 2
    assert program("import", "customers", f"{NAME}.csv", "--mode", NAME)[0] == 2
    assert program(f"x{NAME}")[0] == 2  # a first letter, since older parsers take other signs for flags


def test_a_draft_with_odd_names_can_be_read_back(program: HeardProgram) -> None:
    """What is escaped in it is escaped as TOML has it, so that the names stay what they are."""
    Path("rows.csv").write_bytes(f'crm_id,"{NAME}",name\n1,x,Ada\n2,y,Ben\n'.encode())

    code, draft, _ = program("map", "init", "rows.csv", "--to", "customers")
    assert code == 0
    Path("map.toml").write_text(re.sub(r"(?m)^# ('.*|\".*)$", r"\1", draft), encoding="utf-8")
    code, out, err = program("map", "check", "rows.csv", "--map", "map.toml")

    assert code == 0, err
    assert PLAIN.replace("/", "") in out


def test_what_gladly_says_of_a_unit_cannot_forge_a_line(program: HeardProgram, emulator: Emulator) -> None:
    """In the summary, the notes and the page of an export, and in the names of its units."""
    emulator.faults.script("getInboxes", [evil_error(400)] * 20)
    code, out, _ = program("export", "inboxes", "--out", "lake", "--json")

    assert code in (1, 4)
    assert json.loads(out)["status"] in ("complete", "failed")
    assert program("runs", "show")[0] == 0
    Path("ids.txt").write_text(f"id\n{NAME.replace(chr(13), '').replace(chr(10), '').replace(chr(0x2028), '')}\n")
    program("export", "customers", "--out", "lake", "--ids", "ids.txt")
    assert program("dataset", "show", "lake")[0] == 0


def test_markup_in_a_reason_is_no_markup_on_the_live_view() -> None:
    """A closing tag without an opening one would end the run, a colour hide a line."""
    logger = logging.getLogger("bulkgladly.test")
    screen = Console(file=io.StringIO(), force_terminal=False, width=200)
    view = RunView(
        run="r",
        counts={"created": 1},
        done=1,
        rows=2,
        rows_exact=True,
        seconds=1.0,
        requests=1,
        requests_per_second=1.0,
        allowed_per_second=9.0,
        in_flight=1,
        throttled=0,
        waiting=EVIL,
        waiting_s=12.0,
        eta_s=None,
        things="[/]rows",
    )

    class Live:
        def update(self, panel: object) -> None:
            screen.print(panel)

    display.LiveDisplay(logger, Live()).tick(view)

    assert isinstance(screen.file, io.StringIO)
    text = screen.file.getvalue()
    assert_harmless(text)
    assert "[red]red[/red][/]" in text
    assert "[/]rows" in text


def test_lines_of_the_log_are_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    """Notes and waits quote what proxies and Gladly say."""
    logger = display.logger_for("text")
    lines = display.LineDisplay(logger)

    lines.note(EVIL)
    lines.note("x" * 100_000)

    first, second, rest = capsys.readouterr().err.split("\n")
    assert (first, rest) == (PLAIN, "")
    assert len(second) < 7000
    assert second.endswith("more characters)")
