"""What `--help` prints: it fits one screen, it shows choices as choices, and its examples run as they stand."""

import re
import shlex
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bulkgladly.cli.app import run
from bulkgladly.cli.examples import EXAMPLES, examples_of
from bulkgladly.cli.first_options import FIRST_OPTIONS
from bulkgladly.cli.help_pages import WIDEST, help_page
from bulkgladly.cli.lake_flags import ReportFlags
from bulkgladly.emulator import Emulator
from bulkgladly.emulator.__main__ import _parser as emulator_parser
from bulkgladly.emulator.__main__ import options_from
from bulkgladly.gladly.report_queries import AGGREGATION_LEVELS, CHANNELS
from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.journal.runs import all_folders
from tests.contract.test_docs import README, all_commands, write_files_of
from tests.flows.quickly import QUICK
from tests.flows.serving import served
from tests.object_stores import environment, moto

Program = Callable[[str], int]

COMMANDS = {name.removeprefix("bulkgladly").strip(): command for name, command in all_commands()}
GROUPS = {name for name, command in COMMANDS.items() if getattr(command, "commands", None)}
MOST_LINES = 60
ENDLESS = {"follow", "init", "listen", "live"}
"""Commands that run until they are stopped, or ask a person: of their examples only the arguments are read."""
WORKING = {"runs pause", "runs continue", "runs rate", "runs stop"}
"""Commands for a run that works in another process; `tests/flows/test_steering.py` runs them."""
IMPORT = "bulkgladly import customers customers.csv --key crm_id"
LIVE_PLAN = "bulkgladly plan customers customers.csv --key crm_id --out live.plan --live"
EXPORT = "bulkgladly export agents-list inboxes profiles --emails customers.csv --out lake"
MAP = "bulkgladly map init contacts.csv --to customers --out customers.toml"
HOOK, OLD_HOOK = (f"https://hooks.example.org/{path}" for path in ("gladly", "old"))
SETUP: Mapping[str, tuple[str, ...]] = {
    "import": (f"{IMPORT} --phone-region GB",),
    "resume": (
        f"{IMPORT} --phone-region GB",
        "bulkgladly import tasks tasks.csv --key ticket --limit 1",
        f"{IMPORT} --phone-region GB --limit 1",
    ),
    "retry": (IMPORT,),
    "undo": (f"{IMPORT} --phone-region GB",),
    "verify": (f"{IMPORT} --phone-region GB",),
    "plan": (IMPORT,),
    "apply": (IMPORT, LIVE_PLAN, "bulkgladly plan customers leavers.csv --key crm_id --mode delete --out leavers.plan"),
    "runs list": (EXPORT + " --state-dir dumps",),
    "runs show": (f"{IMPORT} --phone-region GB", "bulkgladly import tasks tasks.csv --key ticket"),
    "runs open": (f"{IMPORT} --phone-region GB", "bulkgladly import tasks tasks.csv --key ticket"),
    "map check": (MAP,),
    **dict.fromkeys(("crosswalk", "crosswalk repair", "explain"), (IMPORT,)),
    "listen unregister": (f"bulkgladly listen register {HOOK}", f"bulkgladly listen register {OLD_HOOK} --name other"),
    **dict.fromkeys((f"dataset {name}" for name in ("verify", "show", "drift", "compact", "sql", "push")), (EXPORT,)),
    "dataset pull": (EXPORT, "bulkgladly dataset push lake s3://example-lake/gladly"),
    "dataset build": ("bulkgladly export items events --out lake",),
    "dataset load": (EXPORT, "bulkgladly dataset compact lake"),
}
"""What was done before, so that there is something to resume, to retry, to show."""
BEFORE: Mapping[str, str] = {
    "bulkgladly dataset show lake": EXPORT,
    "bulkgladly dataset purge lake --older-than 400d": EXPORT,
    "bulkgladly dataset purge lake --older-than 400d --yes": EXPORT,
    "bulkgladly dataset verify lake": EXPORT,
    "bulkgladly map check contacts.csv --map customers.toml": MAP,
}
EXIT_CODES: Mapping[str, int] = {
    "bulkgladly check customers customers.csv --key crm_id": 1,
    "bulkgladly check customers customers.csv --key crm_id --show-values": 1,
    IMPORT: 1,
    f"{IMPORT} --rehearse": 1,
    f"{IMPORT} --dry-run": 1,
    f"{IMPORT} --limit 2": 10,
    LIVE_PLAN: 1,
    "bulkgladly plan customers customers.csv --key crm_id --out customers.plan": 1,
    "bulkgladly apply live.plan": 1,
    "bulkgladly apply live.plan --canary 1": 1,
    "bulkgladly retry 4a20f903 --on-conflict update": 2,
}
"""C3 has a local phone number: without a country it is rejected, and there is nothing to retry."""
INVENTED = "4a20f903"
"""The end of the name of a run in examples and documents, by which a person would name one of several runs."""
EVERY_EXAMPLE = [(name, line) for name in EXAMPLES if name not in ENDLESS | WORKING for line in examples_of(name)]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """The program in a folder with the files of the README and a few more; each call gets a line for a shell."""
    write_files_of(README, tmp_path)
    (tmp_path / "contacts.csv").write_text("Id,Full name,E-mail\nC1,Ada Ashby,ada@example.org\n", encoding="utf-8")
    (tmp_path / "rules.toml").write_text(
        '[[rules]]\nname = "reopened"\non = "CONVERSATION/REOPENED"\ndo = { to = "-" }\n', encoding="utf-8"
    )
    (tmp_path / "events.ndjson").write_text(
        '{"id": "e1", "type": "CONVERSATION/REOPENED", "timestamp": "2026-11-02T10:00:00Z", "content": {}}\n', "utf-8"
    )
    (tmp_path / "zendesk-export").mkdir()
    (tmp_path / "zendesk-export" / "users.json").write_text(
        '{"users": [{"id": 1, "role": "end-user", "name": "Ada Ashby", "email": "ada@example.org", "active": true}]}',
        "utf-8",
    )
    (tmp_path / "tool.csv").write_text("crm,id\nC1,a-customer\n", encoding="utf-8")
    (tmp_path / "customers-ids.csv").write_text("key,gladly_id\nC1,a-customer\n", encoding="utf-8")
    (tmp_path / "leavers.csv").write_text("crm_id\nC1\n", encoding="utf-8")
    (tmp_path / "bulkgladly.toml").write_text(
        '[profiles.sandbox]\nhost = "http://127.0.0.1:1"\nusername = "agent@example.org"\n'
        'token_env = "GLADLY_API_TOKEN"\n',
        encoding="utf-8",
    )
    with Inbox(tmp_path / ".bulkgladly", "https://example.org"):
        pass  # events may have been received: `inbox show` and its siblings need the file
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BROWSER", "true")  # a program that opens nothing

    def call(line: str) -> int:
        monkeypatch.setattr(sys, "argv", shlex.split(line))
        return run(QUICK)

    return call


