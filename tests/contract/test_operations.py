"""The table of operations against the published ones, and that nobody else looks at a status."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from bulkgladly.operations import OPERATIONS, Body
from tests.contract.syntax import nodes_of

ROOT = Path(__file__).parents[2]
PUBLISHED: dict[str, Any] = {
    (fact["operationId"] or fact["project_alias"]): fact
    for fact in json.loads((ROOT / "tests" / "contract" / "facts.json").read_text(encoding="utf-8"))["operations"]
    if fact["direction"] != "outbound"
}
JUDGES = {
    "judging.py",
    # A stream is left open at the expected status; what was refused or never came is counted by the pacer.
    "api/wire.py",
    "api/pacer.py",
    "api/gates.py",
    # Not Gladly's: receivers of the user's own, who take an event or a ping or do not.
    "sinks/https_sink.py",
    # Nor these: stores that hold a data set.
    "stores/store_failures.py",
    "notices/ping.py",
}


KEPT = ("WHOLE", "CUT", "GONE")
"""Under what a run's journal keeps an answer that was judged: words, though they look like statuses."""


def test_every_published_operation_has_its_expectation() -> None:
    assert set(OPERATIONS) == set(PUBLISHED)
    assert len(OPERATIONS) == 80


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_expectation_is_what_is_published(name: str) -> None:
    row, fact = OPERATIONS[name], PUBLISHED[name]

    assert (row.method, row.path, [row.status]) == (fact["method"], fact["path"], fact["success"])
    assert (row.located is not None) == ("Location` (relative)" in fact["response"])
    assert row.body is _body_of(fact["response"])
    assert {source for _, source in (*row.equals, *row.echoes) if not source.startswith("body.")} <= set(row.variables)


def _body_of(response: str) -> Body:
    """What the published table says of a body."""
    for sign, body in (
        ("(empty)", Body.NOTHING),
        ("ExportJob[]", Body.ENTRIES),
        ("[]", Body.OBJECTS),
        ("stream", Body.LINES),
        ("text/csv", Body.CSV),
        ("bytes", Body.BYTES),
        ("redirect", Body.ELSEWHERE),
    ):
        if sign in response:
            return body
    return Body.OBJECT


def test_a_status_is_compared_where_replies_are_judged_and_nowhere_else() -> None:
    """A status is not a meaning: who compares one takes a gateway's word for Gladly's."""
    package = ROOT / "bulkgladly"
    found = []
    for path in sorted(package.rglob("*.py")):
        place = path.relative_to(package)
        if place.as_posix() in JUDGES or place.parts[0] == "emulator":
            continue
        found += [f"{place}:{line}" for line in _comparisons(path)]

    assert found == []


def _comparisons(path: Path) -> list[int]:
    """The lines in which something called a status is held against a number, or against several."""
    lines = []
    for node in nodes_of(path, ast.Compare):
        sides = [node.left, *node.comparators]
        is_status = any(_name(side).endswith("status") for side in sides)
        if is_status and any(_is_number(side) for side in sides):
            lines.append(node.lineno)
    return lines


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _is_number(node: ast.AST) -> bool:
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return any(_is_number(element) for element in node.elts)
    is_constant = isinstance(node, ast.Constant) and isinstance(node.value, int)
    return is_constant or (isinstance(node, ast.Name) and node.id.isupper() and node.id not in KEPT)
