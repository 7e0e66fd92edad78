"""Lines for people as their terminal shows them: wrapped between words, and in colour where that helps.

A stream that is not a terminal gets each line as one line, without colour: others search and cut it.
"""

import enum
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TextIO

from bulkgladly.shown import shown

__all__ = (
    "PLAIN",
    "USUAL_WIDTH",
    "Line",
    "Style",
    "Terminal",
    "coloured",
    "ending_line",
    "ending_word",
    "folded_table",
    "rendered",
    "terminal_of",
    "width_of",
)

USUAL_WIDTH = 80
NARROWEST = 20
_STEP = 2
"""How far the rest of a wrapped line is indented."""
_TOKEN = re.compile(r"\s+|(?:`[^`]*`|\d %|\S)+")
"""A command in backticks is one token: broken by us, it could not be copied. So is a share: 80.8 %."""
_TO_COPY = re.compile(r"\s*(?:next|run|fix): (?=bulkgladly )")
_LEADING_NUMBER = re.compile(r" {4,}[\d,]+ (?:x )?(?=\S)")
_LAST_GAP = re.compile(r"(?<=\S) {2,}(?=\S)")


class Style(enum.StrEnum):
    """What a colour says; the value is what a terminal is told."""

    GOOD = "32"
    WARNING = "33"
    BAD = "31"
    DIM = "2"
    STRONG = "1"


Piece = tuple[str, Style | None]


class Line(NamedTuple):
    """A line in pieces, each with its style. `hang` is where the rest of it begins if it is wrapped."""

    pieces: tuple[Piece, ...]
    hang: int | None = None

    @property
    def text(self) -> str:
        """The line without its styles."""
        return "".join(text for text, _ in self.pieces)


class Terminal(NamedTuple):
    """What a stream can show: how many columns, None for as many as a line has, and whether in colour."""

    width: int | None = None
    is_coloured: bool = False


PLAIN = Terminal()
_NUMBER = re.compile(r"(?:[0-9,.]+(?: [kMGT]?B)?)?")

_WORDS: Mapping[str, Style] = {
    **dict.fromkeys(("complete", "created", "updated", "deleted", "good"), Style.GOOD),
    **dict.fromkeys(("rejected", "rejects", "failed", "refused", "unknown", "damaged"), Style.BAD),
    **dict.fromkeys(("would be refused", "to correct", "problems found", "error", "internal error"), Style.BAD),
    **dict.fromkeys(
        ("stopped", "interrupted", "paused", "unprocessed", "throttled", "dropped", "locked", "warning"), Style.WARNING
    ),
}
_EITHER = "|".join(sorted(_WORDS, key=len, reverse=True))
# Only a number with its word, a word that ends a line after a colon, and a word that begins one before a colon:
# names of files and texts of others stay plain.
_SAID = re.compile(
    rf"(?<![\w./-])\d[\d,]* (?P<counted>{_EITHER})(?![\w/-]|\.\w)"
    rf"|(?<=: )(?P<ended>{_EITHER})(?=$| \()"
    rf"|^(?P<alarm>(?:internal )?error|warning)(?=: )"
)


def terminal_of(stream: TextIO | None, environ: Mapping[str, str] = os.environ) -> Terminal:
    """Return what a stream can show. Colour takes a terminal, and neither NO_COLOR nor TERM=dumb."""
    if stream is None or not stream.isatty():
        return PLAIN
    is_coloured = not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    return Terminal(width_of(stream, environ), is_coloured)


def width_of(stream: TextIO, environ: Mapping[str, str] = os.environ) -> int:
    """Return the columns of a terminal: COLUMNS if it is set, else what the terminal itself says."""
    told = environ.get("COLUMNS", "")
    try:
        columns = int(told) if told.isdecimal() else os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):  # not a terminal after all
        columns = 0
    return max(columns or USUAL_WIDTH, NARROWEST)  # some pseudo-terminals say 0


def coloured(text: str) -> Line:
    """Return a line in pieces: numbers of what went well and of what did not, how a run ended, and alarms."""
    pieces: list[Piece] = []
    at = 0
    for found in _SAID.finditer(text):
        word = found["counted"] or found["ended"] or found["alarm"]
        pieces += [(text[at : found.start()], None), (found[0], _WORDS[word])]
        at = found.end()
    return Line((*pieces, (text[at:], None)))


def ending_word(word: str, *, is_clean: bool = True) -> Line:
    """Return the status of a run in its colour. What is complete, but not clean, is not shown as good."""
    style = _WORDS.get(word)
    return Line(((word, Style.WARNING if style is Style.GOOD and not is_clean else style),))


def ending_line(text: str, *, is_clean: bool) -> Line:
    """Return the line that says how a run ended, with its status in the colour of `ending_word`."""
    pieces = coloured(text).pieces
    return Line(
        tuple(
            ending_word(said, is_clean=is_clean).pieces[0] if said in _WORDS else (said, style)
            for said, style in pieces
        )
    )


