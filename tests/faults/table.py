"""The whole matrix, played, and `docs/faults.md` written from it: `python -m tests.faults.table`."""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.faults.matrix import CELLS, GROUPS, IMPOSSIBLE, Cell
from tests.faults.playing import Played, play, play_clean
from tests.faults.scenes import KINDS

__all__ = ("PAGE", "main", "page", "play_all")

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"


async def play_all(cells: Sequence[Cell]) -> list[Played]:
    """Play these cells, one after the other, each against an organisation of its own."""
    clean = {kind: await play_clean(kind) for kind in dict.fromkeys(cell.kind for cell in cells)}
    return [await play(cell, clean) for cell in cells]


def page() -> str:
    """Return what the documentation says of the matrix; it is made of the cells alone, and of no run."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Every response"
    yield ""
    yield "A response can be lost, cut short, invented by a gateway, or say the opposite of what happened. The fault"
    yield "matrix sends every kind of request and gives it every kind of response, once, in the middle of a run that"
    yield "otherwise goes well. It then compares the words of the report with what the emulator holds, and continues"
    yield "the run as the report says."
    yield ""
    yield f"There are {len(CELLS):,} cells, from {len(KINDS)} kinds of requests and {_replies():,} responses. A request"
    yield "that changes something gets each response twice: once with the change made and once without. Except for the"
    yield "[responses that nobody can tell from the truth](#what-nobody-can-tell), no cell ends with:"
    yield ""
    yield "- a wrong word in a report"
    yield "- a record that is lost or there twice"
    yield "- an address or attribute of a customer removed"
    yield "- the token or personal data in a log or message"
    yield ""
    yield "`make faults` runs all cells and writes this page. `make soak` runs all of them too, and `make test` some."
    yield ""
    yield "## How a row or a file can end"
    yield ""
    yield "*As without the fault* means that the request is repeated, or its result looked up, until the outcome is"
    yield "certain. Where a cell has more words, each of them is true:"
    yield ""
    yield "- `unknown`: the change may have been made"
    yield "- `rejected`: it was not made"
    yield "- `unprocessed`: the run stopped before the outcome was known; `resume` looks up what had been sent"
    yield ""
    kinds = list(KINDS)
    yield "| Response | Variants | Objects with ids, lists and files | Notes and messages |"
    yield "|---|---:|---|---|"
    for group, names in GROUPS.items():
        yield f"| {group} | {len(names)} | {_ends(group, once=False)} | {_ends(group, once=True)} |"
    yield ""
    yield "The kinds of requests: " + ", ".join(f"{kind}" for kind in kinds) + "."
    yield ""
    yield "## What nobody can tell"
    yield ""
    yield "These responses are exactly what Gladly itself would send. They are part of the matrix too. A run that gets"
    yield "one is as wrong as the response:"
    yield ""
    yield "| Request | Response | Change made | Why |"
    yield "|---|---|---|---|"
    forged: dict[tuple[str, str, bool], list[str]] = {}
    for cell in CELLS:
        if cell.forged is not None:
            forged.setdefault((cell.forged, cell.reply, cell.executes), []).append(cell.kind)
    for (reason, reply, executes), among in forged.items():
        yield f"| {', '.join(among)} | `{reply}` | {'yes' if executes else 'no'} | {reason} |"
    yield ""
    yield "## What is tested elsewhere"
    yield ""
    for name, reason in IMPOSSIBLE.items():
        yield f"- {name} {reason}"


def _replies() -> int:
    return len({name for names in GROUPS.values() for name in names})


def _ends(group: str, *, once: bool) -> str:
    """Say in words with what the cells of a group may end."""
    clean = {"row": "as without the fault"}
    words: set[str] = set()
    for cell in CELLS:
        if cell.group == group and cell.kind.startswith("once") is once and cell.forged is None:
            words |= cell.allowed(clean, "row") - {"as without the fault"}
    return ", or ".join(["as without the fault", *(f"`{word}`" for word in sorted(words))])


def main() -> int:
    """Play everything, say what is wrong, and write the page where nothing is."""
    played = asyncio.run(play_all(CELLS))
    wrong = [each for each in played if each.wrong]
    for each in wrong:
        sys.stdout.write(
            f"{each.cell.name}: {'; '.join(each.wrong)} (words {dict(each.words)}, exit {each.exit_code})\n"
        )
    forged = sum(cell.forged is not None for cell in CELLS)
    sys.stdout.write(
        f"{len(played):,} cells, {len(wrong)} wrong, {forged} of them nobody can tell from Gladly's own word\n"
    )
    if not wrong:
        PAGE.write_text(page(), encoding="utf-8")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
