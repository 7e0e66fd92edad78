"""One cell of the matrix, played: the flow with the fault, then all is well again, and what is wrong at the end."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bulkgladly.emulator import Emulator
from tests.faults.matrix import Cell
from tests.faults.quick import quick
from tests.faults.scenes import KINDS
from tests.planted import TOKEN, traces

__all__ = ("Played", "play")


@dataclass
class Played:
    """How a cell went. `wrong` is empty where every word was so, and nothing was lost."""

    cell: Cell
    words: Mapping[str, str] = field(default_factory=dict)
    exit_code: int = 0
    wrong: list[str] = field(default_factory=list)


async def play(cell: Cell, clean: Mapping[str, tuple[Mapping[str, str], int]]) -> Played:
    """Play a cell in a folder of its own; `clean` has words and exit code of each kind without a fault."""
    played = Played(cell)
    with tempfile.TemporaryDirectory(prefix="bulkgladly-matrix-") as place:
        async with Emulator(rate=None, report_rate=None, token=TOKEN) as emulator:
            scene = KINDS[cell.kind](emulator, Path(place), quick())
            await scene.prepare()
            emulator.faults.at(scene.operation, range(1, cell.times + 1), cell.fault)
            played.words = await scene.run()
            played.exit_code = scene.exit_code
            if not emulator.faults.fired:
                played.wrong.append("the fault was never met")
            words, exit_code = clean[cell.kind]
            if cell.forged is None:
                played.wrong += scene.contradictions(played.words)
            for name in words:
                word = played.words.get(name, "unprocessed")
                if name != "run" and cell.forged is None and word not in cell.allowed(words, name):
                    played.wrong.append(f"{name} is told as {word}")
            if scene.exit_code not in cell.exit_codes(exit_code) and cell.forged is None:
                played.wrong.append(f"exit code {scene.exit_code}")
            emulator.faults.clear()
            await emulator.accept()
            if cell.forged is None:
                played.wrong += scene.losses(await scene.go_on())
        played.wrong += traces([Path(place)])
    return played


async def play_clean(kind: str) -> tuple[Mapping[str, str], int]:
    """Play a kind without a fault, and return its words and its exit code."""
    with tempfile.TemporaryDirectory(prefix="bulkgladly-matrix-") as place:
        async with Emulator(rate=None, report_rate=None, token=TOKEN) as emulator:
            scene = KINDS[kind](emulator, Path(place), quick())
            await scene.prepare()
            words = await scene.run()
            exit_code = scene.exit_code
            assert not scene.contradictions(words)
            assert not scene.losses(await scene.go_on())
            return words, exit_code
