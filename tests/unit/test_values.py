"""Texts of the command line become numbers, or say what would."""

import datetime as dt
import math
from collections.abc import Callable
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.main import get_command

from bulkgladly.cli.app import app
from bulkgladly.cli.values import bytes_of, concurrency_of, error_budget_of, rate_of, seconds_of, share_of
from bulkgladly.errors import UsageError
from bulkgladly.plain_numbers import decimal_number, percentage, whole_number
from bulkgladly.rate_schedule import RateSchedule
from bulkgladly.runs.finish_by import finish_time_of
from bulkgladly.verification.verify_options import sample_size
from bulkgladly.webhooks.listen_address import address_of


@pytest.mark.parametrize(
    ("text", "expected"), [("0", 0.0), ("0.1", 0.1), ("10%", 0.1), ("0%", 0.0), ("99.9%", 0.999), ("0.99", 0.99)]
)
def test_shares(text: str, expected: float) -> None:
    """A share or a percentage."""
    assert share_of(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90", 90.0), ("90s", 90.0), ("30m", 1800.0), ("1.5h", 5400.0), ("2d", 172800.0), (" 8 h ", 28800.0)],
)
def test_spans_of_time(text: str, expected: float) -> None:
    """Seconds without a unit."""
    assert seconds_of("--max-duration", text) == expected


@pytest.mark.parametrize(("text", "expected"), [("5", 5.0), ("0.5", 0.5), ("unlimited", math.inf)])
def test_rates(text: str, expected: float) -> None:
    """Requests per second."""
    assert rate_of(text) == expected


@pytest.mark.parametrize(("text", "expected"), [("auto", None), ("1", 1), ("1000", 1000)])
def test_concurrencies(text: str, expected: int | None) -> None:
    """A number, or nothing for the choice of the program."""
    assert concurrency_of(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", (0, None)), ("100", (100, None)), ("1%", (None, 1.0)), ("0.5%", (None, 0.5)), ("100%", (None, 100.0))],
)
def test_error_budgets(text: str, expected: tuple[int | None, float | None]) -> None:
    """A count or a percentage, never both."""
    assert error_budget_of(text) == expected


@pytest.mark.parametrize(("text", "rows", "share"), [("500", 500, None), ("5%", None, 0.05), ("0.5%", None, 0.005)])
def test_samples(text: str, rows: int | None, share: float | None) -> None:
    """Rows or a share of them."""
    assert sample_size(text) == (rows, share)


@given(number=st.integers(0, 10**20), decimals=st.integers(0, 999))
def test_plain_numbers_are_what_python_reads(number: int, decimals: int) -> None:
    """What is taken has one meaning, and decimals do not make a whole number."""
    assert (whole_number(str(number)), percentage(f"{number}%")) == (number, float(number))
    assert decimal_number(f"{number}.{decimals}") == float(f"{number}.{decimals}")
    assert (whole_number(f"{number}.{decimals}"), percentage(str(number))) == (None, None)


@given(text=st.text(st.sampled_from("0123456789_+-.eE %\t\n\uff11\u0663\u00b2infa"), max_size=6))
def test_only_ascii_digits_and_a_point_are_numbers(text: str) -> None:
    """`int` and `float` of Python take blanks, underscores and the digits of every script."""
    assert (whole_number(text) is not None) == (text != "" and set(text) <= set("0123456789"))
    assert decimal_number(text) is None or set(text) <= set("0123456789.")


@pytest.mark.parametrize("path", ["import", "plan", "explain", "map init", "check"])
def test_options_that_are_numbers_take_plain_digits(path: str) -> None:
    """Whatever the parser would take: on the command line, in the environment and in the settings file alike."""
    command = get_command(app)
    for name in path.split():
        command = command.commands[name]  # type: ignore[attr-defined]
    hints = get_type_hints(command.callback)
    numbers = [one for one in command.params if {int, float} & {hints[one.name], *get_args(hints[one.name])}]
    context = command.context_class(command)

    assert numbers
    for one in numbers:
        for text in ("1_0", " 5", "5 ", "\uff15", "1e1", "nan", ""):
            with pytest.raises(UsageError, match=one.opts[0]):
                one.process_value(context, text)
        assert one.process_value(context, "5") == 5


def duration(text: str) -> float:
    return seconds_of("--max-duration", text)


def size(text: str) -> int:
    return bytes_of("--keep-size", text)


def sample(text: str) -> Any:
    return sample_size(text)


def clock(text: str) -> dt.datetime:
    return finish_time_of("--finish-by", text, dt.datetime(2026, 11, 27, tzinfo=dt.UTC))


def schedule(text: str) -> RateSchedule:
    return RateSchedule.of(text, dt.UTC)


@pytest.mark.parametrize(
    ("read", "flag", "texts"),
    [
        (share_of, "--reserve", ["1", "100%", "-0.1", "nan", "inf", "ten", "", "%", "0.0_1", "1e-1", "1 %", "\uff11%"]),
        (duration, "--max-duration", ["0", "0h", "-5m", "1w", "1h30m", "", "h", "nan", "1_0s", "\uff19s", "1e1s"]),
        (size, "--keep-size", ["0", "-1", "1_000", "\uff19MB", "1e3", "nan", "", "MB"]),
        (rate_of, "--rate", ["0", "-1", "nan", "inf", "fast", "", "1_0", " 5 ", "1e1", "\uff15", "9" * 400]),
        (
            concurrency_of,
            "--concurrency",
            ["0", "1001", "-1", "1.5", "many", "", "²", "\uff11", "1_0", " 5", "9" * 5000],
        ),
        (
            error_budget_of,
            "--max-errors",
            ["-1", "101%", "-1%", "nan%", "1.5", "", "%", "all", "1_0", "1_0%", " 5", "\uff15"],
        ),
        (
            sample,
            "--sample",
            ["0", "0%", "101%", "1_0", "1_0%", " 5 ", "5 %", "5%%", "%5", "\uff15", "\uff15%", "1e1", "1e1%", ""],
        ),
        (sample, "--sample", ["-5", "+5", "5.5", "nan%", "inf%", "9" * 5000]),
        (clock, "--finish-by", ["\uff11\uff12:\uff10\uff10", "24:00", "1_2:00", "12:0", "+1:00"]),
        (schedule, "the rate schedule", ["1_0", "\uff15", "1e1", "nan", "inf", "-1", "\uff10\uff18:00 5"]),
        (address_of, "--at", ["127.0.0.1:\uff18\uff10\uff18\uff10", "127.0.0.1:8_0", "127.0.0.1:99999"]),
    ],
)
def test_texts_that_cannot_work_name_the_flag(read: Callable[[str], Any], flag: str, texts: list[str]) -> None:
    """And show an example of what can."""
    for text in texts:
        with pytest.raises(UsageError, match=flag):
            read(text)
