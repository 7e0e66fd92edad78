"""Public means listed: every module says what it offers, and every offer says what it promises."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import bulkgladly

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "bulkgladly").rglob("*.py")
)
NAMELESS = {"bulkgladly._version"} | {
    name
    for name in MODULES
    if (init := ROOT.joinpath(*name.split("."), "__init__.py")).is_file()
    and len(ast.parse(init.read_text("utf-8")).body) == 1
}
"""Packages that only hold modules, and the version: nothing to list."""


ROOMS = sorted({".".join(name.split(".")[:2]) for name in MODULES})
"""One test for each room, not for each of five hundred modules: to begin a test costs more than to look at one."""


def modules_in(room: str) -> list[str]:
    """The modules of a room that have something to list."""
    return [name for name in MODULES if name not in NAMELESS and ".".join(name.split(".")[:2]) == room]


@pytest.mark.parametrize("room", ROOMS)
def test_modules_list_their_public_names(room: str) -> None:
    """`__all__` is a tuple of names that exist, each once."""
    for name in modules_in(room):
        module = importlib.import_module(name)

        listed = getattr(module, "__all__", None)

        assert isinstance(listed, tuple), f"{name} has no tuple __all__"
        assert len(set(listed)) == len(listed), name
        assert [item for item in listed if not hasattr(module, item)] == [], name


def test_modules_say_what_they_are_for() -> None:
    """Each module begins with its docstring."""
    assert [name for name in MODULES if not (importlib.import_module(name).__doc__ or "").strip()] == []


@pytest.mark.parametrize("room", ROOMS)
def test_public_names_have_docstrings(room: str) -> None:
    """Every listed function and class, and every public method of a class, states its contract."""
    silent: list[str] = []
    for name in modules_in(room):
        module = importlib.import_module(name)
        found = [(item, getattr(module, item)) for item in module.__all__]
        documented = [(item, value) for item, value in found if inspect.isclass(value) or inspect.isroutine(value)]
        silent += [f"{name}.{item}" for item, value in documented if not _has_docstring(value)]
        for item, value in documented:
            if inspect.isclass(value) and value.__module__ == name:
                silent += [f"{name}.{item}.{member}" for member in _silent_members(value)]

    assert silent == []


def test_public_api_resolves_and_is_documented() -> None:
    """What `import bulkgladly` promises is there, and says what it does."""
    for name in bulkgladly.__all__:
        value = getattr(bulkgladly, name)

        assert name == "__version__" or _has_docstring(value), name


def test_public_api_lists_what_it_offers() -> None:
    """`dir` shows the promise, and nothing that is not there is made up."""
    assert set(bulkgladly.__all__) <= set(dir(bulkgladly))
    with pytest.raises(AttributeError, match="no_such_name"):
        bulkgladly.no_such_name  # noqa: B018


def test_public_api_is_loaded_when_it_is_used() -> None:
    """Importing the package loads no door; the first use does."""
    code = (
        "import sys, bulkgladly; early = [m for m in sys.modules if m.startswith('bulkgladly.')];"
        "bulkgladly.Pace; print(early, 'bulkgladly.settings' in sys.modules, 'aiohttp' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)

    assert done.stdout.strip() == "['bulkgladly._version'] True False"


def _has_docstring(value: object) -> bool:
    text = inspect.getdoc(value) or ""
    # A dataclass without a docstring gets its own signature for one.
    return bool(text.strip()) and not text.startswith(f"{getattr(value, '__name__', '?')}(")


def _silent_members(kind: type) -> list[str]:
    return [
        name
        for name, member in vars(kind).items()
        if not name.startswith("_")
        and (inspect.isfunction(member) or isinstance(member, property | classmethod | staticmethod))
        and not (inspect.getdoc(getattr(kind, name)) or "").strip()
    ]
