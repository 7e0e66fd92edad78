"""What the documents say is so: commands run, examples work, links lead somewhere, nothing is left out."""

import ast
import dataclasses
import datetime as dt
import importlib.util
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer.main

import bulkgladly
from bulkgladly import errors
from bulkgladly.checks.check_report import CHECK_COUNTS, CheckReport, Example, Finding, Severity
from bulkgladly.cli.app import COMMANDS, app
from bulkgladly.cli.examples import EXAMPLES, examples_of
from bulkgladly.cli.help_pages import argument_name
from bulkgladly.emulator import EmulatorOptions
from bulkgladly.emulator import __main__ as emulator_command
from bulkgladly.emulator.faults.fault import FAULTS
from bulkgladly.gladly.table import IMPORTS
from bulkgladly.imports.import_summary import Report
from bulkgladly.journal.results import RESULT_FILES
from bulkgladly.records import Position
from bulkgladly.runs.observer import Estimate
from bulkgladly.runs.summary import COUNT_WORDS
from bulkgladly.settings import base_url
from samples.migrate import set_go_live
from tests.contract.syntax import nodes_of
from tests.dying import Mortals

ROOT = Path(__file__).parents[2]
README, DOCS = ROOT / "README.md", ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])
SOURCES = sorted((ROOT / "bulkgladly").rglob("*.py"))
STOPPED_BY_SIGNAL = {128 + 2, 128 + 15}


