"""Text from outside as one harmless line, as a cell of a page, and in JSON and TOML."""

import json
import tomllib
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.shown import MOST_DETAIL, MOST_LINE, cell_text, escaped_json, escaped_toml, shown, shown_cell

ANY = st.text(st.characters())


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Zoë Müller, 東京 👋", "Zoë Müller, 東京 👋"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x1b[31m\x07\x00", "\\x1b[31m\\x07\\x00"),
        ("\x7f\x9b\xa0\xad", "\\x7f\\x9b\\xa0\\xad"),
        ("\u202e\u2066\u200b\ufeff\u2028", "\\u202e\\u2066\\u200b\\ufeff\\u2028"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("C:\\temp", "C:\\temp"),
        ("", ""),
    ],
)
def test_what_a_terminal_obeys_or_nobody_sees_is_spelled_out(text: str, line: str) -> None:
    """Everything else, in whatever language, stays as it is."""
    assert shown(text) == line


@given(ANY)
def test_a_line_has_nothing_but_printable_characters(text: str) -> None:
    """Whatever comes; and once harmless, it does not change again."""
    line = shown(text)

    assert line.isprintable()
    assert not any(unicodedata.category(character) in ("Cc", "Cf", "Cs") for character in line)
    assert shown(line) == line


def test_a_line_is_bounded_and_says_how_much_is_missing() -> None:
    """A detail of a megabyte would bury everything else."""
    assert shown("x" * 30, 10) == "xxxxxxxxxx… (20 more characters)"
    assert shown("x" * 10, 10) == "x" * 10
    assert len(shown("\x00" * 10_000_000)) < 5 * MOST_LINE


def test_a_cell_is_no_markup() -> None:
    """It can end neither its cell nor its row, and is neither a link, nor code, nor HTML."""
    assert shown_cell("a|b`c`[d](e)<f>*g*\n") == "a\\|b\\`c\\`\\[d\\](e)\\<f\\>\\*g\\*\\\\n"


@given(ANY.filter(lambda text: text.isascii() or not any("\ud800" <= each <= "\udfff" for each in text)))
def test_json_and_toml_keep_their_values(text: str) -> None:
    """Escaped is not changed: a program reads what was meant."""
    plain = json.dumps({"text": text}, ensure_ascii=False)

    assert escaped_json(plain).isprintable()
    assert json.loads(escaped_json(plain)) == {"text": text}
    line = escaped_toml(f"text = {json.dumps(text, ensure_ascii=False)}")
    assert line.isprintable()
    assert tomllib.loads(line) == {"text": text}


@given(ANY)
def test_a_cell_has_the_same_text_elsewhere(text: str) -> None:
    """What was escaped for a Markdown page is the same line in JSON and on other pages."""
    assert cell_text(shown_cell(text)) == shown(text, MOST_DETAIL)
