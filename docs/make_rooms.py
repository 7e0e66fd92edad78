"""Draw the rooms of the package into docs/architecture.md, from their imports: `python docs/make_rooms.py`."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ("main", "reference")

TARGET = Path(__file__).with_name("architecture.md")
PACKAGE = Path(__file__).parent.parent / "bulkgladly"
WORDS = "words"
"""The modules beside the rooms, as one room."""
ALONE = ("resume",)
"""Modules that are rooms of their own, because they import some of the others."""
APART = "emulator"
"""It imports nothing of ours, so it stands beside the picture, not in it."""
_DRAWING = re.compile(r"(?<=<!-- rooms -->\n).*?(?=<!-- /rooms -->)", re.DOTALL)
_TEXTS = re.compile(r'""".*?"""', re.DOTALL)
_WIDTH = 56


def reference() -> str:
    """Return the whole page with the present rooms."""
    return _DRAWING.sub(lambda _: drawing(), TARGET.read_text(encoding="utf-8"))


def main() -> None:
    """Write the page."""
    TARGET.write_text(reference(), encoding="utf-8")


def drawing() -> str:
    """Return the picture of the levels, and a table of the rooms from top to bottom."""
    below = {room: set(_imported(room)) - {room} for room in _rooms()}
    levels = _levels(below)
    rows = [
        sorted(room for room, at in levels.items() if at == level and room != APART)
        for level in sorted(set(levels.values()), reverse=True)
    ]
    edge = f"+{'-' * _WIDTH}+"
    picture = [edge, *(line for row in rows for line in (f"|{'     '.join(row):^{_WIDTH}}|", edge))]
    picture[-2] += f"   {APART}: apart, imports none of them"
    table = ["| room | what it is | imports |", "|---|---|---|"]
    for room in [*(room for row in rows for room in row), APART]:
        uses = ", ".join(sorted(below[room] - {WORDS}, key=lambda each: (-levels[each], each)))
        table.append(f"| `{room}` | {_purpose(room)} | {uses} |")
    return "\n".join(["```text", *picture, "```", "", *table]) + "\n"


def _levels(below: Mapping[str, set[str]]) -> dict[str, int]:
    """Return the level of each room: one above the highest room that it imports."""
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
    """Yield the rooms that the modules of a room import, also inside functions."""
    rooms = set(_rooms())
    for path in _modules(room):
        # Outside of texts nothing else begins with these words, so the few lines are found without a parser.
        text = _TEXTS.sub("", path.read_text(encoding="utf-8"))
        for name in re.findall(r"^ *from bulkgladly\.(\w+)", text, re.MULTILINE):
            yield name if name in rooms else WORDS


def _purpose(room: str) -> str:
    if room == WORDS:
        return "What all rooms share: rows, requests, replies, errors, settings, and how texts and JSON are read."
    path = PACKAGE / f"{room}.py" if room in ALONE else PACKAGE / room / "__init__.py"
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.split(". ")[0].split("\n")[0].rstrip(".:,") + "."


if __name__ == "__main__":
    main()
