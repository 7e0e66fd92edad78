"""Imports point downwards only, and each foreign library stays behind its own door."""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.contract.syntax import imported_in, nodes_of, tree_of

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "bulkgladly"

WORDS = (
    "choices",
    "commands",
    "csv_records",
    "documents",
    "errors",
    "json_paths",
    "json_slices",
    "judging",
    "lines",
    "local_paths",
    "messages",
    "operations",
    "placeholders",
    "plain_numbers",
    "plain_words",
    "rate_schedule",
    "records",
    "settings",
    "shown",
    "source_keys",
    "strict_json",
    "times",
    "token_sources",
    "_version",
)
DOORS = ("storage", "gladly", "api", "budget", "files", "journal", "lake", "mapping")
LEVELS: Mapping[str, int] = {
    **dict.fromkeys(WORDS, 0),
    "storage": 1,
    "gladly": 1,
    "api": 2,
    "budget": 2,
    "files": 2,
    "journal": 2,
    "lake": 2,
    "stores": 2,
    "mirrors": 3,
    "mapping": 2,
    "databases": 3,
    "pages": 3,
    "runs": 4,
    "builds": 4,
    "presets": 4,
    "inbox": 4,
    "notices": 5,
    "imports": 5,
    "exports": 5,
    "checks": 6,
    "plans": 6,
    "undo": 6,
    "crosswalk": 6,
    "verification": 7,
    "explanations": 8,
    "resume": 8,
    "realtime": 8,
    "projects": 8,
    "cli": 9,
}
VERBS = ("plans", "undo", "crosswalk", "verification", "explanations")
MAY_IMPORT: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(WORDS, frozenset(WORDS)),
    "storage": frozenset(WORDS),
    "gladly": frozenset(WORDS),
    **dict.fromkeys(("api", "mapping"), frozenset(WORDS)),
    **dict.fromkeys(("budget", "files", "journal"), frozenset({*WORDS, "storage"})),
    "lake": frozenset({*WORDS, "storage", "gladly"}),
    "stores": frozenset({*WORDS, "storage"}),
    "mirrors": frozenset({*WORDS, "storage", "stores", "lake"}),
    "databases": frozenset({*WORDS, "storage", "gladly", "lake"}),
    # The inbox is written as a journal is, by the same one thread, and knows the envelope of an event.
    "inbox": frozenset({*WORDS, "storage", "gladly", "journal"}),
    "pages": frozenset({*WORDS, "storage", "journal"}),
    # What is built from a data set needs no run: it sends nothing.
    "builds": frozenset({*WORDS, "storage", "gladly", "lake", "mapping", "pages"}),
    "runs": frozenset({*WORDS, "storage", "api", "budget", "journal", "pages"}),
    "presets": frozenset({*WORDS, "storage", "files", "mapping"}),
    # `check` looks at rows as an import does before it sends them, with the functions of the import.
    "imports": frozenset({*WORDS, *DOORS, "runs", "emulator"}),
    "exports": frozenset({*WORDS, *DOORS, "runs"}),
    "checks": frozenset({*WORDS, *DOORS, "runs", "imports"}),
    **dict.fromkeys(("plans", "undo", "crosswalk"), frozenset({*WORDS, *DOORS, "runs", "imports"})),
    "verification": frozenset({*WORDS, *DOORS, "runs", "imports", "plans"}),
    "explanations": frozenset(
        {*WORDS, *DOORS, "runs", "imports", "plans", "undo", "verification", "crosswalk"},
    ),
    "resume": frozenset({*WORDS, "journal", "runs", "imports", "exports", *VERBS[:-1]}),
    "projects": frozenset({*WORDS, *DOORS, "runs", "imports", "checks"}),
    "live": frozenset(WORDS),
    "sinks": frozenset({*WORDS, "storage", "gladly", "api", "mapping", "inbox", "runs"}),
    "notices": frozenset({*WORDS, "storage", "runs"}),
    "webhooks": frozenset({*WORDS, "storage", "gladly", "api", "inbox", "runs"}),
    "workflows": frozenset({*WORDS, *DOORS, "inbox", "runs", "imports", "sinks"}),
    "realtime": frozenset({*WORDS, *DOORS, "inbox", "runs", "exports", "live", "sinks", "webhooks", "workflows"}),
    "cli": frozenset(
        {
            *(*WORDS, *DOORS, "inbox", "runs", "imports", "exports", "checks", *VERBS, "resume", "emulator"),
            *(
                "stores",
                "builds",
                "databases",
                "notices",
                "mirrors",
                "live",
                "sinks",
                "webhooks",
                "workflows",
                "realtime",
                "presets",
                "projects",
                "pages",
            ),
        }
    ),
    "emulator": frozenset(),
}
WORDS_MAY_USE = {"orjson"}

