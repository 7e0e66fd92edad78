"""The project file: what it may say, and what is refused with the place and the fix."""

import dataclasses
from dataclasses import replace
from pathlib import Path

import pytest

from bulkgladly.cli.row_flags import ImportFlags
from bulkgladly.errors import UsageError
from bulkgladly.mapping.read_paths import paths_read
from bulkgladly.projects.project_file import Project, parse_project
from bulkgladly.projects.project_report import WORST_FIRST, ProjectReport, worst_exit_code
from bulkgladly.projects.step_report import StepReport

STEP = '[[steps]]\nimport = "customers"\nfiles = "users.ndjson"\n'
TASKS = '[[steps]]\nimport = "tasks"\nfiles = "tickets.ndjson"\n'


def parsed(text: str) -> Project:
    return parse_project(f"version = 1\n{text}", Path("move/migrate.toml"))


def test_paths_are_relative_to_the_folder_of_the_file() -> None:
    """So that a project can be run from anywhere; absolute ones stay as they are."""
    project = parsed(
        'name = "A to B"\n[vars]\ngo_live = "2026-12-01"\n[[steps]]\nimport = "customers"\n'
        'files = ["users*.ndjson", "/data/more.csv"]\nmap = "maps/customers.toml"\noptional = true\n'
    )

    (step,) = project.steps
    assert (project.name, project.vars) == ("A to B", {"go_live": "2026-12-01"})
    assert step.files == ("move/users*.ndjson", "/data/more.csv")
    assert step.map == Path("move/maps/customers.toml")
    assert (step.name, step.is_optional, step.namespace) == ("customers", True, "default")


