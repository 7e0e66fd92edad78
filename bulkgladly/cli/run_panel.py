"""The live view of a run: always as many lines, so that nothing jumps while one reads. Pure.

customers.csv to https://acme.gladly.com                    customers-upsert_20261127T130210Z_4a20f903
[━━━━━━━━━━━━━━━━━━━─────────────────────────────────────────]  24.4 %   12,345 of about 50,617 rows
result    12,200 created, 145 rejected
rejects   90 invalid_phone, 40 invalid_email, 15 duplicate_key
pace      8.9 of 9.0 requests/s, 2 in flight
time      23 min elapsed, done at about 14:05, in 1 h 12 min

Ctrl-C stops safely (resume later); press it twice to stop at once
"""

import datetime as dt
from typing import TYPE_CHECKING

from bulkgladly.cli.clock_words import done_text
from bulkgladly.cli.progress_words import counts_text, done_words, pace_text, said_counts
from bulkgladly.cli.terminal_lines import Line, Style, coloured
from bulkgladly.shown import MOST_NAME, shown

if TYPE_CHECKING:
    from bulkgladly.runs.observer import RunView

__all__ = ("panel_lines",)

FEWEST_BAR, MOST_BAR = 10, 100
MOST_REASONS = 3
_SHARE = len("100.0 %")
_TEXT_AT = len("rejects   ")
_HINTS = ("Ctrl-C stops safely (resume later); press it twice to stop at once", "Ctrl-C stops safely")
_REASONS_OF = {"units": "failed", "comparisons": "differs"}
_HINTS_STOPPING = ("Ctrl-C stops at once",)


def panel_lines(view: "RunView", now: dt.datetime, width: int, *, is_utf8: bool = True) -> list[Line]:
    """Return a run as lines for a terminal of this width. `now` is the local time.

    The bar can be told from its track without colour. Texts of others are shortened, so that they take one line.
    """
    from bulkgladly.runs.observer import duration_text

    is_export = view.things == "units"
    counts = said_counts(view.counts, is_export=is_export)
    result = _fitting(width - _TEXT_AT, counts_text(counts), counts_text(counts, with_shares=False))
    elapsed = f"{duration_text(view.seconds)} elapsed"
    end = done_text(view.eta_s, now) if view.eta_s is not None else ""
    time = _fitting(width - _TEXT_AT, f"{elapsed}, {end}" if end else elapsed, end.partition(",")[0], elapsed)
    pace = f"{pace_text(view)}, {view.in_flight:,} in flight"
    steered = f"{pace}, {view.pace_note}" if view.pace_note else pace
    throttled = f", {view.throttled:,} throttled (HTTP 429)" if view.throttled else ""
    waiting = ""
    if view.waiting:
        wait = f"waiting {duration_text(view.waiting_s)}: " if view.waiting_s else ""
        waiting = _cut(wait + shown(view.waiting, MOST_NAME), width)
    return [
        _head(view, width),
        _bar(view, width, is_utf8=is_utf8),
        coloured(f"result    {result or 'nothing yet'}"),
        _reasons(view, width, label=_REASONS_OF.get(view.things, "rejects")),
        coloured(
            f"pace      {_fitting(width - _TEXT_AT, f'{steered}{throttled}', steered, f'{pace}{throttled}', pace)}"
        ),
        Line(((f"time      {time}", None),)),
        Line(((waiting, Style.WARNING),)),
        Line(((_fitting(width, *(_HINTS_STOPPING if view.is_stopping else _HINTS)), Style.DIM),)),
    ]


def _head(view: "RunView", width: int) -> Line:
    """Return what is moved, and at the right the name of the run if there is room."""
    subject = _cut(shown(view.subject or view.run, MOST_NAME), width)
    gap = width - len(subject) - len(view.run)
    if not view.subject or gap < 2:
        return Line(((subject, Style.STRONG),))
    return Line(((subject, Style.STRONG), (" " * gap, None), (view.run, Style.DIM)))


def _bar(view: "RunView", width: int, *, is_utf8: bool) -> Line:
    """Return the bar, the share and the number of rows. The bar is as long whatever these say."""
    from bulkgladly.runs.observer import share_text

    told = done_words(view)
    share = share_text(view.done, view.rows) if view.rows else ""
    most = len(told) - len(f"{view.done:,}") + len(f"{view.rows:,}")
    room = min(width - most - _SHARE - len("[]") - 4, MOST_BAR)
    text = f"{share:>{_SHARE}}  {told:>{most}}"
    if room < FEWEST_BAR:
        return Line(((text.strip(), None),))
    full, track = ("━", "─") if is_utf8 else ("#", "-")
    filled = room * view.done // max(view.rows, 1)
    bar = ((full * filled, Style.GOOD), (track * (room - filled), Style.DIM))
    return Line((("[", None), *bar, (f"]  {text}", None)))


def _reasons(view: "RunView", width: int, *, label: str) -> Line:
    """Return why records were rejected, the most frequent reason first; what does not fit is left out."""
    told = ""
    for reason, number in view.reasons[:MOST_REASONS]:
        longer = f"{told}{', ' if told else ''}{number:,} {shown(reason, MOST_NAME)}"
        if told and len(longer) > width - _TEXT_AT:
            break
        told = longer
    return Line(((f"{label:<8}  ", None), (_cut(told, width - _TEXT_AT), Style.BAD) if told else ("none", None)))


def _fitting(width: int, *texts: str) -> str:
    """Return the first text that fits; the last one, cut, if none does."""
    return next((text for text in texts if len(text) <= width), _cut(texts[-1], width))


def _cut(text: str, width: int) -> str:
    """Return a text of one line, shortened at its end."""
    return text if len(text) <= width else f"{text[: width - 1]}…"
