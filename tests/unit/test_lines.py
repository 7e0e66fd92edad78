"""Lines of bytes: whatever the blocks, the lines and their offsets are the same, and none above the limit is held."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.lines import SHOWN_BYTES, cut_lines, stretches

CONTENT = st.lists(st.sampled_from([b"\n", b"\r\n", b"a", b"bb" * 4, "\u2028".encode(), b"\0"]), max_size=40).map(
    b"".join
)
LIMIT = 6


def blocks_of(content: bytes, size: int) -> list[bytes]:
    return [content[at : at + size] for at in range(0, len(content), size)]


def expected(content: bytes) -> list[tuple[int, bytes, bool]]:
    lines, offset = [], 0
    *whole, last = content.split(b"\n")
    for line in [*whole, *([last] if last else [])]:
        is_whole = len(line) <= LIMIT
        lines.append((offset, line if is_whole else line[:LIMIT], is_whole))
        offset += len(line) + 1
    return lines


@given(CONTENT, st.integers(1, 9), st.integers(0, 5))
def test_lines_do_not_depend_on_the_blocks(content: bytes, size: int, offset: int) -> None:
    """Each with the offset at which it begins; a line above the limit is cut and marked."""
    found = list(cut_lines(blocks_of(content, size), max_line_bytes=LIMIT, offset=offset))

    assert found == [(offset + at, line, is_whole) for at, line, is_whole in expected(content)]


@given(CONTENT, st.integers(1, 9), st.integers(0, 30))
def test_stretches_are_all_of_the_bytes(content: bytes, size: int, batch_bytes: int) -> None:
    """What is not cut stands there as it came, and sizes count what was cut as well."""
    found = list(stretches(blocks_of(content, size), max_line_bytes=LIMIT, batch_bytes=batch_bytes))

    assert sum(one.size for one in found) == len(content)
    assert all(one.data.endswith(b"\n") for one in found[:-1] if not one.is_cut)
    assert all(len(one.data) == one.size for one in found if not one.is_cut)


def test_a_line_that_must_not_be_so_long_is_refused_at_once() -> None:
    """Before its end has come: it may never come."""
    blocks = iter([*[b"x" * 10] * 3, b"never read"])

    with pytest.raises(ValueError, match="too long"):
        list(stretches(blocks, max_line_bytes=15, refusal=ValueError("too long")))

    assert list(blocks) == [b"x" * 10, b"never read"]


def test_of_a_long_line_its_beginning_is_kept() -> None:
    """Enough to show it, however long it is."""
    (found,) = cut_lines([b"x" * 5000] * 3, max_line_bytes=6000)

    assert found == (0, b"x" * SHOWN_BYTES, False)
