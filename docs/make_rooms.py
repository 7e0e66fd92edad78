"""Draw the rooms of the package into docs/architecture.md, from its imports: `python docs/make_rooms.py`."""

import ast
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ("main", "reference")

TARGET = Path(__file__).with_name("architecture.md")
PACKAGE = Path(__file__).parent.parent / "bulkgladly"
WORDS = "words"
"""What the modules beside the rooms are called together."""
ALONE = ("resume",)
"""Modules beside the rooms that stand above some of them."""
_DRAWING = re.compile(r"(?<=<!-- rooms -->\n```text\n).*?(?=```\n<!-- /rooms -->)", re.DOTALL)
_WIDTH = 100


def reference() -> str:
    """Return the whole page, with the rooms as they are."""
    return _DRAWING.sub(lambda _: drawing(), TARGET.read_text(encoding="utf-8"))


def main() -> None:
    """Write the page."""
    TARGET.write_text(reference(), encoding="utf-8")


def drawing() -> str:
    """Return the rooms from top to bottom: each imports only what stands below it."""
    below = {room: set(_imported(room)) - {room} for room in _rooms()}
    levels = _levels(below)
    lines: list[str] = []
    for level in sorted(set(levels.values()), reverse=True):
        for room in sorted(room for room, at in levels.items() if at == level):
            lines.append(f"{room:<12}{textwrap.shorten(_purpose(room), _WIDTH - 12, placeholder=' ...')}")
            if uses := sorted(below[room] - {WORDS}, key=lambda each: (-levels[each], each)):
                lines.append(f"{'':<12}uses {', '.join(uses)}")
        lines.append("-" * _WIDTH)
    return "\n".join(lines[:-1]) + "\n"


def _levels(below: Mapping[str, set[str]]) -> dict[str, int]:
    """Return how far up each room stands: one above the highest that it imports."""
    found: dict[str, int] = {}
    while len(found) < len(below):
        ready = [room for room in below if room not in found and below[room] <= set(found)]
        if not ready:
            raise ValueError(f"these rooms import each other: {sorted(set(below) - set(found))}")
        for room in ready:
            found[room] = 1 + max((found[each] for each in below[room]), default=-1)
    return found


def _rooms() -> list[str]:
    return [WORDS, *ALONE, *sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))]


def _modules(room: str) -> list[Path]:
    if room in ALONE:
        return [PACKAGE / f"{room}.py"]
    found = PACKAGE.glob("*.py") if room == WORDS else (PACKAGE / room).rglob("*.py")
    return sorted(path for path in found if path.name not in ("__init__.py", "__main__.py") and path.stem not in ALONE)


def _imported(room: str) -> Iterator[str]:
    """Yield the rooms that a room's modules import, in functions as well; a rehearsal's emulator apart."""
    rooms = set(_rooms())
    for path in _modules(room):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bulkgladly."):
                name = (node.module or "").split(".")[1]
                yield name if name in rooms else WORDS


def _purpose(room: str) -> str:
    if room == WORDS:
        return "The nouns that everybody shares."
    path = PACKAGE / f"{room}.py" if room in ALONE else PACKAGE / room / "__init__.py"
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.split(". ")[0].split("\n")[0].rstrip(".:,") + "."


if __name__ == "__main__":
    main()
