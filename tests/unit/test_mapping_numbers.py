"""Numbers as people write them, and texts that are replaced."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.mapping.numbers import compile_number
from bulkgladly.mapping.tables import Table
from tests.unit.test_mapping_files import HEAD, made, refusal, refused


def number(options: str, value: Any) -> Any:
    return made(f"f = {{ from = 'a', as = 'number'{options} }}", {"a": value})["f"]


@pytest.mark.parametrize("text", ["5k", "12 k€", "1.5 M", "3 Mio.", "2bn $", "1,234.50 CR", "(5 Dr)", "4 MM"])
def test_letters_that_change_what_a_number_is_worth_are_no_currency(text: str) -> None:
    """5k is not 5, and an amount in credit may be negative."""
    problem = refused("f = { from = 'a', as = 'number', currency = true, thousands = ',' }", {"a": text})

    assert "is not a number" in problem.detail


@pytest.mark.parametrize(
    ("options", "value", "expected"),
    [
        (", thousands = ','", "1,234,567.5", 1234567.5),
        (", thousands = ','", "1234567", 1234567.0),
        (", thousands = ','", "12,34,567", 1234567.0),
        (", thousands = '.', decimal = ','", "1.234,5", 1234.5),
        (", thousands = '.', decimal = ','", 1234.5, 1234.5),
        (", decimal = ','", "-0,5", -0.5),
        (", decimal = ','", "\u22120,5", -0.5),
        (", thousands = ' '", "1\u202f234\u00a0567", 1234567.0),
        (', thousands = "\'"', "1\u2019234.50", 1234.5),
        (", currency = true, thousands = ','", "$1,234.56", 1234.56),
        (", currency = true, thousands = ','", "-$1,234.56", -1234.56),
        (", currency = true, thousands = ','", "$-1.5", -1.5),
        (", currency = true, thousands = ','", "($5.00)", -5.0),
        (", currency = true, thousands = '.', decimal = ','", "1.234,50 €", 1234.5),
        (", currency = true, decimal = ','", "EUR 12,5", 12.5),
        (", currency = true", "12.5 EUR", 12.5),
        (", currency = true", "US$ 12", 12.0),
        (", currency = true", "12.50 kr.", 12.5),
        (", currency = true", "12", 12.0),
    ],
)
def test_a_number_is_read_with_its_separators(options: str, value: Any, expected: float) -> None:
    """Signs of currencies and minus signs of all kinds are understood; a number of JSON stays as it is."""
    assert number(options, value) == expected


def test_a_whole_number_may_have_separators() -> None:
    """And only that: decimals are refused."""
    assert made("f = { from = 'a', as = 'integer', thousands = ',' }", {"a": "1,234"}) == {"f": 1234}
    problem = refused("f = { from = 'a', as = 'integer', thousands = ',' }", {"a": "1,234.5"})
    assert problem.detail == "a (f) is not a whole number"


@pytest.mark.parametrize(
    ("options", "value"),
    [
        (", thousands = ','", "1,23"),
        (", thousands = ','", "1,2345"),
        (", thousands = ','", ",123"),
        (", thousands = ','", "1.234,5"),
        (", thousands = ',' ", "$1,234"),
        (", decimal = ','", "1.5"),
        (", decimal = ','", "1,"),
        (", currency = true", "12 pieces"),
        (", currency = true", "(5"),
        (", currency = true", "(-5)"),
        (", currency = true", "--5"),
        (", currency = true", "$"),
        (", currency = true", "1 2"),
        (", currency = true", True),
    ],
)
def test_what_is_not_such_a_number_is_refused(options: str, value: Any) -> None:
    """A group of two digits is more probably a decimal than a mistake; nobody should guess."""
    problem = refused(f"f = {{ from = 'a', as = 'number'{options} }}", {"a": value})

    assert problem.detail.startswith("a (f) is not a number such as 1")


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("thousands = ','", 'thousands: can only be used with as = "number"'),
        ("as = 'text', currency = true", "currency: can only be used with"),
        ("as = 'number', thousands = '.'", "thousands: and decimal are both '.'; set decimal = \",\""),
        ("as = 'number', thousands = ';'", "thousands: "),
        ("as = 'numbr'", "did you mean 'number'?"),
        ("replace = 'x'", 'replace: must be a table like { "old" = "new" }'),
        ("replace = { '' = 'x' }", "must not be empty"),
        ("replace = { a = 1 }", '"a": must be a text'),
        ("replace = [{ pattern = 'x' }]", "replace 1] with: is missing"),
        ("replace = [{ pattern = '(', with = '' }]", "is not a valid regular expression"),
        ("replace = [{ pattern = 'x', with = '\\1' }]", "or with does not fit it"),
        ("replace = [{ patern = 'x', with = '' }]", "did you mean pattern?"),
    ],
)
def test_a_mistake_names_the_option(field: str, message: str) -> None:
    """And the fix."""
    assert message in refusal(f"{HEAD}[fields]\nf = {{ from = 'a', {field} }}\n")


@given(
    st.decimals(min_value=-(10**12), max_value=10**12, places=2),
    st.sampled_from([(",", "."), (".", ","), (" ", ","), ("'", "."), (None, ","), (None, ".")]),
    st.sampled_from(["{}", "${}", "{} €", "EUR {}", "CHF {}", "{}kr"]),
)
def test_a_number_comes_back_however_it_was_written(
    value: Decimal, separators: tuple[str | None, str], currency: str
) -> None:
    """With each pair of separators and each currency."""
    thousands, decimal = separators
    written = f"{value:,.2f}".replace(",", "t").replace(".", decimal).replace("t", thousands or "")
    content = {"as": "number", "decimal": decimal, "currency": True}
    convert = compile_number(
        Table("m.toml", "f", content if thousands is None else {**content, "thousands": thousands})
    )

    assert convert is not None
    assert convert(currency.format(written)) == float(value)


@pytest.mark.parametrize(
    ("options", "value", "expected"),
    [
        ("replace = { 'a' = 'b', 'b' = 'c' }", "ab", "cc"),
        ("replace = { '.' = '' }", "a.b", "ab"),
        ("replace = [{ pattern = '\\s+', with = ' ' }, { pattern = '^(\\w)', with = '<\\1>' }]", "a  b", "<a> b"),
        ("replace = { 'a' = '' }", "aa", ""),
        ("replace = { 'a' = '' }, default = 'x'", "aa", "x"),
        ("extract = '[a-z; ]+', replace = { ' ' = ';' }, split = ';'", "1a b;c", ["a", "b", "c"]),
        ("replace = { 'a' = 'b' }", ["a", "ca"], ["b", "cb"]),
    ],
)
def test_texts_are_replaced_in_their_order(options: str, value: Any, expected: Any) -> None:
    """After extract, and before split."""
    assert made(f"f = {{ from = 'a', {options} }}", {"a": value}) == {"f": expected}
