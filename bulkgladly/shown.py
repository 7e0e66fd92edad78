"""Text from outside as one line that is safe to print: the one place that decides what a terminal gets.

What Gladly, a proxy, a file or a name holds may be anything: escape sequences that clear the
screen, line breaks that forge a line of ours, marks that turn the direction of writing. It is
kept as it is in the journal and in the result files, and escaped where it becomes a line.
"""

import re

__all__ = ("MOST_DETAIL", "MOST_LINE", "MOST_NAME", "escaped_json", "escaped_toml", "shown", "shown_cell")

MOST_LINE = 6000
"""A line of ours with what it quotes; a command that names the longest possible path fits in."""
MOST_NAME = 300
"""A name, a code, a detail: what others put into a line of ours."""

MOST_DETAIL = 2000
"""A whole sentence with a path or a detail in it."""

_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_MARKUP = re.compile(r"[\\`*\[\]<>|]")


def shown(text: str, most: int = MOST_LINE) -> str:
    r"""Return a text as one line without anything that a terminal obeys or a reader cannot see.

    Characters that are not printable stand as `\n`, `\x1b`, `\u202e`, `\ud800`; a backslash
    stays as it is. What is longer than `most` characters ends in `…`, with the number of those
    left out.
    """
    left_out = len(text) - most
    if left_out > 0:
        text = text[:most]
    line = text if text.isprintable() else "".join(map(_visible, text))
    return f"{line}… ({left_out:,} more characters)" if left_out > 0 else line


def shown_cell(text: str, most: int = MOST_DETAIL) -> str:
    """Return a text for a page in Markdown: as `shown`, and nothing in it is markup."""
    return _MARKUP.sub(r"\\\g<0>", shown(text, most))


def escaped_json(text: str) -> str:
    r"""Return JSON in which what is not printable stands as `\uXXXX`: the same value, and safe on a terminal."""
    lines = (line if line.isprintable() else "".join(map(_json_escape, line)) for line in text.split("\n"))
    return "\n".join(lines)


def escaped_toml(line: str) -> str:
    r"""Return a line of TOML in which what is not printable stands as `\uXXXX` or `\UXXXXXXXX`: the same value."""
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