class Block(NamedTuple):
    """A fenced block: its place, its language, the file that it stands for (or nothing), its text."""

    page: Path
    line: int
    language: str
    file: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks_of(page: Path, *languages: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order; of all languages where none is named."""
    found: list[str] | None = None
    info, begin = "", 0
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if not line.startswith("```"):
            if found is not None:
                found.append(line)
        elif found is None:
            found, info, begin = [], line.removeprefix("```"), number
        else:
            language, _, file = info.partition(" ")
            if not languages or language in languages:
                yield Block(page, begin, language, file, "\n".join(found) + "\n")
            found = None
    assert found is None, f"{page.name}:{begin}: the block is not closed"


def blocks(*languages: str) -> list[Block]:
    return [block for page in PAGES for block in blocks_of(page, *languages)]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


class Line(NamedTuple):
    """A command of an `sh` block, and the exit code that its comment names."""

    block: Block
    words: list[str]
    exit_code: int


def command_lines(block: Block) -> Iterator[Line]:
    for line in block.text.splitlines():
        if line.startswith("bulkgladly"):
            said = re.search(r"# exit (\d+)", line)
            yield Line(block, shlex.split(line, comments=True), int(said[1]) if said else 0)


def run_names() -> Iterator[list[str]]:
    """The commands in documents and examples that name a run which has ended, up to its name."""
    lines = [line.words for block in blocks("sh", "console") for line in command_lines(block)]
    lines += [shlex.split(line, comments=True) for name in EXAMPLES for line in examples_of(name)]
    for words in lines:
        verb = 3 if words[1:2] == ["runs"] else 2
        is_named = words[1] in ("undo", "retry") or words[1:3] in (["runs", "show"], ["runs", "open"])
        # These take something else, too: the files of an object, the newest import.
        is_named |= words[1] == "verify" and (len(words) == 3 or words[3].startswith("-"))
        is_named |= words[1] == "explain" and len(words) > 3 and not words[3].startswith("-")
        if is_named and len(words) > verb and not words[verb].startswith("-"):
            yield words[: verb + 1]


NAMED = list(run_names())


@cache
def texts_in_the_code() -> tuple[str, ...]:
    """Every text in the source; what is filled in stands as NUL."""
    found: list[str] = []
    for path in SOURCES:
        found += [node.value for node in nodes_of(path, ast.Constant) if isinstance(node.value, str)]
        for node in nodes_of(path, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "\0" for part in node.values]
            found.append("".join(map(str, parts)))
    return tuple(found)


@pytest.fixture(scope="module")
def organisation() -> Iterator[dict[str, str]]:
    """An emulator in a process of its own, as the environment that leads to it."""
    command = [sys.executable, "-m", "bulkgladly", "emulator", "--port", "0", "--rate", "1000"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            url = next(found[0] for line in process.stderr if (found := re.search(r"http://[0-9.]+:\d+", line)))
            yield {"GLADLY_HOST": url, "GLADLY_USERNAME": "agent@example.org", "GLADLY_API_TOKEN": "emulator-token"}
        finally:
            process.terminate()


@pytest.fixture
def environment(organisation: dict[str, str]) -> dict[str, str]:
    """The environment of a user who has set nothing but the credentials; the pace is left out for speed."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("GLADLY_", "BULKGLADLY_"))}
    return {**own, **organisation, "BULKGLADLY_RATE": "unlimited", "BULKGLADLY_RESERVE": "0"}


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with the files that the README shows."""
    write_files_of(README, tmp_path)
    return tmp_path


def write_files_of(page: Path, folder: Path) -> None:
    """Write the files that a page shows."""
    for block in blocks_of(page):
        if block.file:
            (folder / block.file).write_text(block.text, encoding="utf-8")


@cache
def whole_program() -> Any:
    """The program with all its commands; to build it takes longer than most of these tests, and none changes it."""
    return typer.main.get_command(app)


@cache
def all_commands() -> tuple[tuple[str, Any], ...]:
    """Every command of the program with its full name."""

    def walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
        yield name, command
        for part, member in getattr(command, "commands", {}).items():
            yield from walk(f"{name} {part}", member)

    return tuple(walk("bulkgladly", whole_program()))


# Commands and flags


@pytest.mark.parametrize(
    ("page", "maker"),
    [
        ("commands.md", "make_reference"),
        ("objects.md", "make_objects"),
        ("columns.md", "make_columns"),
        ("architecture.md", "make_rooms"),
    ],
)
def test_the_generated_pages_are_up_to_date(page: str, maker: str) -> None:
    """They say what the program says; `python docs/make_reference.py` and the other scripts write them."""
    spec = importlib.util.spec_from_file_location(maker, DOCS / f"{maker}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    assert read(f"docs/{page}") == module.reference()


@pytest.mark.parametrize(("name", "command"), all_commands(), ids=lambda value: value if type(value) is str else "")
def test_every_command_and_flag_is_documented(name: str, command: Any) -> None:
    """Each has its section in the reference, with its flags, their variables and its arguments."""
    head, _, rest = read("docs/commands.md").partition(f"\n## `{name}`\n")
    section = rest.partition("\n## ")[0]

    assert head
    assert section
    for item in command.params:
        names = item.opts if item.opts[0].startswith("-") else [argument_name(item)]
        for text in (*names, *([item.envvar] if getattr(item, "envvar", None) else [])):
            assert f"`{text}`" in section, f"{name}: {text}"


def test_every_option_of_the_emulator_is_explained() -> None:
    """Flags, fields, faults and control endpoints stand in docs/emulator.md, the flags in the reference too."""
    page, reference = read("docs/emulator.md"), read("docs/commands.md")
    actions = emulator_command._parser()._actions
    flags = [flag for item in actions for flag in item.option_strings if flag not in ("-h", "--help", "--help-all")]
    fields = [field.name for field in dataclasses.fields(EmulatorOptions)]

    assert [flag for flag in flags if f"`{flag}`" not in page or f"`{flag}`" not in reference] == []
    assert [name for name in (*fields, *FAULTS) if f"`{name}`" not in page] == []
    doors = re.findall(r"^(GET|POST) +(/_emulator/\w+)", read("bulkgladly/emulator/server/control.py"), re.MULTILINE)
    assert doors
    assert [door for door in doors if f"`{' '.join(door)}`" not in page] == []


@pytest.mark.parametrize(
    "line", [line for block in blocks("sh") for line in command_lines(block)], ids=lambda line: " ".join(line.words[:3])
)
def test_commands_in_the_documents_exist(line: Line) -> None:
    """Every command in an `sh` block is one that the program understands: names, arguments, flags."""
    command = whole_program()
    words = line.words[1:]
    if words[:1] == ["--config"]:  # the program's own flag, before the command
        words = words[2:]
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]

    assert getattr(command, "invoke_without_command", True), f"{line.block}: {line.words}"
    command.make_context("documented", words)


@pytest.mark.parametrize("words", NAMED, ids=" ".join)
def test_no_document_names_a_run_by_what_the_next_run_will_have_as_well(words: list[str]) -> None:
    """Such a command works once: with two runs of customers, `undo customers-upsert` fits both. An end fits one."""
    objects, modes = "|".join(IMPORTS), "create|update|upsert|delete|undo|verify|export"
    assert not re.fullmatch(rf"({objects})(-({modes}))?|\w+-export", words[-1])


def run_in_order(page: Path, desk: Path, environment: dict[str, str], mortals: Mortals) -> int:
    """Run the commands of a page in one folder, and return how many there are.

    Each has to end with the exit code that the page names.
    """
    lines = [line for block in blocks_of(page, "sh") for line in command_lines(block)]
    for line in lines:
        assert line.words[0] == "bulkgladly"
        done = mortals.run(*line.words[1:], environment=environment, folder=desk, within_s=50)
        assert done.status == line.exit_code, f"{' '.join(line.words)}\n{done.output}{done.errors}"
    return len(lines)


def test_the_readme_commands_do_what_they_say(desk: Path, environment: dict[str, str], mortals: Mortals) -> None:
    """They run in order, in one folder, and end with the exit codes that the README names."""
    assert run_in_order(README, desk, environment, mortals) >= 6

    runs = [json.loads(path.read_bytes()) for path in sorted(desk.glob(".bulkgladly/runs/*/report.json"))]
    counts = [run["counts"] for run in runs if run["run"].startswith(("customers-upsert", "customers-apply"))]
    # Eight, and the one of the plan.
    assert sum(count["created"] for count in counts) == 9
    # The migration writes back what the plan has changed.
    assert sum(count["unchanged"] for count in counts) == 7
    assert sum(count["updated"] for count in counts) == 2
    # Two runs of one second have no order by name.
    assert sorted(run["counts"]["created"] for run in runs if run["resource"] == "tasks") == [0, 2]


def test_the_commands_of_the_mapping_page_do_what_they_say(
    tmp_path: Path, environment: dict[str, str], mortals: Mortals
) -> None:
    """With the files that the page shows; its mappings bring in the customers and what was said with them."""
    write_files_of(DOCS / "mapping.md", tmp_path)

    assert run_in_order(DOCS / "mapping.md", tmp_path, environment, mortals) >= 8

    reports = [json.loads(path.read_bytes()) for path in tmp_path.glob(".bulkgladly/runs/*/report.json")]
    made = {report["resource"]: report["counts"]["created"] for report in reports}
    assert made == {"customers": 3, "activities": 2}


def test_the_commands_of_the_guide_do_what_they_say(
    tmp_path: Path, environment: dict[str, str], mortals: Mortals
) -> None:
    """With the sample that it speaks of, copied and adapted as it says."""
    desk = shutil.copytree(ROOT / "samples" / "zendesk", tmp_path / "migration")
    set_go_live(desk, dt.datetime.now(dt.UTC).date())

    assert run_in_order(DOCS / "migrate-from-zendesk.md", desk, environment, mortals) >= 10

    reports = [json.loads(path.read_bytes()) for path in desk.glob(".bulkgladly/runs/*/report.json")]
    made = Counter({report["resource"]: 0 for report in reports})
    for report in reports:
        made[report["resource"]] += report["counts"]["created"]
    assert set(made) == {"customers", "activities", "tasks"}
    assert all(made.values())


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_examples_run(
    block: Block, desk: Path, organisation: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is a whole program that works as it stands."""
    script = desk / "example.py"
    script.write_text(block.text, encoding="utf-8")
    monkeypatch.chdir(desk)
    for name, value in organisation.items():
        monkeypatch.setenv(name, value)

    runpy.run_path(str(script), run_name="__main__")


# Exit codes, codes, fields, names


@pytest.mark.parametrize("page", ["README.md", "docs/runs.md"])
def test_every_exit_code_is_documented(page: str) -> None:
    """Those of all errors, of ends without an error, and of the two signals; and no others."""
    raised = {getattr(errors, name).exit_code for name in errors.__all__}
    section = read(page).partition("## Exit codes")[2].partition("\n## ")[0]
    told = {int(code) for row in re.findall(r"^\| ([0-9, ]+) \|", section, re.MULTILINE) for code in row.split(",")}

    assert told == raised | {0, 1, 3, 6, 10} | STOPPED_BY_SIGNAL


def codes_given(call: ast.Call) -> Iterator[str]:
    """The codes that a call in the program gives to a row: as its first argument, or by name."""
    makers = {"Problem", "ContactProblem", "FieldProblem", "CellError", "of", "_problem"}
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    given = list(call.args[:1]) if name in makers else []
    if name in {*makers, "Unmappable", "Outcome"}:
        given += [keyword.value for keyword in call.keywords if keyword.arg == "code"]
    yield from (one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str))


