"""What the values of a column tell: forms of dates, separators of numbers, the country of phone numbers. As tables."""

from collections.abc import Sequence

import pytest

from bulkgladly.gladly.phone_regions import likely_region
from bulkgladly.mapping.date_evidence import dates_in
from bulkgladly.mapping.number_evidence import numbers_in


@pytest.mark.parametrize(
    ("texts", "forms"),
    [
        (["2026-01-31", "2025-12-01"], ("iso",)),
        (["2026-01-31T09:00:00+0000", "2026-01-31 09:00:00+00", "2026-01-31T09:00Z"], ("iso",)),
        (["04/30/2021", "05/01/2021"], ("%m/%d/%Y",)),
        (["30/04/2021", "05/01/2021"], ("%d/%m/%Y",)),
        (["4/30/2021 9:05 PM"], ("%m/%d/%Y %I:%M %p",)),
        (["03.04.2021", "04.04.2021", "17.11.2023 10:00"], ("%d.%m.%Y",)),
        (["3 Apr 2021", "17 Nov 2023"], ("%d %b %Y",)),
        (["Apr 3, 2021"], ("%b %d, %Y",)),
        (["04/30/21"], ("%m/%d/%y",)),
        (["04/30/2021"] * 9 + ["2021-04-30"], ("%m/%d/%Y", "iso")),
        (["04/30/2021"] * 9 + ["00/00/0000", "#N/A", "", "last summer"], ("%m/%d/%Y",)),
        (["04/30/2021"] * 9 + ["30/04/2021 10:00", "30/04/2021 11:00"], ("%m/%d/%Y",)),
        (["1700000000", "1700000001"], ("epoch",)),
        (["00/00/0000"], None),
        (["02/30/2021"], None),
        (["gold", "silver", "2026-01-31"], None),
        ([], None),
    ],
)
def test_the_forms_of_dates_are_those_that_read_the_values(texts: Sequence[str], forms: tuple[str, ...] | None) -> None:
    """The most frequent first; a day that no calendar has is not a date."""
    found = dates_in(texts)

    assert (None if found is None else found.forms) == forms


@pytest.mark.parametrize(("month_first", "form"), [(True, "%m/%d/%Y"), (False, "%d/%m/%Y")])
def test_days_that_fit_two_forms_are_told(month_first: bool, form: str) -> None:
    """Nothing in the values decides, so the country does, and a person looks."""
    found = dates_in(["01/02/2021", "03/04/2021"], month_first=month_first)

    assert found is not None
    assert found.forms == (form,)
    assert "check which comes first" in found.doubt


def test_the_order_that_most_values_have_is_taken_and_the_others_are_counted() -> None:
    """They are not read as another day: a file that mixes both orders cannot be told apart."""
    found = dates_in(["01/31/2021", "02/28/2021", "03/30/2021", "31/01/2021"])

    assert found is not None
    assert found.forms == ("%m/%d/%Y",)
    assert found.doubt == "1 value fits only %d/%m/%Y and cannot be read"


def test_a_number_is_a_time_only_if_its_name_says_so() -> None:
    """Ten digits may be a phone number as well."""
    assert dates_in(["1700000000"], takes_epoch=False) is None


@pytest.mark.parametrize(
    ("texts", "options"),
    [
        (["1", "20"], {"as": "integer"}),
        (["1.5", "20"], {"as": "number"}),
        (["$1,234.56", "$20.00"], {"as": "number", "thousands": ",", "currency": True}),
        (["1.234,56 €", "20,00 €"], {"as": "number", "thousands": ".", "decimal": ",", "currency": True}),
        (["20,5", "7,25"], {"as": "number", "thousands": ".", "decimal": ","}),
        (["USD 1,200", "USD 3"], {"as": "integer", "thousands": ",", "currency": True}),
        (["$5", "#N/A", "-", "$1,000", "$7", "$8", "$9", "n/a"], {"as": "integer", "thousands": ",", "currency": True}),
        (["01234", "99501"], None),
        (["4111111111111111"], None),
        (["about 200", "7"], None),
        ([], None),
    ],
)
def test_numbers_are_read_as_they_are_written(texts: Sequence[str], options: dict[str, object] | None) -> None:
    """With their separators and currency; what only looks like a number stays a text."""
    found = numbers_in(texts)

    assert (None if found is None else dict(found.options())) == options


LOCAL_US, LOCAL_GB, LOCAL_DE = "(650) 555-0171", "020 7946 0018", "030 23125 011"


@pytest.mark.parametrize(
    ("numbers", "countries", "region"),
    [
        ([LOCAL_US, "650-555-0172"], [], "US"),
        ([LOCAL_GB, "+44 20 7946 0019"], [], "GB"),
        ([LOCAL_GB], ["United Kingdom", "UK"], "GB"),
        ([LOCAL_DE, LOCAL_DE, "+49 30 23125 012"], [], "DE"),
        ([LOCAL_US, "+1 670 555 0100"], ["USA"], "US"),
        ([LOCAL_GB] * 9 + ["+1 650 555 0171"], ["GB"], "GB"),
        ([LOCAL_GB], [], None),
        ([LOCAL_GB], ["US"], None),
        (["+16505550171"], ["US"], None),
        (["ask Jon", ""], ["US"], None),
        ([], [], None),
    ],
)
def test_the_country_of_local_numbers_is_one_that_the_file_names(
    numbers: Sequence[str], countries: Sequence[str], region: str | None
) -> None:
    """And in which most of them are valid; otherwise nothing is guessed."""
    found = likely_region(numbers, countries)

    assert (None if found is None else found.region) == region


def test_the_century_of_years_with_two_digits_is_told() -> None:
    """A date of birth in 65 would become 2065, and look right."""
    found = dates_in(["01.02.65", "17.11.23"])

    assert found is not None
    assert (found.forms, "00 to 68 become 2000 to 2068" in found.doubt) == (("%d.%m.%y",), True)
