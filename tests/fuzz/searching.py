"""Inputs for a target, drawn by hypothesis: those of the corpus, cut, joined, repeated and overwritten."""

from collections.abc import Sequence
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

__all__ = ("corpus_of", "search")

_CORPUS = Path(__file__).parent / "corpus"
_ODD = (
    *(b"\0", b"\xff", b"\xef\xbb\xbf", b"\r", b"\n", b'"', b"\\", b",", b"{", b"}", b"[", b"]", b"-", b"1e999"),
    *(b"null", b"NaN", b'"\\ud800"', b"9" * 40, b"[" * 200, b"\xe2\x80\xae", b"\x1b[2J", b"0001-01-01T00:00:00Z"),
    *(b"9999-12-31T23:59:59+14:00", b"2026-02-30T00:00:00Z", b"-0", b"1E-400", b"''", b'""', b"true", b"\xc0\x80"),
)


def corpus_of(name: str) -> list[Path]:
    """Return the inputs that are kept for a target."""
    return sorted((_CORPUS / name).iterdir())


def search(name: str, *, examples: int, seed: int | None = None) -> None:
    """Try so many inputs on a target, always the same ones without a seed; raises what the target raises."""
    target = TARGETS[name]
    seeds = [path.read_bytes() for path in corpus_of(name)]

    @settings(
        max_examples=examples,
        derandomize=seed is None,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        phases=(Phase.generate, Phase.shrink),
        print_blob=False,
    )
    @given(_changed(seeds))
    def attempt(data: bytes) -> None:
        target(data)

    (attempt if seed is None else seeded(seed)(attempt))()


@st.composite
def _changed(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    data = draw(st.one_of(st.sampled_from(seeds), st.binary(max_size=64)))
    for _ in range(draw(st.integers(0, 4))):
        first, last = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
        middle = draw(
            st.one_of(
                st.just(b""),
                st.sampled_from(_ODD),
                st.just(data[first:last] * 2),
                st.binary(max_size=8),
                st.sampled_from(seeds),
            )
        )
        data = (data[:first] + middle + data[last:])[:8192]
    return data
