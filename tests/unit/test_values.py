"""Texts of the command line become numbers, or say what would."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from bulkgladly.cli.values import concurrency_of, error_budget_of, rate_of, seconds_of, share_of
from bulkgladly.errors import UsageError


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


def duration(text: str) -> float:
    return seconds_of("--max-duration", text)


@pytest.mark.parametrize(
    ("read", "flag", "texts"),
    [
        (share_of, "--reserve", ["1", "100%", "-0.1", "nan", "inf", "ten", "", "%"]),
        (duration, "--max-duration", ["0", "0h", "-5m", "1w", "1h30m", "", "h", "nan"]),
        (rate_of, "--rate", ["0", "-1", "nan", "inf", "fast", ""]),
        (concurrency_of, "--concurrency", ["0", "1001", "-1", "1.5", "many", "", "²"]),
        (error_budget_of, "--max-errors", ["-1", "101%", "-1%", "nan%", "1.5", "", "%", "all"]),
    ],
)
def test_texts_that_cannot_work_name_the_flag(read: Callable[[str], Any], flag: str, texts: list[str]) -> None:
    """And show an example of what can."""
    for text in texts:
        with pytest.raises(UsageError, match=flag):
            read(text)
