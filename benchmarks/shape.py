"""The shape of the source: sizes, names, comments, patches in tests, import cycles.

    python -m benchmarks.shape [TREE] [--names]

TREE is a checkout (default: this one); `--names` lists the names behind each figure. The core is
`bulkgladly/` without the emulator. Lines are physical lines; empty files do not count for the
median. A function goes from its `def` to its last line. Comments are lines with only a comment,
per 100 other lines that are not blank. The figures are signs, not aims: do not pad or cut code to
reach one.
"""

import argparse
import ast
import io
import statistics
import tokenize
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ("Figure", "Module", "figures", "main", "modules_in")

SMALL = 60
LONG = 60
MOST_NAMED = 8
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One source file."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        """The number of lines."""
        return self.text.count("\n")

    @property
    def is_core(self) -> bool:
        """Whether it is not part of the emulator."""
        return not self.name.startswith("bulkgladly.emulator")


@dataclass(frozen=True)
class Figure:
    """What is counted, the count as it is printed, and the names behind it."""

    about: str
    value: str
    names: Sequence[str] = ()


def modules_in(top: Path, folder: str) -> list[Module]:
    """Return the modules of a folder of a checkout, by name."""
    found = []
    for path in sorted(top.joinpath(folder).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        name = ".".join(path.relative_to(top).with_suffix("").parts).removesuffix(".__init__")
        found.append(Module(name, path, text, ast.parse(text)))
    return found


def figures(top: Path) -> Iterator[Figure]:
    """Yield all figures of a checkout."""
    every = modules_in(top, "bulkgladly")
    core = [module for module in every if module.is_core]
    sized = [module for module in core if module.lines]
    yield Figure("core: files / lines", f"{len(core)} / {sum(module.lines for module in core):,}")
    yield Figure("median module", f"{statistics.median(module.lines for module in sized):.0f}")
    small = sorted((module.lines, module.name) for module in sized if module.lines < SMALL)
    yield Figure(f"modules below {SMALL} lines", str(len(small)), [f"{name} {lines}" for lines, name in small])
    yield from _of_functions(core)
    yield _twice("class names defined twice in the core", _classes(core))
    yield _twice("file names twice in the core", _file_names(core))
    yield _twice("file names twice, emulator included", _file_names(every))
    yield Figure("comments per 100 lines", f"{_comments_per_100(core):.1f}")
    patches = [patch for module in modules_in(top, "tests") for patch in _patches(module)]
    yield Figure("patches of own modules in tests", str(len(patches)), patches)
    circles = [" <-> ".join(circle) for circle in _circles(_imports(every))]
    yield Figure("modules that import each other in a circle", str(len(circles)), circles)
    between = [" <-> ".join(circle) for circle in _circles(_imports_of_rooms(core))]
    yield Figure("rooms that import each other in a circle", str(len(between)), between)


def _of_functions(core: Iterable[Module]) -> Iterator[Figure]:
    sizes, widths = [], []
    for module in core:
        for node in ast.walk(module.tree):
            if isinstance(node, _FUNCTIONS):
                where = f"{module.name}.{node.name}"
                sizes.append(((node.end_lineno or node.lineno) - node.lineno + 1, where))
                given = node.args
                widths.append((len(given.posonlyargs) + len(given.args) + len(given.kwonlyargs), where))
    yield from (_highest("longest function", sizes), _highest("most parameters", widths))
    # The command line declares its flags as parameters.
    inner = [one for one in sizes if not one[1].startswith("bulkgladly.cli.")]
    yield _highest("longest function below the command line", inner)
    inner = [one for one in widths if not one[1].startswith("bulkgladly.cli.")]
    yield _highest("most parameters below the command line", inner)
    long = sorted((one for one in sizes if one[0] > LONG), reverse=True)
    yield Figure(f"functions above {LONG} lines", str(len(long)), [f"{name} {size}" for size, name in long])


def _highest(about: str, found: list[tuple[int, str]]) -> Figure:
    found = sorted(found, reverse=True)
    return Figure(about, str(found[0][0]), [f"{name} {count}" for count, name in found[:MOST_NAMED]])


def _classes(modules: Iterable[Module]) -> Mapping[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(module.name)
    return found


def _file_names(modules: Iterable[Module]) -> Mapping[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for module in modules:
        if module.path.name not in ("__init__.py", "__main__.py"):
            found[module.path.name].append(module.name)
    return found


def _twice(about: str, found: Mapping[str, list[str]]) -> Figure:
    several = {name: places for name, places in sorted(found.items()) if len(places) > 1}
    return Figure(about, str(len(several)), [f"{name}: {', '.join(places)}" for name, places in several.items()])


def _comments_per_100(modules: Iterable[Module]) -> float:
    comments = others = 0
    for module in modules:
        lines = module.text.splitlines()
        of_module = sum(
            lines[token.start[0] - 1].lstrip().startswith("#")
            for token in tokenize.generate_tokens(io.StringIO(module.text).readline)
            if token.type == tokenize.COMMENT
        )
        comments += of_module
        others += sum(bool(line.strip()) for line in lines) - of_module
    return 100 * comments / max(others, 1)


def _patches(module: Module) -> Iterator[str]:
    """Yield each place where `monkeypatch.setattr` (or delattr) changes something of our package."""
    ours = set()
    for node in ast.walk(module.tree):
        for alias in node.names if isinstance(node, ast.Import | ast.ImportFrom) else ():
            source = (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
            if source.startswith("bulkgladly"):
                ours.add(alias.asname or alias.name.split(".")[0])
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
            continue
        if node.func.attr not in ("setattr", "delattr"):
            continue
        target = ast.unparse(node.args[0])
        if target.strip("'\"").startswith("bulkgladly") or target.partition(".")[0] in ours:
            yield f"{module.path.name}:{node.lineno} {target}"


def _imports(modules: Iterable[Module]) -> Mapping[str, set[str]]:
    """Return which of the others each module imports when it is loaded: not in functions, not only for types."""
    every = {module.name: module for module in modules}
    found: dict[str, set[str]] = {}
    for name, module in every.items():
        found[name] = set()
        for node in module.tree.body:
            if isinstance(node, ast.Import):
                found[name] |= {alias.name for alias in node.names} & set(every)
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    full = f"{node.module}.{alias.name}"
                    found[name] |= {full if full in every else node.module or ""} & set(every)
        found[name].discard(name)
    return found


def _imports_of_rooms(core: Iterable[Module]) -> Mapping[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for name, targets in _imports(core).items():
        for target in targets:
            if (room := _room(name)) != (other := _room(target)):
                found[room].add(other)
                found.setdefault(other, set())
    return found


def _room(name: str) -> str:
    return name.split(".")[1] if "." in name else name


def _circles(arrows: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the groups in which each module imports each other, directly or through others."""
    reached = {name: _reached_from(name, arrows) for name in arrows}
    groups = {
        tuple(sorted(other for other in reached[name] if name in reached.get(other, ())))
        for name in arrows
        if name in reached[name]
    }
    return [list(group) for group in sorted(groups)]


def _reached_from(name: str, arrows: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    ahead = list(arrows.get(name, ()))
    while ahead:
        if (one := ahead.pop()) not in found:
            found.add(one)
            ahead += arrows.get(one, ())
    return found


def main() -> int:
    """Print the figures; they have no bars."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tree", nargs="?", type=Path, default=Path(__file__).parents[1], help="a checkout")
    parser.add_argument("--names", action="store_true", help="list the names behind each figure")
    options = parser.parse_args()
    for figure in figures(options.tree):
        print(f"{figure.about:48} {figure.value:>14}")
        if options.names:
            print(*(f"    {name}" for name in figure.names), sep="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