def test_options_of_a_step_go_before_the_defaults() -> None:
    """They are named as the flags of `import`, with underscores."""
    project = parsed(
        f'[defaults]\nphone_region = "US"\nnamespace = "zendesk"\nread_first = true\n{STEP}'
        f'{TASKS}phone_region = "GB"\nignore_columns = ["url"]\nread_first = false\n'
    )

    customers, tasks = project.steps
    assert customers.settings == {"phone_region": "US", "namespace": "zendesk", "read_first": True}
    assert tasks.settings == {
        "phone_region": "GB",
        "namespace": "zendesk",
        "read_first": False,
        "ignore_columns": ("url",),
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("steps = []", 'steps: are missing; add one with [[steps]], import = "customers"'),
        (f"nmae = 'x'\n{STEP}", "nmae: is not a known option; did you mean name?"),
        (f'{STEP}fles = "x"', '[steps "customers"] fles: is not a known option; did you mean files?'),
        (f"{STEP}phone_regoin = 'US'", '[steps "customers"] phone_regoin: is not a known option; did you mean phone_'),
        (f"[defaults]\nnul = 'keep'\n{STEP}", "[defaults] nul: is not a known option; did you mean null?"),
        (f"{STEP}on_conflict = 'mrge'", "on_conflict: 'mrge' is not supported; choose quarantine, skip, update or"),
        ('[[steps]]\nimport = "custmers"\nfiles = "x"', "import: unknown object 'custmers'; did you mean 'customers'?"),
        ('[[steps]]\nimport = "customers"', '[steps "customers"] files: is missing; name the input'),
        ('[[steps]]\nimport = "customers"\nfiles = "-"', "files: cannot be - (the standard input)"),
        (f"{STEP}{STEP}", 'name: two steps import customers; give this step a name of its own, such as name = "cust'),
        (f"{STEP}{TASKS}after = ['custmers']", "after: 'custmers' is not a step before this one; did you mean 'cust"),
        (f"{TASKS}after = ['customers']\n{STEP}", "after: 'customers' is not a step before this one; there is none"),
        (f"{STEP}rate = 5", "rate: is not an option of a step; pass --rate to `bulkgladly migrate run`"),
        (f"{STEP}mode = 'delete'", 'mode: cannot be "delete", which cannot be undone; use `bulkgladly import'),
        ('[[steps]]\nimport = "sms"\nfiles = "x"', "import: each row of sms"),
        (
            f"[vars]\nday = 2026-12-01\n{STEP}",
            "[vars] day: must be a text, a number, true or false; write dates in quotes",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, told: str) -> None:
    """With the file, the table and the key, and what to write instead."""
    with pytest.raises(UsageError) as refused:
        parsed(text)

    assert str(refused.value).startswith("move/migrate.toml: ")
    assert told in str(refused.value)


def test_another_version_is_refused() -> None:
    """A newer file may mean something else."""
    with pytest.raises(UsageError, match="version: 2 is not supported"):
        parse_project(f"version = 2\n{STEP}", Path("migrate.toml"))


def test_the_worst_exit_code_is_that_of_the_project() -> None:
    """In the order of the list, whatever the order of the steps; 0 if no step has ended."""
    assert [worst_exit_code(WORST_FIRST[at:]) for at in range(len(WORST_FIRST))] == list(WORST_FIRST)
    assert worst_exit_code(()) == 0


@pytest.mark.parametrize(
    ("expression", "paths"),
    [
        ("comment.via.channel", ["comment.via.channel"]),
        ("identities[?type == 'email'].value", ["identities[].type", "identities[].value"]),
        ("join(', ', tags)", ["tags"]),
        ("role == 'end-user' && !suspended", ["role", "suspended"]),
        ("sort_by(comments, &created_at)[0].body", ["comments[].created_at", "comments[].body"]),
        ("a[*].b || c[].d", ["a[].b", "c[].d"]),
        ("a[0:2].b", ["a[].b"]),
        ("a.*.b", ["a"]),
        ("{x: a.b, y: c} ", ["a.b", "c"]),
        ("map(&body, comments)", ["comments[].body"]),
        (
            "join('', map(&join(' ', [name, url]), not_null(files, `[]`)[?!(deleted)]))",
            ["files[].deleted", "files[].name", "files[].url"],
        ),
        ("fields[?id == `360`] | [0].value", ["fields[].id", "fields[].value"]),
        ("@", []),
    ],
)
def test_what_a_path_reads(expression: str, paths: list[str]) -> None:
    """The parts of a row that it looks at, whatever it does with them."""
    assert sorted(paths_read(expression)) == sorted(paths)


def test_every_option_of_the_rows_is_one_of_a_step() -> None:
    """An option that `import` gets later must not be missing here. Some have keys of their own, or are for one run."""
    flags = {field.name.rstrip("_") for field in dataclasses.fields(ImportFlags)}
    otherwise = {"contacts_people", "complete", "missing", "missing_limit", "baseline"}
    otherwise |= {"variables", "map", "transform", "after"}
    known: set[str] = set()
    for name in flags - otherwise:
        try:
            parsed(f"{STEP}{name}_x = 1\n")
        except UsageError as error:
            known |= {name} if f"did you mean {name}" in str(error) else set()

    assert flags - otherwise == known


def test_the_page_of_a_project_names_itself_its_day_and_the_pages_of_its_steps() -> None:
    """Somebody forwards it, and whoever gets it asks why three tasks are missing."""
    done = StepReport("tasks", "tasks", "done", run="tasks-upsert_1", counts={"read": 5, "created": 2, "rejected": 3})
    report = ProjectReport(
        project="Zendesk to Gladly",
        file="migrate.toml",
        host="https://acme.gladly.com",
        status="complete",
        exit_code=1,
        reason=None,
        steps=[replace(done, rejects_by_code={"unknown_key": 3}, requests=9, seconds=1)],
        folder="x",
        at="2026-11-27T12:00:00+00:00",
    )

    page = report.as_markdown()

    assert page.startswith("# Zendesk to Gladly, 27 November 2026\n\n**Complete.**\n")
    assert "- tasks: 3 x unknown_key" in page
    assert "- tasks: `runs/tasks-upsert_1/report.md`" in page
    assert page.endswith("To https://acme.gladly.com; 9 requests in 1 s.\n")
