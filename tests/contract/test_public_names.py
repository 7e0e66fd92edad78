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


@pytest.mark.parametrize("name", [name for name in MODULES if name not in NAMELESS])
def test_module_lists_its_public_names(name: str) -> None:
    """`__all__` is a tuple of names that exist, each once."""
    module = importlib.import_module(name)

    listed = getattr(module, "__all__", None)

    assert isinstance(listed, tuple), f"{name} has no tuple __all__"
    assert len(set(listed)) == len(listed)
    assert all(hasattr(module, item) for item in listed)


@pytest.mark.parametrize("name", MODULES)
def test_module_says_what_it_is_for(name: str) -> None:
    """Each module begins with its docstring."""
    module = importlib.import_module(name)

    assert (module.__doc__ or "").strip()


@pytest.mark.parametrize("name", [name for name in MODULES if name not in NAMELESS])
def test_public_names_have_docstrings(name: str) -> None:
    """Every listed function and class, and every public method of a class, states its contract."""
    module = importlib.import_module(name)
    found = [(item, getattr(module, item)) for item in module.__all__]
    documented = [(item, value) for item, value in found if inspect.isclass(value) or inspect.isroutine(value)]

    silent = [item for item, value in documented if not _has_docstring(value)]
    for item, value in documented:
        if inspect.isclass(value) and value.__module__ == name:
            silent += [f"{item}.{member}" for member in _silent_members(value)]

    assert not silent


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
