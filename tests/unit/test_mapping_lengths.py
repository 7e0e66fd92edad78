"""Texts that are too long: nothing is lost but the blanks where they are split."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.mapping.lengths import cut_text, split_text

TEXTS = st.text(st.sampled_from("ab. \né\u0301\u200d😀👍🏽"), max_size=200) | st.text(max_size=200)


@given(TEXTS, st.integers(1, 50))
def test_pieces_fit_and_together_are_the_text(text: str, most: int) -> None:
    """Every character that can be seen is there, in its order."""
    pieces = split_text(text, most)

    assert all(len(piece) <= most for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert pieces == [text] if len(text) <= most else all(piece.strip() for piece in pieces) or pieces == [""]


@given(TEXTS, st.integers(2, 50))
def test_a_cut_fits_and_is_the_beginning(text: str, most: int) -> None:
    """With a mark where something is missing."""
    cut = cut_text(text, most)

    assert len(cut) <= most
    assert cut == text if len(text) <= most else (cut[-1] == "…" and text.startswith(cut[:-1]))


@pytest.mark.parametrize(
    ("text", "most", "pieces"),
    [
        ("one two three", 8, ["one two", "three"]),
        ("First one. Second one.", 15, ["First one.", "Second one."]),
        ("Para one\n\nPara two is", 16, ["Para one", "Para two is"]),
        ("line one\nline two and", 16, ["line one", "line two and"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("short", 10, ["short"]),
        ("", 10, [""]),
    ],
)
def test_a_text_is_split_where_a_person_would(text: str, most: int, pieces: list[str]) -> None:
    """Between paragraphs, lines, sentences, words; else anywhere."""
    assert split_text(text, most) == pieces


def test_what_is_read_as_one_character_stays_together() -> None:
    """Accents, and families of several."""
    family = "👩\u200d👩\u200d👧"

    assert split_text("aaae\u0301", 4) == ["aaa", "e\u0301"]
    assert split_text("ab" + family, 5) == ["ab", family]
    assert split_text("a👍🏽", 2) == ["a", "👍🏽"]
    assert cut_text("aae\u0301bb", 4) == "aa…"
