"""Lines as a terminal shows them, and the live view of a run: layout alone, without a terminal."""

import datetime as dt
import io
import re
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from bulkgladly.cli.clock_words import done_text, when_text
from bulkgladly.cli.run_panel import panel_lines
from bulkgladly.cli.terminal_lines import (
    Line,
    Style,
    Terminal,
    coloured,
    ending_line,
    ending_word,
    folded_table,
    rendered,
    terminal_of,
)
from bulkgladly.runs.observer import RunView

NOW = dt.datetime(2026, 11, 27, 12, 53, tzinfo=dt.UTC)
VIEW = RunView(
    run="customers-upsert_20261127T130210Z_4a20f903",
    counts={"created": 12_200, "rejected": 145},
    done=12_345,
    rows=50_617,
    rows_exact=False,
    seconds=1380.0,
    requests=12_345,
    requests_per_second=8.9,
    allowed_per_second=9.0,
    in_flight=2,
    throttled=3,
    waiting=None,
    waiting_s=0.0,
    eta_s=4320.0,
    subject="crm_export.csv to https://acme.gladly.com",
    reasons=(("invalid_phone", 90), ("invalid_email", 40), ("duplicate_key", 15), ("unknown_key", 1)),
)
LONG = "  fix: pass the country of local numbers, for example --phone-region GB, or write them with + and their country"