def test_every_reject_code_is_documented() -> None:
    """Whatever code the program can give a row stands in docs/runs.md, and nothing else does."""
    given: set[str] = {"no_answer", "unsettled"}
    for path in SOURCES:
        if "emulator" not in path.parts:
            given.update(code for call in nodes_of(path, ast.Call) for code in codes_given(call))
    table = read("docs/runs.md").partition("| code | what to do |")[2].partition("\n\n")[0]
    told = {code for row in table.splitlines() for code in re.findall(r"`(\w+)`", row.split("|")[1] if row else "")}

    assert told - set(texts_in_the_code()) == set()
    assert given - told == set()


def test_every_field_of_a_run_is_documented() -> None:
    """Report fields, counts, files and journal tables stand in docs/runs.md."""
    page = read("docs/runs.md")
    tables = re.findall(r"CREATE TABLE IF NOT EXISTS (\w+) ", read("bulkgladly/journal/schema.py"))
    fields = [field.name for field in dataclasses.fields(Report)]
    assert tables
    assert [
        name for name in (*fields, "invariant_holds", *COUNT_WORDS, *RESULT_FILES, *tables) if f"`{name}`" not in page
    ] == []


def test_every_field_of_a_check_is_documented() -> None:
    """What `check --json` prints stands in docs/runs.md."""
    section = read("docs/runs.md").partition("### `CheckReport`")[2].partition("\n### ")[0]
    finding = Finding(Severity.REFUSED, "code", None, "fix")
    finding.examples.append(Example(Position(0, 0, 1), None, "detail", "value", "place"))
    estimates = {"create": Estimate(1, True, 1, 2, 9.0)}
    report = CheckReport("tasks", "create", (), {}, [finding], {}, estimates, 1.0).as_dict()
    told = {*report, *CHECK_COUNTS, *report["estimates"]["create"]}
    told |= {*report["findings"][0], *report["findings"][0]["examples"][0]}

    assert [name for name in told if f"`{name}`" not in section] == []


