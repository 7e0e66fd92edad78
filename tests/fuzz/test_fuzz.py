"""What fuzzing has found stays fixed, and a short search over every parser of foreign bytes."""

import time
from pathlib import Path

import pytest

from tests.fuzz.searching import corpus_of, search
from tests.fuzz.targets import TARGETS

WITHIN_S = 5.0
INPUTS = [(name, path) for name in TARGETS for path in corpus_of(name)]


@pytest.mark.parametrize(("name", "path"), INPUTS, ids=[f"{name}-{path.name}" for name, path in INPUTS])
def test_an_input_of_the_corpus_is_borne(name: str, path: Path) -> None:
    """Seeds, and every input that ever failed; none may take long."""
    began = time.process_time()

    TARGETS[name](path.read_bytes())

    assert time.process_time() - began < WITHIN_S


@pytest.mark.parametrize("name", TARGETS)
def test_a_parser_bears_what_is_changed_at_random(name: str) -> None:
    """The same inputs on every run."""
    search(name, examples=40)


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", TARGETS)
def test_a_parser_bears_much_more(name: str) -> None:
    """A hundred times as many."""
    search(name, examples=4000)


def test_every_target_has_seeds_and_every_seed_a_target() -> None:
    """A corpus that nobody replays would look like proof."""
    folders = {path.name for path in (Path(__file__).parent / "corpus").iterdir()}

    assert folders == set(TARGETS)