class Stream(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True


def drawn(view: RunView, width: int) -> list[str]:
    """The live view as a terminal of this width shows it, without colour."""
    return [rendered(line, Terminal(width)) for line in panel_lines(view, NOW, width)]


@pytest.mark.parametrize("width", [40, 80, 140])
def test_the_panel_says_by_whose_word_the_pace_is_what_it_is(width: int) -> None:
    """If there is room; a run that is paused says so, and does not show a limit of nothing."""
    scheduled = replace(VIEW, pace_note="by --rate-schedule until Fri 20:00")
    paused = replace(VIEW, waiting="paused by runs pause", allowed_per_second=0.0, requests_per_second=0.0)

    assert [("until Fri 20:00" in line) for line in drawn(scheduled, width)] == [
        width > 40 and at == 4 for at in range(8)
    ]
    slow = replace(VIEW, allowed_per_second=0.01, requests_per_second=0.012)
    assert drawn(slow, width)[4].startswith("pace      0.012 of 0.01 reque")
    assert drawn(paused, width)[6] == "paused by runs pause"
    assert drawn(paused, width)[4].startswith("pace      0.0 requests/s, noth")
    assert all(len(line) <= width for line in drawn(scheduled, width) + drawn(paused, width))


def test_the_end_of_a_run_is_told_by_the_clock_that_will_be_there() -> None:
    """In the night in which clocks go back, a run of four hours from 23:00 on ends at 02:00."""
    berlin = ZoneInfo("Europe/Berlin")
    evening = dt.datetime(2026, 10, 24, 23, 0, tzinfo=berlin)
    lines = panel_lines(replace(VIEW, eta_s=4 * 3600.0), evening, 140)
    assert "done tomorrow at about 02:00, in 4 h" in lines[5].text
    morning = dt.datetime(2026, 10, 25, 8, 0, tzinfo=berlin)
    assert when_text(dt.datetime(2026, 10, 24, 20, 0, tzinfo=dt.UTC), morning) == "yesterday 22:00"


@pytest.mark.parametrize("width", [20, 40, 80, 100])
def test_lines_are_wrapped_between_words(width: int) -> None:
    """Nothing is lost, no row is too long, and the rest of a line is indented below it."""
    first, *rest = rendered(LONG, Terminal(width)).split("\n")

    assert " ".join([first, *(row.strip() for row in rest)]) == LONG
    assert all(len(row) <= width for row in (first, *rest))
    assert all(row.startswith("    ") and row[4] != " " for row in rest)


def test_a_share_stays_with_its_sign() -> None:
    """Nobody reads a row that begins with a percent sign."""
    line = "  400 rows read: 65 created (16.2 %), 12 rejected (3 %), 323 unprocessed (80.8 %)"

    assert rendered(line, Terminal(80)).split("\n")[-1].strip() == "(80.8 %)"


def test_the_rest_of_a_line_stands_below_its_last_column() -> None:
    """As in a table; a word that is too long for the column gets the whole row."""
    assert rendered("  ok  credentials   set and not shown", Terminal(30)).split("\n") == [
        "  ok  credentials   set and",
        "      not shown",
    ]
    assert rendered("  ok  disk  22 GiB free in this folder", Terminal(30)).split("\n") == [
        "  ok  disk  22 GiB free in",
        "            this folder",
    ]
    assert rendered(f"  rejected.csv  3 rows  {'x' * 25}", Terminal(30)).split("\n")[1] == f"    {'x' * 25}"


def test_what_is_copied_stays_whole() -> None:
    """The terminal breaks it by itself, so that it can be copied as one line."""
    command = "  next: bulkgladly import customers a-long-folder/rejected.csv --key crm_id"
    quoted = "no run is left; start one with `bulkgladly import customers customers.csv`, or name it"

    assert rendered(command, Terminal(30)) == command
    assert "`bulkgladly import customers customers.csv`," in rendered(quoted, Terminal(50)).split("\n")[1]


def test_wide_characters_take_two_columns() -> None:
    """Else the terminal would break the line in the middle of a word."""
    assert rendered("顧客の名前 です", Terminal(12)).split("\n") == ["顧客の名前", "  です"]


def test_colour_takes_a_terminal_that_wants_it() -> None:
    """NO_COLOR, TERM=dumb and pipes: none; a pipe is not wrapped either."""
    assert terminal_of(io.StringIO(), {"COLUMNS": "40"}) == Terminal(None)
    assert terminal_of(Stream(), {"COLUMNS": "40"}) == Terminal(40, is_coloured=True)
    assert terminal_of(Stream(), {"COLUMNS": "40", "NO_COLOR": "1"}) == Terminal(40)
    assert terminal_of(Stream(), {"TERM": "dumb"}) == Terminal(80)
    assert rendered(LONG, Terminal()) == LONG


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("r: complete", [("complete", Style.GOOD)]),
        ("r: interrupted (SIGINT)", [("interrupted", Style.WARNING)]),
        (
            "3 rows read: 2 created (66.7 %), 1 rejected (33.3 %)",
            [("2 created", Style.GOOD), ("1 rejected", Style.BAD)],
        ),
        ("error: 3 rejected.csv: no such file", [("error", Style.BAD)]),
        ("1 failed-rows.csv, 2 unknown/x, complete: all", []),
    ],
)
def test_what_went_well_and_what_did_not_is_coloured(text: str, told: list[tuple[str, Style]]) -> None:
    """By a number with its word; names of files stay plain."""
    line = coloured(text)

    assert line.text == text
    assert [piece for piece in line.pieces if piece[1] is not None] == told


def test_complete_is_not_good_if_something_was_rejected() -> None:
    """The colour of the first line must not say the opposite of the exit code."""
    assert ending_line("r: complete", is_clean=True) == coloured("r: complete")
    assert ("complete", Style.WARNING) in ending_line("r: complete", is_clean=False).pieces
    assert ("stopped", Style.WARNING) in ending_line("r: stopped (a limit)", is_clean=True).pieces
    assert ending_word("complete", is_clean=False).pieces == (("complete", Style.WARNING),)


def test_colour_goes_on_in_the_next_row_and_escapes_stay_harmless() -> None:
    """What comes from outside cannot set colours."""
    line = Line((("all is well \x1b[2J", Style.GOOD),))

    assert rendered(line, Terminal(12, is_coloured=True)) == "\x1b[32mall is well\x1b[0m\n  \x1b[32m\\x1b[2J\x1b[0m"


def test_columns_that_do_not_fit_stand_below_their_row() -> None:
    """With their heads; what is the same in all rows is told once."""
    head, rows = (
        ("data set", "rows", "none", "written", "drift"),
        [("agents", "70", "", "now", "2"), ("b", "5", "", "now", "")],
    )

    wide, narrow = ([line.text for line in folded_table(head, rows, width)] for width in (None, 15))

    assert wide == ["data set  rows  written  drift", "agents      70  now          2", "b            5  now"]
    assert narrow == ["data set  rows", "agents      70", "    drift: 2", "b            5", "all: written: now"]


