"""No reply makes a word of a report wrong: some of the cells always, all of them with `make soak`."""

import random
from collections.abc import Iterator, Sequence

import pytest

from bulkgladly.emulator.faults.fault_catalogue import CATALOGUE
from tests.faults.matrix import CELLS, GROUPS, STORMS, Cell
from tests.faults.scenes import EXPORTS, IMPORTS, KINDS
from tests.faults.table import PAGE, page, play_all

SLICES = 12


def _chosen() -> Iterator[Cell]:
    """One reply of each group for each tenth kind, another one for the next: every group, every kind."""
    kinds = list(KINDS)
    for at, group in enumerate(GROUPS):
        for kind in kinds[at % 4 :: 4]:
            cells = [cell for cell in CELLS if (cell.kind, cell.group) == (kind, group)]
            yield random.Random(f"{kind}{group}").choice(cells)  # noqa: S311  # repeatable


def wrong(words: Sequence[str]) -> None:
    assert not words, "\n".join(words)


@pytest.mark.parametrize("kind", KINDS)
async def test_no_word_is_wrong_whatever_the_reply_is(kind: str) -> None:
    """A cell of every group and of every kind, the same ones each time."""
    played = await play_all([cell for cell in _chosen() if cell.kind == kind])

    assert played
    wrong([f"{each.cell.name}: {each.wrong}" for each in played if each.wrong])


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("at", range(SLICES))
async def test_no_word_is_wrong_in_the_whole_matrix(at: int) -> None:
    """All cells."""
    wrong([f"{each.cell.name}: {each.wrong}" for each in await play_all(CELLS[at::SLICES]) if each.wrong])


def test_the_matrix_has_every_kind_and_every_reply() -> None:
    """Nothing is left out because it went wrong."""
    replies = {name for names in GROUPS.values() for name in names}

    assert replies - STORMS.keys() <= CATALOGUE.keys()
    assert {(cell.kind, cell.reply) for cell in CELLS} == {(kind, reply) for kind in KINDS for reply in replies}
    assert {cell.kind for cell in CELLS if cell.executes and cell.reply == "500_errors"} == set(IMPORTS)
    assert set(KINDS) == {*IMPORTS, *EXPORTS}


def test_the_page_says_what_is_played() -> None:
    """`make faults` writes it."""
    assert PAGE.read_text(encoding="utf-8") == page()
