"""What to do about each problem: never only that it should be corrected."""

import re
from pathlib import Path

import pytest

from bulkgladly.imports.fixes import fix_for
from bulkgladly.records import Problem, Stage

PAGE = (Path(__file__).parents[2] / "docs" / "runs.md").read_text("utf-8")
TABLE = PAGE.split("These codes are bulkgladly's")[1].split("### `rejected.csv`")[0]
CELLS = re.findall(r"^\| (`[^|]*) \|", TABLE, re.MULTILINE)
CODES = sorted({code for cell in CELLS for code in re.findall(r"`(\w+)`", cell)})
OF_UNDO = {"changed_since", "in_use", "merged", "gone", "as_before", "partly", "no_before", "deletion", "not_deletable"}
OTHERS = OF_UNDO | {"not_restorable", "invalid"}
"""Codes whose detail says what can be done; `invalid` is also Gladly's own for many things."""


@pytest.mark.parametrize("code", [code for code in CODES if code not in OTHERS])
def test_every_code_that_is_documented_has_a_fix_of_its_own(code: str) -> None:
    """Whoever reads it knows what to change, and where."""
    told = {fix_for(Problem(code, "", attr, stage)) for attr in (None, "x") for stage in Stage}

    assert told.isdisjoint({"correct the value", "correct the file", "correct what Gladly refuses"})


def test_a_deletion_and_a_missing_reference_have_different_fixes() -> None:
    """What was deleted is forgotten on purpose only; what a row refers to is imported first."""
    assert "--forget-deleted" in fix_for(Problem("deleted_since", "", None, Stage.API))
    assert "import that object first" in fix_for(Problem("not_exist", "", "customerId", Stage.API))
    assert "--mode upsert" in fix_for(Problem("not_exist", "", None, Stage.API))
    assert "plan again" in fix_for(Problem("moved", "", None, Stage.CONFLICT))
    assert "plan" not in fix_for(Problem("moved", "", None, Stage.API))