EMULATOR_MAY_IMPORT: Mapping[str, frozenset[str]] = {
    "organisation": frozenset(),
    "options": frozenset({"organisation"}),
    "protocol": frozenset({"organisation", "options"}),
    "faults": frozenset({"options", "protocol"}),
    "reports": frozenset({"organisation", "options", "protocol"}),
    "operations": frozenset({"organisation", "protocol", "reports"}),
    "application": frozenset({"organisation", "operations"}),
    "seeding": frozenset({"organisation", "operations"}),
    "exports": frozenset({"organisation", "seeding"}),
    "deliveries": frozenset({"organisation", "options", "protocol", "operations"}),
    "traffic": frozenset({"organisation", "operations", "application", "seeding"}),
    "server": frozenset({"organisation", "options", "protocol", "faults"}),
}
"""The folders of the emulator, and the modules beside them, in the order of their layers.

What is not in it, the emulator as an object and as a command, may import all of them.
"""
EMULATOR_TOP = frozenset({"", "__main__", "emulator"})

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def code_of(module: str) -> ast.Module:
    """The code of a module; read when a test asks, since each worker imports this file and one runs it."""
    return tree_of(MODULES[module])


def room_of(module: str) -> str:
    """The part of the package a module lies in: `transport`, `errors`, or nothing for the root."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


@cache
def imports_of(tree: ast.AST) -> tuple[str, ...]:
    """Every module that a module imports, anywhere in it."""
    return tuple(_imports_of(tree))


def _imports_of(tree: ast.AST) -> Iterator[str]:
    for node in imported_in(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            assert node.level == 0, f"line {node.lineno}: a relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in MODULES else node.module or ""


def loaded_imports(tree: ast.Module) -> set[str]:
    """What is imported when the module itself is: neither in functions nor for types alone."""
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    nodes = [*tree.body, *(node for each in classes for node in each.body)]
    return {
        name
        for node in nodes
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.If)
        for name in imports_of(node)
    }


def own_imports(tree: ast.AST) -> set[str]:
    return {name for name in imports_of(tree) if name.split(".")[0] == "bulkgladly"}


@cache
def names_used(module: str) -> frozenset[str]:
    path = MODULES[module]
    loaded = {node.id for node in nodes_of(path, ast.Name)}
    return frozenset(loaded | {node.attr for node in nodes_of(path, ast.Attribute)})


def classes_in(modules: Iterable[str]) -> list[str]:
    """The names of the classes of some modules."""
    return [node.name for module in modules for node in nodes_of(MODULES[module], ast.ClassDef)]


ORDINARY = [name for name in MODULES if name not in ("bulkgladly", "bulkgladly.__main__")]


def test_imports_point_downwards() -> None:
    """A room imports itself and what lies below it; doors never import each other.

    All in one test: each worker that had one of many would read all modules again.
    """
    wrong = {
        f"{module} must not import {name}"
        for module in ORDINARY
        for name in own_imports(code_of(module))
        if room_of(name) not in (room_of(module), *MAY_IMPORT[room_of(module)]) or name == "bulkgladly"
    }

    assert wrong == set()


def test_the_root_only_points_at_public_names_when_it_is_loaded() -> None:
    """`import bulkgladly` costs nothing: everything but the version is looked up when first used."""
    loaded = {name for name in loaded_imports(code_of("bulkgladly")) if name.startswith("bulkgladly")}

    assert loaded == {"bulkgladly._version"}


EMULATOR = [name for name in MODULES if room_of(name) == "emulator"]


def emulator_part_of(module: str) -> str:
    """The folder of the emulator in which a module lies, or the module itself beside the folders."""
    return ".".join(module.split(".")[2:3])


def test_the_emulator_has_layers_of_its_own() -> None:
    """A folder of the emulator imports itself and what the table allows; the two top modules import all."""
    for module in EMULATOR:
        part = emulator_part_of(module)
        found = {emulator_part_of(name) for name in own_imports(code_of(module))}

        allowed = {*EMULATOR_MAY_IMPORT, "emulator"} if part in EMULATOR_TOP else {part, *EMULATOR_MAY_IMPORT[part]}

        assert found <= allowed, f"{module} must not import {sorted(found - allowed)}"


def test_every_part_of_the_emulator_has_its_place() -> None:
    """A new folder must be put between those above and those below it: the table names only what stands before."""
    order = list(EMULATOR_MAY_IMPORT)

    assert {emulator_part_of(name) for name in EMULATOR} == {*order, *EMULATOR_TOP}
    assert all(allowed <= set(order[: order.index(part)]) for part, allowed in EMULATOR_MAY_IMPORT.items())


def test_no_name_stands_twice_in_the_emulator() -> None:
    """Neither two modules nor two classes have one name, so that each can be found by it."""
    modules = [name.split(".")[-1] for name in EMULATOR if not MODULES[name].name.startswith("__")]
    classes = [name.lstrip("_") for name in classes_in(EMULATOR)]

    assert sorted(modules) == sorted(set(modules))
    assert sorted(classes) == sorted(set(classes))


CORE = [name for name in MODULES if room_of(name) != "emulator" and not MODULES[name].name.startswith("__")]


def test_no_class_of_the_core_has_the_name_of_another() -> None:
    """A name leads to one place; what is private to two modules is confused in tracebacks all the same."""
    classes = Counter(classes_in(CORE))

    assert [name for name, times in classes.items() if times > 1] == []


def test_no_file_of_the_core_has_the_name_of_another() -> None:
    """A file name alone leads to one place."""
    files = Counter(name.split(".")[-1] for name in CORE)

    assert [name for name, times in files.items() if times > 1] == []


@pytest.mark.parametrize("room", sorted({room_of(name) for name in CORE if name.count(".") == 2} - {"lake"}))
def test_the_head_of_a_room_says_where_to_begin(room: str) -> None:
    """It names each of its modules, and none that is gone; `lake` has a picture of its own, which is read below."""
    head = ast.get_docstring(code_of(f"bulkgladly.{room}")) or ""
    modules = {name.split(".")[2] for name in MODULES if re.fullmatch(rf"bulkgladly\.{room}\.\w+", name)}

    assert set(re.findall(r"`(\w+)`", head)) == modules - {"__init__"}


def test_every_room_has_its_place() -> None:
    """A new room must be given a level before it can be imported."""
    rooms = {room_of(name) for name in ORDINARY}

    assert rooms == set(MAY_IMPORT)


def test_the_levels_agree_with_the_arrows() -> None:
    """The table of this test is itself without an arrow that points up or sideways."""
    wrong = [
        (room, below)
        for room, allowed in MAY_IMPORT.items()
        for below in allowed
        if room in LEVELS and below in LEVELS and LEVELS[below] >= LEVELS[room] > 0
    ]

    assert not wrong


def test_no_module_imports_itself_by_a_detour() -> None:
    """No cycles among the imports that run when a module is loaded."""
    left = {name: loaded_imports(code_of(name)) & set(MODULES) - {name} for name in MODULES}

    while free := [name for name, targets in left.items() if not targets & set(left)]:
        for name in free:
            del left[name]

    assert not left, f"these import each other in a circle: {sorted(left)}"


def floors_of_the_lake() -> dict[str, int]:
    """Module to floor, as the picture at the head of the package has it; a line without a number continues one."""
    head = ast.get_docstring(code_of("bulkgladly.lake")) or ""
    picture = head[head.index("the folder    ") :].splitlines()[1:]
    floors: dict[str, int] = {}
    floor = 0
    for number, *names in (re.match(r"\s*(\d?)(.*)", line).groups() for line in picture):  # type: ignore[union-attr]
        floor = int(number or floor)
        floors |= dict.fromkeys(names[0].split(), floor)
    return floors


def test_the_lake_is_built_as_it_is_drawn() -> None:
    """Each of its modules stands in the picture, and uses only floors below its own."""
    floors = floors_of_the_lake()
    prefix = "bulkgladly.lake."
    modules = {name for name in MODULES if name.startswith(prefix)}

    assert {name.removeprefix(prefix).split(".")[0] for name in modules} == set(floors)
    wrong = [
        (user, used)
        for user, used in (
            (name.split(".")[2], found.split(".")[2])
            for name in modules
            for found in own_imports(code_of(name))
            if found.startswith(prefix)
        )
        if user != used and floors[used] >= floors[user]
    ]
    assert not wrong


@pytest.mark.parametrize("word", WORDS)
def test_words_drag_nothing_in(word: str) -> None:
    """The nouns that everybody shares need the standard library and orjson only."""
    foreign = {
        name.split(".")[0]
        for name in imports_of(code_of(f"bulkgladly.{word}"))
        if name.split(".")[0] not in {*sys.stdlib_module_names, "bulkgladly", "keyring", *WORDS_MAY_USE}
    }

    assert not foreign


@pytest.mark.parametrize(
    ("library", "homes"),
    [
        # One speaks to Gladly, with its credentials; two to services of the user's, with none; the rest receive.
        (
            "aiohttp",
            {
                "bulkgladly.api.wire",
                "bulkgladly.webhooks.http_connections",
                "bulkgladly.sinks.https_sink",
                "bulkgladly.notices.ping",
                "bulkgladly.live.live_routes",
                "bulkgladly.webhooks.webhook_server",
            },
        ),
        (
            "pyarrow",
            {
                "bulkgladly.files.columnar_files",
                "bulkgladly.files.columnar_rows",
                "bulkgladly.lake",
                "bulkgladly.verification.verify_table",
            },
        ),
        ("psycopg", {"bulkgladly.databases.postgresql_database"}),
        ("duckdb", {"bulkgladly.databases.duckdb_database"}),
        ("openpyxl", {"bulkgladly.files.sheet_files"}),
        (
            "obstore",
            {"bulkgladly.stores.bucket", "bulkgladly.stores.store_opening", "bulkgladly.stores.store_failures"},
        ),
        ("nh3", {"bulkgladly.mapping.html"}),
        ("apprise", {"bulkgladly.notices.chat_notices"}),
        ("prometheus_client", {"bulkgladly.notices.metric_outlets"}),
        ("jinja2", {"bulkgladly.pages.page_template"}),
        ("webbrowser", {"bulkgladly.cli.open_command"}),
        (
            "jmespath",
            {
                "bulkgladly.mapping.row_values",
                "bulkgladly.mapping.read_paths",
                "bulkgladly.workflows.event_expressions",
            },
        ),
        ("difflib", {"bulkgladly.choices"}),
        ("fcntl", {"bulkgladly.storage.lock"}),
        ("fsync", {"bulkgladly.storage.durable", "bulkgladly.runs.diagnosis"}),
    ],
)
def test_a_library_stays_behind_its_door(library: str, homes: set[str]) -> None:
    """One module, or the room that is all about it, knows the library: its errors become ours in one place."""
    users = {
        name
        for name in MODULES
        if room_of(name) != "emulator"
        and (library in names_used(name) or any(found.split(".")[0] == library for found in imports_of(code_of(name))))
    }

    assert {"bulkgladly.lake" if room_of(name) == "lake" else name for name in users} == homes


def is_printing(node: ast.Attribute) -> bool:
    if node.attr in ("echo", "secho", "echo_via_pager"):
        return True
    is_stream = node.attr in ("stdout", "stderr", "stdin")
    return is_stream and isinstance(node.value, ast.Name) and node.value.id == "sys"


def test_text_leaves_the_program_in_one_place() -> None:
    """What comes from outside is made harmless there, so no module may print by itself."""
    homes = {"bulkgladly.cli.output", "bulkgladly.cli.streams", "bulkgladly.cli.display"}
    printers = {
        name
        for name, path in MODULES.items()
        if room_of(name) != "emulator"
        and (
            any(is_printing(node) for node in nodes_of(path, ast.Attribute))
            or any(node.id == "print" for node in nodes_of(path, ast.Name))
        )
    }

    assert printers == homes


def test_task_groups_are_opened_in_one_module() -> None:
    """Whoever starts tasks must know how they stop: that is `stages` alone."""
    starters = {"create_task_group", "TaskGroup", "create_task", "ensure_future", "gather"}

    users = {name for name in MODULES if room_of(name) != "emulator" and starters & names_used(name)}

    assert users == {"bulkgladly.runs.stages"}


@pytest.mark.parametrize("module", [name for name in ORDINARY if room_of(name) == "gladly"])
def test_knowledge_waits_for_nothing_and_opens_nothing(module: str) -> None:
    """What Gladly looks like is data and pure functions, so that its tests are tables."""
    kinds: tuple[type[ast.AST], ...] = (ast.Await, ast.AsyncFunctionDef, ast.AsyncWith)
    waiting = [node for kind in kinds for node in nodes_of(MODULES[module], kind)]
    opened = names_used(module) & {"open", "read_text", "read_bytes", "socket", "print", "sleep", "time"}
    doors = {name.split(".")[0] for name in imports_of(code_of(module))} & {
        "asyncio",
        "anyio",
        "os",
        "pathlib",
        "time",
        "random",
    }

    assert not waiting
    assert not opened | doors


def test_heavy_libraries_are_not_loaded_with_the_command_line() -> None:
    """`--help` answers quickly: no module of the cli loads what runs or a door when it is imported."""
    light = {*WORDS, "storage", "cli"}
    for name in (name for name in ORDINARY if room_of(name) == "cli" and name != "bulkgladly.cli.display"):
        early = loaded_imports(code_of(name))

        assert {room_of(found) for found in early if found.startswith("bulkgladly")} <= light, name
        assert not {found.split(".")[0] for found in early} & {"aiohttp", "pyarrow", "anyio", "phonenumbers"}, name


def test_only_a_rehearsal_needs_the_emulator() -> None:
    """It stands apart: what goes to Gladly does not know that it exists."""
    rooms = ("imports", "exports", "checks", "resume", "projects")
    users = {name for name in ORDINARY if room_of(name) in rooms and "bulkgladly.emulator" in imports_of(code_of(name))}

    assert users == {"bulkgladly.imports.rehearsal"}
