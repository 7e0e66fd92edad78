"""The dashboard and the alert rules in samples/monitoring: they load, and ask for what the program measures."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bulkgladly.notices.run_metrics import METRICS

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "samples" / "monitoring"
# It comes with apprise, which the tests need anyway; without types, hence by its name.
yaml: Any = pytest.importorskip("yaml")
GRID = 24


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))["panels"]
    return found


def check(expression: str) -> None:
    """Each metric is measured, and has the labels by which the expression chooses and groups."""
    names = re.findall(r"\bbulkgladly_\w+", expression)
    assert names
    for name in names:
        assert name in METRICS, expression
        known = {"command", *METRICS[name].labels}
        chosen = re.findall(rf"{name}\{{(.*?)\}}", expression)
        assert {label for each in chosen for label in re.findall(r"(\w+)\s*[=!]", each)} <= known, expression
        grouped = re.findall(r"by \((.*?)\)", expression)
        assert {label for each in grouped for label in each.split(", ")} <= known, expression
    assert expression.count("(") == expression.count(")")
    assert all(METRICS[name].kind == "counter" for name in re.findall(r"rate\((\w+)", expression))


def test_there_are_the_three_alerts_that_matter() -> None:
    """No success for 26 hours, a loss within three days, an inbox that is behind by five minutes."""
    assert [rule["alert"] for rule in rules()] == [
        "BulkgladlyNoSuccess",
        "BulkgladlyNextLossNear",
        "BulkgladlyInboxLag",
    ]
    for rule in rules():
        check(rule["expr"])
        assert {"severity"} == set(rule["labels"])
        assert {"summary", "description"} == set(rule["annotations"])
    assert ["26 * 3600" in rules()[0]["expr"], "3 * 86400" in rules()[1]["expr"], "5 * 60" in rules()[2]["expr"]]


def test_prometheus_takes_the_alerts() -> None:
    """By its own tool, where it is installed (Debian's `prometheus`)."""
    if (tool := shutil.which("promtool")) is not None:
        subprocess.run([tool, "check", "rules", FOLDER / "alerts.yml"], check=True, capture_output=True)


def test_the_dashboard_shows_every_metric() -> None:
    """Each panel asks for metrics that exist; together they ask for all."""
    asked = [target["expr"] for panel in panels() for target in panel["targets"]]
    for expression in asked:
        check(expression)

    assert {name for expression in asked for name in re.findall(r"\bbulkgladly_\w+", expression)} == set(METRICS)
    assert len({panel["id"] for panel in panels()}) == len(panels())


def test_the_panels_do_not_cover_each_other() -> None:
    """Grafana would move them, and nobody would see what was meant."""
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= GRID
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_metric_is_documented() -> None:
    """With its labels, in docs/nights.md."""
    page = (ROOT / "docs" / "nights.md").read_text(encoding="utf-8")

    for name, metric in METRICS.items():
        labels = ",".join(metric.labels)
        assert f"`{name}{{{labels}}}`" in page or (not labels and f"`{name}`" in page), name
