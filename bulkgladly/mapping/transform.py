"""The user's own function that gets each row before the mapping. The only place that runs foreign code."""

import contextlib
import hashlib
import importlib
import importlib.util
import inspect
import math
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from bulkgladly.errors import UsageError
from bulkgladly.mapping.row_values import Fields, Unmappable
from bulkgladly.mapping.watched_rows import watched_row

__all__ = ("Transform", "load_transform")

_INT_MIN, _INT_MAX = -(1 << 63), (1 << 64) - 1


class Transform:
    """A loaded function. `root` is the folder of its module, `digest` the hash of the module's file.

    What the module imports is not part of the hash.
    """

    def __init__(self, name: str, function: Callable[[dict[str, Any]], Any], file: Path, root: Path) -> None:
        self.name, self.file, self.root = name, file, root
        self.digest = hashlib.blake2b(file.read_bytes(), digest_size=16).hexdigest()
        self._function = function

    def rows(self, fields: Fields) -> list[dict[str, Any]]:
        """Return the rows that the function returns for one row. It gets a copy that it may change.

        Raises:
            Unmappable: It raised an exception, or returned something that cannot be a row. The message has the
                exception's class and line, but not its text, which may hold values of the row.
        """
        try:
            # A copy: rejects are written from the row as it was read.
            made = self._function({name: _copy(value) for name, value in fields.items()})
            rows = [] if made is None else [made] if isinstance(made, dict) else self._listed(made)
        except Unmappable:
            raise
        except Exception as error:  # noqa: BLE001 - any error of the user's code is a problem of this row
            raise Unmappable(
                f"{self.name} raised {type(error).__name__} at line {self._line(error)} of {self.file.name}",
                code="transform",
            ) from None
        for row in rows:
            self._check(row)
        return rows

    def paths_read(self, fields: Fields) -> set[str]:
        """Return the paths of the values that the function looks at in one row, up to an exception if it raises one."""
        seen: set[str] = set()
        with contextlib.suppress(Exception):  # such rows are told elsewhere
            made = self._function(watched_row(dict(fields), seen))
            if not isinstance(made, dict) and isinstance(made, Iterable):
                list(made)  # a generator looks at the row only now
        return seen

    def _listed(self, made: Any) -> list[dict[str, Any]]:
        if isinstance(made, str | bytes) or not isinstance(made, Iterable):
            raise Unmappable(
                f"{self.name} returned {type(made).__name__}; return a dict, a list of dicts, or None", code="transform"
            )
        return list(made)

    def _check(self, row: Any) -> None:
        if not isinstance(row, dict) or not all(isinstance(name, str) for name in row):
            raise Unmappable(f"{self.name} returned a row that is not a dict with text keys", code="transform")
        for name, value in row.items():
            if not _is_plain(value):
                detail = f"{self.name} returned a value in {name} that cannot be written as JSON; convert it to text"
                raise Unmappable(detail, name, code="transform")

    def _line(self, error: BaseException) -> int:
        frames = traceback.extract_tb(error.__traceback__)
        return next((frame.lineno or 0 for frame in reversed(frames) if frame.filename == str(self.file)), 0)


def load_transform(name: str, root: Path | None = None) -> Transform:
    """Import and return the function that `module:function` names, from `root` (the current folder) first.

    Raises:
        UsageError: It does not exist, or cannot be loaded.
    """
    module_name, colon, function_name = name.partition(":")
    if not colon or not function_name.isidentifier() or not all(p.isidentifier() for p in module_name.split(".")):
        raise UsageError(f"--transform {name}: write module:function, such as migration:customer")
    with _importable_from(root or Path.cwd()):
        module = _imported(module_name, name)
    function = getattr(module, function_name, None)
    if not callable(function):
        names = [one for one, value in vars(module).items() if inspect.isfunction(value) and not one.startswith("_")]
        raise UsageError(
            f"--transform {name}: {module_name} has no such function; choose from: {', '.join(names) or 'none'}"
        )
    if inspect.iscoroutinefunction(function):
        raise UsageError(f"--transform {name}: is an async function; write an ordinary one")
    file = Path(module.__file__ or "")
    if not file.is_file():
        raise UsageError(f"--transform {name}: the source of {module_name} cannot be found")
    levels = len(module_name.split(".")) - (file.name != "__init__.py")
    return Transform(name, function, file.resolve(), file.resolve().parents[levels])


def _imported(module_name: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = "it" if error.name == module_name else f"{error.name}, which it imports,"
        raise UsageError(f"--transform {name}: {missing} is neither in this folder nor installed") from error
    except Exception as error:
        raise UsageError(f"--transform {name}: loading it raised {type(error).__name__}: {error}") from error


@contextmanager
def _importable_from(root: Path) -> Iterator[None]:
    place = str(root.resolve())
    sys.path.insert(0, place)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(place)


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copy(member) for name, member in value.items()}
    return [_copy(member) for member in value] if isinstance(value, list) else value


def _is_plain(value: Any) -> bool:
    match value:
        case dict():
            return all(isinstance(name, str) and _is_plain(member) for name, member in value.items())
        case list():
            return all(_is_plain(member) for member in value)
        case str():
            return value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value)
        case int():
            return _INT_MIN <= value <= _INT_MAX
        case float():
            return math.isfinite(value)
        case _:
            return value is None