def ending_of_newest() -> str:
    """The end of the name of the newest run, if there is one."""
    return next((run.name[-8:] for run in reversed(all_folders(".bulkgladly"))), INVENTED)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_page_has_examples(name: str) -> None:
    """Two to four of a command; a group has at least one. The emulator has a page of its own."""
    if name == "emulator":
        return

    assert (1 if name in GROUPS else 2) <= len(examples_of(name)) <= 4
    assert f"Examples:\n  {EXAMPLES[name].splitlines()[0]}" in help_page(COMMANDS[name], name, 80)


def test_no_example_is_of_a_command_that_does_not_exist() -> None:
    """And each page shows the command that it is about; the program's own page shows several."""
    assert set(EXAMPLES) == set(COMMANDS) - {"emulator"}
    assert [line for name, line in EVERY_EXAMPLE if not line.startswith(f"bulkgladly {name}".strip())] == []


@pytest.mark.parametrize(("name", "line"), EVERY_EXAMPLE, ids=[line for _, line in EVERY_EXAMPLE])
def test_examples_run(name: str, line: str, program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each against an emulator, after what it builds on, with the exit code that it should have."""
    with ExitStack() as stack:
        emulator = stack.enter_context(served(Emulator(rate=None, seed_customers=2, seed_jobs=1)))
        if "s3://" in line:
            for variable, value in environment(stack.enter_context(moto("example-lake"))).items():
                monkeypatch.setenv(variable, value)
        for variable, value in {
            "GLADLY_HOST": emulator.url,
            "GLADLY_USERNAME": emulator.options.username,
            "GLADLY_API_TOKEN": emulator.options.token,
            "BULKGLADLY_RATE": "unlimited",
            "BULKGLADLY_LISTEN_HEADER": "X-Token: example",
        }.items():
            monkeypatch.setenv(variable, value)
        Path("bulkgladly.toml").write_text(
            Path("bulkgladly.toml").read_text("utf-8").replace("http://127.0.0.1:1", emulator.url), "utf-8"
        )
        for before in (*SETUP.get(name, ()), *([BEFORE[line]] if line in BEFORE and name not in SETUP else [])):
            assert program(before) in (0, 1, 10), before

        assert program(line.replace(INVENTED, ending_of_newest())) == EXIT_CODES.get(line, 0)


@pytest.mark.parametrize("line", [line for name in sorted(ENDLESS | WORKING) for line in examples_of(name)])
def test_examples_of_commands_that_are_not_run_are_valid(line: str) -> None:
    """Their options exist, and take what they are given."""
    _, name, *words = shlex.split(line)
    if name == "runs":
        name, *words = f"runs {words[0]}", *words[1:]

    COMMANDS[name].make_context(name, words)


def test_the_examples_of_the_emulator_are_valid(capsys: pytest.CaptureFixture[str], program: Program) -> None:
    """They would run until they are stopped, so that only their arguments are read."""
    with pytest.raises(SystemExit, match="0"):
        program("bulkgladly help emulator")

    lines = [line.strip() for line in capsys.readouterr().out.splitlines() if line.startswith("  bulkgladly ")]
    assert len(lines) == 4
    for line in lines:
        options_from(shlex.split(line)[2:])


@pytest.mark.parametrize("width", [40, 80, 140])
@pytest.mark.parametrize("name", COMMANDS)
def test_pages_fit_the_terminal(name: str, width: int) -> None:
    """Texts are wrapped between words; only an example and a name with its choices may be longer."""
    page = help_page(COMMANDS[name], f"bulkgladly {name}".strip(), min(width, WIDEST), is_whole=True)
    lines = page.splitlines()

    long = [line for line in lines if len(line) > min(width, WIDEST)]
    assert [line for line in long if not re.match(r"  (bulkgladly|#|-)|Usage:", line)] == []
    assert width == 40 or not long


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"", "emulator"}))
def test_help_prints_the_same_page(name: str, program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    """`bulkgladly help runs list` is `bulkgladly runs list --help`."""
    assert program(f"bulkgladly {name} --help") == 0
    page = capsys.readouterr().out
    assert program(f"bulkgladly help {name}") == 0

    assert capsys.readouterr().out == page


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"emulator"}))
def test_a_page_fits_one_screen(name: str) -> None:
    """The bar is 60 lines of 80 columns. A page that does not fit needs an entry in `first_options`."""
    page = help_page(COMMANDS[name], f"bulkgladly {name}".strip(), 80)

    assert len(page.splitlines()) <= MOST_LINES


def test_the_page_of_the_emulator_fits_one_screen(
    program: Program, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a page of its own; `--help-all` shows every option here, too."""
    monkeypatch.setenv("COLUMNS", "80")
    pages = []
    for words in ("--help", "--help-all"):
        with pytest.raises(SystemExit, match="0"):
            program(f"bulkgladly emulator {words}")
        pages.append(capsys.readouterr().out)

    assert len(pages[0].splitlines()) <= MOST_LINES
    assert "--report-oddity" not in pages[0]
    assert all(flag in pages[1] for item in emulator_parser()._actions for flag in item.option_strings)


@pytest.mark.parametrize("name", FIRST_OPTIONS)
def test_every_option_is_one_page_away(
    name: str, program: Program, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first page has options that exist, in the order of need; the other one has all, and the variables."""
    monkeypatch.setenv("COLUMNS", "80")
    flags = [item.opts[0] for item in COMMANDS[name].params if item.opts[0].startswith("-")]
    assert program(f"bulkgladly {name} --help") == 0
    first = capsys.readouterr().out
    assert program(f"bulkgladly {name} --help-all") == 0
    whole = capsys.readouterr().out
    assert program(f"bulkgladly help --all {name}") == 0

    assert capsys.readouterr().out == whole
    assert re.findall(r"^  (--[\w-]+)", first, re.MULTILINE) == [*FIRST_OPTIONS[name], "--help-all"]
    assert f"all {len(flags)} options" in first
    assert sorted(re.findall(r"^  (--[\w-]+)", whole, re.MULTILINE)) == sorted(flags)
    assert ("Most options can also" in first, "Most options can also" in whole) == (False, True)


@pytest.mark.parametrize("name", ["follow", "listen", "inbox replay"])
def test_whoever_passes_events_on_signs_them_by_the_same_option(name: str) -> None:
    """The one that docs/sinks.md and the messages of sinks name."""
    assert "--sign-env NAME" in help_page(COMMANDS[name], f"bulkgladly {name}", 80, is_whole=True)


def test_choices_are_shown_as_choices() -> None:
    """Those of the command line itself, and those that Gladly has."""
    page = help_page(COMMANDS["import"], "bulkgladly import", 80, is_whole=True)
    fields: Mapping[str, Any] = ReportFlags.__annotations__
    aggregation, channel = (fields[name].__metadata__[0] for name in ("aggregation", "channel"))

    assert "--mode create|update|upsert|delete\n" in page
    assert "--format ndjson|csv|parquet|arrow|xlsx\n" in page
    assert aggregation.metavar.split("|") == list(AGGREGATION_LEVELS)
    assert set(re.findall(r"\w+", channel.help.partition(":")[2])) == set(CHANNELS)


def test_what_is_moved_is_called_an_object() -> None:
    """No page has the inner words, and metavars say OBJECT."""
    pages = {name: help_page(command, name, 80, is_whole=True) for name, command in COMMANDS.items()}

    found = {
        name: re.findall(r"\b(?:resource|RESOURCE|WORDS|units?|anew|manifests?)\b", page)
        for name, page in pages.items()
    }
    assert {name: words for name, words in found.items() if words} == {}
    assert all("OBJECT" in pages[name] for name in ("import", "export", "check", "schema show", "map init"))