def test_every_public_name_is_documented() -> None:
    """docs/python.md lists what the package promises."""
    page = read("docs/python.md")

    assert [name for name in bulkgladly.__all__ if f"`{name}`" not in page] == []


# What is quoted, linked and pointed at


@pytest.mark.parametrize("block", list(blocks_of(DOCS / "troubleshooting.md", "text")), ids=str)
def test_quoted_messages_exist(block: Block) -> None:
    """Every part of a quoted message, between the marks of what differs, is a text of the program."""
    parts = [part.strip(" :;") for line in block.text.splitlines() for part in line.split("…")]

    assert [part for part in parts if part and not any(part in text for text in texts_in_the_code())] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Files exist, and so do the headings that links name."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith(("https://", "http://")):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(file), f"{page.name}: {target}"


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_pointed_at_exists(page: Path) -> None:
    """Paths of the project, benchmarks and make targets that a page names."""
    text = page.read_text(encoding="utf-8")
    rooms = "|".join(path.parent.name for path in (ROOT / "bulkgladly").glob("*/__init__.py"))
    paths = re.findall(rf"`((?:tests|docs|benchmarks|samples|bulkgladly|{rooms})/[\w./*]*)`", text)
    paths = [path for path in paths if not path.startswith("lake/") or path.endswith(".py")]  # also a data set's name
    paths += [f"benchmarks/{name}.py" for name in re.findall(r"python -m benchmarks\.(\w+)", text)]
    paths += re.findall(r"python ((?:benchmarks|docs|samples)/\w+\.py)", text)
    targets = set(re.findall(r"^(\w+):", read("Makefile"), re.MULTILINE))

    assert [path for path in paths if not any([*ROOT.glob(path), *(ROOT / "bulkgladly").glob(path)])] == []
    assert set(re.findall(r"`(?:\$ )?make (\w+)`", text)) - targets == set()