@pytest.mark.parametrize("width", [80, 140])
def test_the_live_view_fits_and_shows_what_matters(width: int) -> None:
    """The file, why rows are rejected, the pace, elapsed time, and the time of the end."""
    lines = drawn(VIEW, width)

    assert all(len(line) <= width and "\n" not in line for line in lines)
    assert lines[0].startswith("crm_export.csv to https://acme.gladly.com")
    assert (VIEW.run in lines[0]) == (width == 140)
    assert lines[1].endswith("12,345 of about 50,617 rows")
    assert "24.4 %" in lines[1]
    assert lines[2:6] == [
        "result    12,200 created (98.8 %), 145 rejected (1.2 %)",
        "rejects   90 invalid_phone, 40 invalid_email, 15 duplicate_key",
        "pace      8.9 of 9.0 requests/s, 2 in flight, 3 throttled (HTTP 429)",
        "time      23 min elapsed, done at about 14:05, in 1 h 12 min",
    ]


@pytest.mark.parametrize("width", [40, 60, 80])
def test_nothing_jumps(width: int) -> None:
    """Whatever happens, the view has as many lines, and the bar ends at the same column."""
    views = [
        replace(VIEW, counts={}, done=0, eta_s=None, reasons=(), throttled=0),
        VIEW,
        replace(VIEW, waiting="outage: no connection to the host " * 9, waiting_s=12.0),
        replace(VIEW, waiting="stopping: waiting for 3 requests", is_stopping=True, eta_s=None),
    ]

    shown = [drawn(view, width) for view in views]

    assert {len(lines) for lines in shown} == {8}
    assert [line for lines in shown for line in lines if len(line) > width or "\n" in line] == []
    assert {lines[1].find("]") for lines in shown} == {shown[0][1].find("]")}
    assert shown[0][2:4] == ["result    nothing yet", "rejects   none"]
    assert shown[3][6:] == ["stopping: waiting for 3 requests", "Ctrl-C stops at once"]


def test_the_bar_is_seen_without_colour() -> None:
    """And on terminals without UTF-8."""
    bar = panel_lines(VIEW, NOW, 80)[1].text
    plain = panel_lines(VIEW, NOW, 80, is_utf8=False)[1].text

    assert re.match(r"\[━+─+\]  ", bar)
    assert re.match(r"\[#+-+\]  ", plain)


def test_an_export_names_what_failed() -> None:
    """It has no rejects, but downloads."""
    view = replace(VIEW, things="units", counts={"created": 5}, reasons=(("topics", 2),), eta_s=None)

    lines = drawn(view, 80)

    assert lines[1].endswith(" downloads")
    assert lines[2:4] == ["result    5 new", "failed    2 topics"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (4320.0, "done at about 14:05, in 1 h 12 min"),
        (12 * 3600.0, "done tomorrow at about 00:53, in 12 h 00 min"),
        (3 * 86_400.0, "done Monday at about 12:53, in 3 d 0 h"),
        (9 * 86_400.0, "done on 6 December at about 12:53, in 9 d 0 h"),
    ],
)
def test_the_end_of_a_run_is_a_time_of_day(seconds: float, text: str) -> None:
    """The day is named if it is another one."""
    assert done_text(seconds, NOW) == text


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (dt.datetime(2026, 11, 27, 9, 5, tzinfo=dt.UTC), "today 09:05"),
        (dt.datetime(2026, 11, 26, 23, 5, tzinfo=dt.UTC), "yesterday 23:05"),
        (dt.datetime(2026, 11, 3, 9, 5, tzinfo=dt.UTC), "3 Nov 09:05"),
        (dt.datetime(2025, 11, 3, 9, 5, tzinfo=dt.UTC), "3 Nov 2025"),
    ],
)
def test_a_beginning_is_told_in_words(time: dt.datetime, text: str) -> None:
    """The further away, the less of it."""
    assert when_text(time, NOW) == text
