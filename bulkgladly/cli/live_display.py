"""Live state as tables that fit a terminal.

A view holds only harmless texts. They become `Text`, since what Rich is given as a str it reads as markup.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from bulkgladly.cli.live_words import (
    UNKNOWN,
    channel_text,
    doubt_text,
    due_text,
    gap_texts,
    headline,
    inbox_text,
    queue_wait_text,
    source_text,
    span_text,
    state_text,
    step_text,
    wait_text,
    works_text,
)

if TYPE_CHECKING:
    from bulkgladly.live.live_view import LiveView

__all__ = ("live_table",)

WIDE = 120
"""From this width on all columns are shown."""
LINES_AROUND = 2
"""The headline, and the empty line above the notes."""
LINES_OF_HEAD, FEWEST_LINES = 2, 4


class _Column(NamedTuple):
    """A column: its head, its greatest width on a narrow and on a wide terminal; 0 leaves it out."""

    head: str
    narrow: int
    wide: int
    is_right: bool = False


class _Section(NamedTuple):
    """A table: its columns, its rows as texts with a style, how many more there are, and its share of the height."""

    columns: tuple[_Column, ...]
    rows: Sequence[tuple[str, tuple[str, ...]]]
    more: int
    share: int


CONTACT_COLUMNS = (
    _Column("WAITING", 14, 14),
    _Column("CHANNEL", 10, 11),
    _Column("INBOX", 17, 26),
    _Column("NOW", 18, 30),
    _Column("REPLY DUE", 13, 16),
    _Column("CUSTOMER", 0, 24),
)
AGENT_COLUMNS = (
    _Column("AGENT", 22, 30),
    _Column("STATE", 16, 31),
    _Column("FOR", 12, 12),
    _Column("AVAILABLE FOR", 22, 31),
    _Column("REASON", 0, 18),
    _Column("CONTACTS", 0, 8, is_right=True),
)
TASK_COLUMNS = (
    _Column("TASK DUE", 16, 16),
    _Column("ASSIGNED TO", 24, 30),
    _Column("INBOX", 20, 30),
    _Column("TASK", 12, 24),
    _Column("", 0, 16),
)
QUEUE_COLUMNS = (
    _Column("OPEN CONTACTS", 14, 14),
    _Column("INBOX", 26, 40),
    _Column("OPEN", 6, 8, is_right=True),
    _Column("WAITING", 8, 8, is_right=True),
    _Column("LONGEST", 14, 14, is_right=True),
)


def live_table(view: "LiveView", *, width: int, height: int | None = None) -> Any:
    """Return a view as tables for Rich, not wider than `width` and, if it is given, not higher than `height`."""
    from rich.console import Group
    from rich.text import Text

    sections = [_contacts(view), _agents(view), _tasks(view), _queues(view)]
    sections = [section for section in sections if section.rows]
    notes = [source_text(view), *gap_texts(view)]
    counts: Sequence[int] = [len(section.rows) for section in sections]
    if height is not None:
        counts = _fitted(sections, height - LINES_AROUND - len(notes))
    parts: list[Any] = [_line(headline(view), "bold")]
    for section, most in zip(sections, counts, strict=True):
        if most > 0:
            parts += [Text(""), _table_of(section, most, width)]
    return Group(*parts, Text(""), *(_line(note, "dim") for note in notes))


def _contacts(view: "LiveView") -> _Section:
    found = [each for each in view.contacts if each.waiting != "no"]
    rows = [
        (
            "red" if each.is_overdue else "dim" if each.waiting == "unknown" else "",
            (
                wait_text(each, view.at),
                channel_text(each),
                inbox_text(each),
                step_text(each),
                due_text(each.due_at, view.at) if each.waiting == "yes" else "",
                each.customer_id or UNKNOWN,
            ),
        )
        for each in found
    ]
    return _Section(CONTACT_COLUMNS, rows, view.left_out.get("contacts", 0), 4)


def _agents(view: "LiveView") -> _Section:
    styles = {"available": "green", "away": "yellow", "unavailable": "yellow", "logged_out": "dim", "unknown": "dim"}
    rows = [
        (
            styles.get(each.state, ""),
            (
                each.name or each.agent_id,
                state_text(each),
                span_text(each.since, view.at),
                works_text(each),
                each.reason or "",
                "" if each.contacts is None else f"{each.contacts:,}",
            ),
        )
        for each in view.agents
    ]
    return _Section(AGENT_COLUMNS, rows, view.left_out.get("agents", 0), 4)


def _tasks(view: "LiveView") -> _Section:
    rows = [
        (
            "red" if each.is_overdue else "",
            (
                due_text(each.due_at, view.at),
                each.agent_name or each.agent_id or "",
                inbox_text(each),
                each.task_id,
                doubt_text(each),
            ),
        )
        for each in view.tasks
    ]
    return _Section(TASK_COLUMNS, rows, view.left_out.get("tasks", 0), 2)


def _queues(view: "LiveView") -> _Section:
    rows = [
        (
            "",
            (
                channel_text(each),
                inbox_text(each),
                f"{each.open:,}",
                f"{each.waiting:,}" + (f" +{each.unknown}?" if each.unknown else ""),
                "" if each.longest_waiting_since is None else queue_wait_text(each, view.at),
            ),
        )
        for each in view.queues
    ]
    return _Section(QUEUE_COLUMNS, rows, view.left_out.get("queues", 0), 2)


def _fitted(sections: Sequence[_Section], lines: int) -> list[int]:
    """Return how many lines of rows each table gets; 0 leaves it out, the last one first.

    Each table has a head and an empty line above it. What one does not need of its share goes to the others.
    """
    counts = [0] * len(sections)
    kept = list(range(len(sections)))
    while len(kept) > 1 and lines - LINES_OF_HEAD * len(kept) < FEWEST_LINES * len(kept):
        kept.pop()
    for _ in range(max(0, lines - LINES_OF_HEAD * len(kept))):
        wanting = [at for at in kept if counts[at] < len(sections[at].rows)]
        if not wanting:
            break
        counts[min(wanting, key=lambda at: (counts[at] + 1) / sections[at].share)] += 1
    return counts


def _table_of(section: _Section, most: int, width: int) -> Any:
    from rich.table import Table
    from rich.text import Text

    chosen = _columns_for(section.columns, width)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for at, most_width in chosen:
        column = section.columns[at]
        table.add_column(
            Text(column.head),
            justify="right" if column.is_right else "left",
            no_wrap=True,
            overflow="ellipsis",
            max_width=most_width,
        )
    # The last line says how many are not shown, unless it would hide the only one.
    shown_rows = most if most >= len(section.rows) and not section.more else max(1, most - 1)
    for style, cells in section.rows[:shown_rows]:
        table.add_row(*(Text(cells[at], style=style if place < 2 else "") for place, (at, _) in enumerate(chosen)))
    hidden = len(section.rows) - shown_rows + section.more
    if hidden and (shown_rows < most or most >= len(section.rows)):
        table.add_row(Text(f"+ {hidden:,} more", style="dim"))
    return table


def _columns_for(columns: Sequence[_Column], width: int) -> list[tuple[int, int]]:
    """Return the places of the columns that fit a terminal, each with its greatest width. The last go first."""
    widths = [column.wide if width >= WIDE else column.narrow for column in columns]
    chosen = [(at, most) for at, most in enumerate(widths) if most]
    while len(chosen) > 2 and sum(most + 2 for _, most in chosen) - 2 > width:
        chosen.pop()
    return chosen


def _line(text: str, style: str) -> Any:
    from rich.text import Text

    return Text(text, style=style, no_wrap=True, overflow="ellipsis")