def test_the_architecture_names_classes_and_rooms_that_exist() -> None:
    """A class that is renamed, or a room that is moved, is renamed there as well."""
    page = prose(DOCS / "architecture.md")
    classes = {node.name for path in SOURCES for node in nodes_of(path, ast.ClassDef)}
    rooms = {path.parent.name for path in (ROOT / "bulkgladly").glob("*/__init__.py")}

    assert set(re.findall(r"`([A-Z]\w*[a-z]\w*)`", page)) - classes == set()
    assert rooms - set(re.findall(r"`(\w+)`", page)) == set()


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_json_blocks_are_json(block: Block) -> None:
    """As a whole, or for NDJSON line by line."""
    for part in block.text.splitlines() if block.file.endswith(".ndjson") else [block.text]:
        json.loads(part)


@pytest.mark.parametrize("block", [block for block in blocks("toml") if not block.file], ids=str)
def test_settings_files_name_real_flags(block: Block) -> None:
    """A name that is no flag would be passed over without a word; hosts must be such as we take."""
    found = tomllib.loads(block.text)
    flags = {name: {item.name for item in dict(all_commands())[f"bulkgladly {name}"].params} for name in COMMANDS}
    profiles = found.pop("profiles", {})

    for name, value in found.items():
        if isinstance(value, dict):
            assert set(value) <= flags[name]
        else:
            assert any(name in known for known in flags.values())
    for profile in profiles.values():
        assert set(profile) - {"host", "username"} <= {"token_env", "token_file", "token_command", "token_keyring"}
        assert base_url(profile["host"])


@pytest.mark.parametrize("page", ["README.md", "docs/importing.md", "docs/mapping.md", "docs/migrate-from-zendesk.md"])
def test_pages_for_newcomers_use_no_inner_words(page: str) -> None:
    """What only people who change the code need to know has its words there."""
    inner = r"\b(units?|lanes?|frontier|doors?|rooms|settle[ds]?|crosswalk(?!\.md)|anew|twins?)\b"

    assert re.findall(inner, re.sub(r"`[^`]*`", "", prose(ROOT / page)), re.IGNORECASE) == []


def test_nothing_is_said_about_where_it_was_made() -> None:
    """No paths of one machine, and no empty pages."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert len(text) > 500, page.name
        assert not re.search(r"/(home|work|root|tmp|Users)/", text), page.name
