"""What `dump --what` and `--reports` stand for."""

from pathlib import Path

import pytest

from bulkgladly.errors import UsageError
from bulkgladly.exports.chosen_kinds import DUMP_WORDS, EXPORT_WORDS, demand_known_reports, dumped_words
from bulkgladly.exports.export_options import ExportOptions, ReportQuery


@pytest.mark.parametrize(
    ("given", "added", "left_out"),
    [
        ((), set(), set()),
        (("+conversations", "+tasks"), {"conversations", "tasks"}, set()),
        (("-items",), set(), {"items"}),
        (("+tasks", "-items", "-tasks"), set(), {"items"}),
        (("+items",), set(), set()),
    ],
)
def test_words_with_a_sign_change_the_default(given: tuple[str, ...], added: set[str], left_out: set[str]) -> None:
    """Nothing has to be typed again that is dumped anyway."""
    assert set(dumped_words(given)) == (set(DUMP_WORDS) | added) - left_out


def test_words_without_a_sign_replace_the_default() -> None:
    """As they are given, each once."""
    assert dumped_words(("tasks", "tasks")) == ("tasks",)
    assert dumped_words(("tasks", "items")) == ("tasks", "items")


def test_all_is_all_and_can_be_narrowed() -> None:
    """But for reports, which have names of their own."""
    assert set(dumped_words(("all",))) == set(EXPORT_WORDS) - {"report"}
    assert dumped_words(("+all",)) == dumped_words(("all", "all")) == dumped_words(("all",))
    assert set(dumped_words(("all", "-recordings"))) == set(EXPORT_WORDS) - {"report", "recordings"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("+tasks", "items"), "use +items"),
        (("all", "items"), "use +items"),
        (("+profile",), "did you mean 'profiles'? choose from: items, "),
        (("-itemss",), "unknown object 'itemss'; did you mean 'items'?"),
        (("topic",), "did you mean 'topics'?"),
        (("-item",), "--what -item: item is not dumped anyway; did you mean -items?"),
        (("+",), "unknown object ''"),
        (("+tasks", "+all"), "--what +all: `all` stands first"),
        (("items", "all"), "--what all: `all` stands first"),
        (("-all",), "--what -all: `all` stands first"),
        (("-report",), "not dumped anyway; it has: items, customers, agents, "),
    ],
)
def test_what_is_unclear_is_refused_with_the_fix(given: tuple[str, ...], told: str) -> None:
    """Once, and before anything is sent."""
    with pytest.raises(UsageError) as refused:
        dumped_words(given)
    assert told in str(refused.value)


def test_an_unknown_report_is_refused_before_anything_is_fetched(tmp_path: Path) -> None:
    """With the names that are close, and where all are listed."""
    options = ExportOptions(out=tmp_path / "lake", words=("report",), report=ReportQuery(("AgentSumaryV2",)))
    with pytest.raises(UsageError) as refused:
        demand_known_reports(options)
    assert "unknown metric set 'AgentSumaryV2'; did you mean AgentSummaryV2" in str(refused.value)
    assert "schema show --reports" in str(refused.value)


@pytest.mark.parametrize("name", ["agentsummaryv2", "all"])
def test_known_reports_are_taken_in_any_case(tmp_path: Path, name: str) -> None:
    """As an export takes them."""
    demand_known_reports(ExportOptions(out=tmp_path, words=("report",), report=ReportQuery((name,))))


def test_an_unlisted_report_that_the_data_set_has_is_dumped_on(tmp_path: Path) -> None:
    """It was tried by name once: Gladly adds reports, and this version does not know them."""
    manifest = tmp_path / "_manifest" / "reports" / "NewReport" / "2026-01-01_2026-01-31.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("{}")
    demand_known_reports(ExportOptions(out=tmp_path, words=("report",), report=ReportQuery(("NewReport",))))
