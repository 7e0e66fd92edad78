"""Reads a project file: which files become which objects, in which order, with which mappings and options."""

import glob
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bulkgladly.choices import closest
from bulkgladly.errors import InputError, UsageError
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.gladly.table import import_spec
from bulkgladly.local_paths import AnyPath, local_path
from bulkgladly.mapping.tables import Table
from bulkgladly.projects.step_settings import read_settings

__all__ = ("PROJECT_FILE", "Project", "ProjectStep", "load_project", "parse_project")

PROJECT_FILE = "migrate.toml"
VERSION = 1
_MOST_NAME = 80


@dataclass(frozen=True, slots=True)
class ProjectStep:
    """One import of a project. Its paths are ready to be opened: what the file says is relative to its folder.

    `settings` are the options of the import as the project file names them, the defaults of the project included.
    `after` names earlier steps whose source keys the rows refer to; empty for all that import such objects.
    """

    name: str
    spec: ImportSpec
    files: tuple[str, ...]
    map: Path | None = None
    transform: str | None = None
    after: tuple[str, ...] = ()
    is_optional: bool = False
    settings: Mapping[str, Any] | None = None

    @property
    def namespace(self) -> str:
        """The namespace in which the source keys of the records are kept."""
        return str((self.settings or {}).get("namespace", "default"))


@dataclass(frozen=True, slots=True)
class Project:
    """A project: its steps in the order in which they run. `vars` go before those of the mappings."""

    file: Path
    name: str
    steps: tuple[ProjectStep, ...]
    vars: Mapping[str, Any]

    @property
    def folder(self) -> Path:
        """The folder of the project file, to which its paths are relative."""
        return self.file.parent

    def step(self, name: str) -> ProjectStep:
        """Return a step by its name.

        Raises:
            UsageError: There is none; the message suggests a similar name.
        """
        names = [step.name for step in self.steps]
        if name not in names:
            raise UsageError(f"{self.file}: has no step {name!r}; {_meant(name, names)}")
        return self.steps[names.index(name)]

    def before(self, step: ProjectStep) -> tuple[ProjectStep, ...]:
        """Return the steps before one, in their order."""
        return self.steps[: self.steps.index(step)]


def load_project(file: AnyPath = PROJECT_FILE) -> Project:
    """Return the project in a file. Its inputs and mappings are not opened.

    Raises:
        InputError: The file cannot be read.
        UsageError: It is not a valid project; the message names file, step and key, and suggests a fix.
    """
    path = local_path(file)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such file; write one (docs/migrate.md has an example), or name the project file: "
            "`bulkgladly migrate check FILE`"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read: {why}") from error
    return parse_project(text, path)


def parse_project(text: str, path: Path) -> Project:
    """Return the project in a TOML text, whose paths are relative to the folder of `path`.

    Raises:
        UsageError: As `load_project`.
    """
    top = Table.of_text(text, str(path))
    top.check_version(VERSION)
    name = top.text("name") or path.resolve().parent.name
    defaults = top.table("defaults")
    variables = top.table("vars")
    steps = top.value("steps")
    top.finish()
    if not isinstance(steps, list) or not steps or not all(isinstance(one, dict) for one in steps):
        top.fail("steps", 'are missing; add one with [[steps]], import = "customers" and files = "users.ndjson"')
    usual: Mapping[str, Any] = {} if defaults is None else read_settings(defaults)
    if defaults is not None:
        defaults.finish()
    found: list[ProjectStep] = []
    for number, one in enumerate(steps, 1):
        found.append(_step(one, number, path, usual, found))
    return Project(path, name, tuple(found), {} if variables is None else _variables(variables))


def _variables(table: Table) -> dict[str, Any]:
    for name, value in table.items():
        if not isinstance(value, str | int | float):  # a bool is an int
            table.fail(name, "must be a text, a number, true or false; write dates in quotes")
    return {name: table.plain(name) for name, _ in table.items()}


def _step(
    given: Mapping[str, Any], number: int, path: Path, usual: Mapping[str, Any], before: Sequence[ProjectStep]
) -> ProjectStep:
    table = Table(str(path), f"steps {number}", given)
    what = table.text("import")
    if what is None:
        table.fail("import", 'is missing; name the object, such as import = "customers"')
    name = table.text("name") or what
    table.name = f'steps "{name}"' if name.isprintable() and len(name) <= _MOST_NAME else table.name
    try:
        spec = import_spec(what)
    except UsageError as error:
        table.fail("import", str(error))
    _refuse_name(table, name, what, before)
    if spec.contacts_people:
        table.fail("import", f"each row of {what} {spec.contacts_people}; import them by themselves, without a project")
    mapping, transform = table.text("map"), table.text("transform")
    step = ProjectStep(
        name=name,
        spec=spec,
        files=_files(table, path.parent),
        map=None if mapping is None else path.parent / local_path(mapping, what="map"),
        transform=transform,
        after=_after(table, before),
        is_optional=table.flag("optional"),
        settings={**usual, **read_settings(table)},
    )
    table.finish()
    return step


def _refuse_name(table: Table, name: str, what: str, before: Sequence[ProjectStep]) -> None:
    if not name.strip() or not name.isprintable() or len(name) > _MOST_NAME:
        table.fail("name", f"must be a text of up to {_MOST_NAME} characters")
    if any(step.name == name for step in before):
        said = "is the name of an earlier step" if name != what else f"two steps import {what}"
        table.fail("name", f'{said}; give this step a name of its own, such as name = "{what}-2"')


def _files(table: Table, folder: Path) -> tuple[str, ...]:
    given = table.value("files")
    patterns = [given] if isinstance(given, str) else given
    is_list = isinstance(patterns, list) and bool(patterns)
    if not is_list or not all(isinstance(one, str) and one for one in patterns):
        said = "is missing" if given is None else "must be a text or a list of texts"
        table.fail("files", f'{said}; name the input, such as files = "users.ndjson" or files = ["tickets*.ndjson"]')
    if "-" in patterns:
        table.fail("files", "cannot be - (the standard input), since a project can be run again; write it to a file")
    return tuple(_from_folder(folder, local_path(one, what="files")) for one in patterns)


def _from_folder(folder: Path, given: Path) -> str:
    """Return a path or a pattern from the folder of the project, whose own name is never a pattern."""
    is_pattern = glob.has_magic(str(given)) and not os.path.lexists(folder / given)
    return str(Path(glob.escape(str(folder)), given) if is_pattern else folder / given)


def _after(table: Table, before: Sequence[ProjectStep]) -> tuple[str, ...]:
    given = table.value("after")
    names = [given] if isinstance(given, str) else [] if given is None else given
    if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
        table.fail("after", 'must be a list of earlier steps, such as after = ["customers"]')
    earlier = {step.name: step for step in before}
    kept: dict[str, str] = {}
    for name in names:
        if name not in earlier:
            table.fail("after", f"{name!r} is not a step before this one; {_meant(name, list(earlier))}")
        step = earlier[name]
        if kept.setdefault(step.spec.name, step.namespace) != step.namespace:
            table.fail(
                "after", f"names two steps that import {step.spec.name} into different namespaces; name only one"
            )
    return tuple(names)


def _meant(name: str, known: Sequence[str]) -> str:
    if not known:
        return "there is none before it"
    meant = closest(name, known)
    return f"did you mean {meant!r}?" if meant else f"choose from {', '.join(known)}"
