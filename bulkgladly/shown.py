"""Text from outside as one line that is safe to print: only this module decides what a terminal gets.

Text from Gladly, a proxy, a file or a name may contain anything: escape sequences that clear the
screen, line breaks that forge a line of ours, marks that reverse the direction of writing. It is
kept unchanged in the journal and in the result files, and escaped when it becomes a line.
"""

import re

__all__ = ("MOST_DETAIL", "MOST_LINE", "MOST_NAME", "cell_text", "escaped_json", "escaped_toml", "shown", "shown_cell")

MOST_LINE = 6000
"""Characters of a whole line; a command that names the longest possible path fits in."""
MOST_NAME = 300
"""Characters of a name, a code or a detail within a line."""

MOST_DETAIL = 2000
"""Characters of a sentence with a path or a detail in it."""

_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_MARKUP = re.compile(r"[\\`*\[\]<>|]")
_ESCAPED = re.compile(rf"\\({_MARKUP.pattern})")


def shown(text: str, most: int = MOST_LINE) -> str:
    r"""Return a text as one line without anything that a terminal obeys or a reader cannot see.

    Characters that are not printable become `\n`, `\x1b`, `\u202e`, `\ud800`; a backslash
    stays as it is. A text longer than `most` characters ends in `…` and the number of those
    left out.
    """
    left_out = len(text) - most
    if left_out > 0:
        text = text[:most]
    line = text if text.isprintable() else "".join(map(_visible, text))
    return f"{line}… ({left_out:,} more characters)" if left_out > 0 else line


def shown_cell(text: str, most: int = MOST_DETAIL) -> str:
    """Return a text for a Markdown page: as `shown`, with all markup escaped."""
    return _MARKUP.sub(r"\\\g<0>", shown(text, most))


def cell_text(cell: str) -> str:
    """Return the text of a Markdown cell without the escapes of `shown_cell`: one safe line for any other page."""
    return _ESCAPED.sub(r"\1", cell)


def escaped_json(text: str) -> str:
    r"""Return JSON with unprintable characters as `\uXXXX`: the same value, and safe on a terminal."""
    lines = (line if line.isprintable() else "".join(map(_json_escape, line)) for line in text.split("\n"))
    return "\n".join(lines)


def escaped_toml(line: str) -> str:
    r"""Return a line of TOML with unprintable characters as `\uXXXX` or `\UXXXXXXXX`: the same value."""
    return line if line.isprintable() else "".join(map(_toml_escape, line))


def _toml_escape(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    if named := _NAMED.get(character):
        return named
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _json_escape(character: str) -> str:
    if character.isprintable():
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