def rendered(line: str | Line, terminal: Terminal) -> str:
    """Return a line as the stream gets it, harmless and without a line break at its end."""
    if terminal == PLAIN:
        return shown(_text(line))
    line = coloured(line) if isinstance(line, str) else line
    pieces = [(shown(text), style) for text, style in line.pieces if text]
    text = "".join(text for text, _ in pieces)
    rows = (
        [(0, len(text))] if terminal.width is None else _rows(text, terminal.width, _hang(line, text, terminal.width))
    )
    hang = 0 if terminal.width is None else _hang(line, text, terminal.width)
    told = [_painted(pieces, begin, end, terminal) for begin, end in rows]
    return f"\n{' ' * hang}".join(told)


def folded_table(head: Sequence[str], rows: Sequence[Sequence[str | Line]], width: int | None) -> list[Line]:
    """Return a table as lines. Numbers stand to the right; columns without any value are left out.

    Columns that do not fit `width` stand below their row, each with its head: `size: 3 MB, drift: 12`. One that says
    the same in all rows is told once, at the end.
    """
    texts = [[_text(cell) for cell in row] for row in rows]
    used = [at for at in range(len(head)) if any(row[at] for row in texts)]
    widths = {at: max(_cells(row[at]) for row in (head, *texts)) for at in used}
    beside = list(used)
    while width is not None and len(beside) > 1 and sum(widths[at] + 2 for at in beside) - 2 > width:
        beside.pop()
    below = [at for at in used if at not in beside]
    equal = [at for at in below if len(rows) > 1 and len({row[at] for row in texts}) == 1]
    columns = {at: (widths[at], all(_NUMBER.fullmatch(row[at]) for row in texts)) for at in beside}
    lines = [Line(((_side_by_side(head, columns).text, Style.STRONG),))]
    for row, said in zip(rows, texts, strict=True):
        lines.append(_side_by_side(row, columns))
        told: list[Piece] = []
        for at in (at for at in below if said[at] and at not in equal):
            told += [(f"{', ' if told else '    '}{head[at]}: ", Style.DIM), *_pieces(row[at])]
        if told:
            lines.append(Line(tuple(told)))
    if equal:
        lines.append(Line(((f"all: {', '.join(f'{head[at]}: {texts[0][at]}' for at in equal)}", Style.DIM),)))
    return lines


def _side_by_side(row: Sequence[str | Line], columns: Mapping[int, tuple[int, bool]]) -> Line:
    """Return a row of a table. `columns` says of each place how wide it is, and whether it holds numbers."""
    pieces: list[Piece] = []
    for at, (width, is_number) in columns.items():
        cell = row[at]
        pad = " " * (width - _cells(_text(cell)))
        own = _pieces(cell)
        pieces += [(pad, None), *own, ("  ", None)] if is_number else [*own, (f"{pad}  ", None)]
    while pieces and not pieces[-1][0].rstrip():
        pieces.pop()
    return Line((*pieces[:-1], (pieces[-1][0].rstrip(), pieces[-1][1])) if pieces else ())


def _pieces(cell: str | Line) -> tuple[Piece, ...]:
    return ((cell, None),) if isinstance(cell, str) else cell.pieces


def _text(cell: str | Line) -> str:
    return cell if isinstance(cell, str) else cell.text


def _hang(line: Line, text: str, width: int) -> int:
    """Return where the rest of a line begins: below the last of its columns, else a step to the right."""
    indent = len(text) - len(text.lstrip())
    gaps = [each.end() for each in _LAST_GAP.finditer(text) if each.end() <= width // 2]
    number = _LEADING_NUMBER.match(text)
    usual = gaps[-1] if gaps else number.end() if number else indent + _STEP
    hang = usual if line.hang is None else line.hang
    # A path that is too long for the column may have the whole row.
    longest = max((_cells(word) for word in text.split()), default=0)
    if hang > width // 2 or longest > width - hang:
        return min(indent + _STEP, width // 2)
    return hang


def _rows(text: str, width: int, hang: int) -> list[tuple[int, int]]:
    """Return where the rows of a text begin and end, so that each fits if its words do.

    A line that is a command stays whole, and so does a word that is longer than a row: the terminal breaks
    these itself, and they can be copied.
    """
    if _TO_COPY.match(text) or _cells(text) <= width:
        return [(0, len(text))]
    rows: list[tuple[int, int]] = []
    begin = end = 0
    room = width
    for token in _TOKEN.finditer(text):
        if token[0].isspace() and token.start():
            continue
        if end > begin and text[begin:end].strip() and _cells(text[begin : token.end()]) > room:
            rows.append((begin, end))
            begin, room = token.start(), width - hang
        end = token.end()
    return [*rows, (begin, end)]


def _cells(text: str) -> int:
    """Return how many columns a text takes: a Chinese character or an emoji takes two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _painted(pieces: Iterable[Piece], begin: int, end: int, terminal: Terminal) -> str:
    """Return what stands between two places of a line, in its colours."""
    told: list[str] = []
    at = 0
    for text, style in pieces:
        part = text[max(0, begin - at) : max(0, end - at)]
        at += len(text)
        if part and style is not None and terminal.is_coloured:
            part = f"\x1b[{style}m{part}\x1b[0m"
        told.append(part)
    return "".join(told)
