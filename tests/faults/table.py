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
    yield "# What every answer is taken for"
    yield ""
    yield "A reply can be lost, cut, invented by a gateway, or say the opposite of what happened. Here every kind of"
    yield "request meets every kind of reply, once in the middle of a run that is otherwise well. Afterwards the words"
    yield "of the report are compared with what the emulator holds, and the run is continued as its report says."
    yield ""
    yield f"There are {len(CELLS):,} cells: {len(KINDS)} kinds of requests, {_replies():,} replies, and for requests"
    yield "that change something each reply twice, once with the work done and once without. In no cell, but those of"
    yield "[what nobody can tell](#what-nobody-can-tell), is a word of a report wrong, anything lost or doubled, or an"
    yield "address or attribute of a customer removed; in none is the token, or anybody's data, in a log or a message."
    yield "`make soak` plays all of them, `make test` a part."
    yield ""
    yield "`make faults` plays them and writes this page."
    yield ""
    yield "## How a row or a unit may end"
    yield ""
    yield "*As without the fault* means that the request is repeated, or looked up, until it is certain. Where a table"
    yield "cell names more words, each of them is true: `unknown` says that it may have been done, `rejected` that it"
    yield "was not, and `unprocessed` that the run ended before anybody knows: `resume` asks about what had left."
    yield ""
    kinds = list(KINDS)
    yield "| Reply | Variants | Objects with ids, lists and files | Notes and messages |"
    yield "|---|---:|---|---|"
    for group, names in GROUPS.items():
        yield f"| {group} | {len(names)} | {_ends(group, once=False)} | {_ends(group, once=True)} |"
    yield ""
    yield "The kinds of requests: " + ", ".join(f"{kind}" for kind in kinds) + "."
    yield ""
    yield "## What nobody can tell"
    yield ""
    yield "These replies are to the letter what Gladly itself would say. They are played as well, and what a run says"
    yield "then is as wrong as what it was told:"
    yield ""
    yield "| Request | Reply | Work done | Why |"
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
