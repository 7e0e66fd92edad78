"""A dirty CRM export, from nothing to imported: the draft as it is, and every row with its right end."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.first_import import differences, ends_of_run
from bulkgladly.emulator import Emulator
from samples.make_dirty_crm import KINDS, LINES, make, write
from tests.flows.programs import heard, program_in
from tests.flows.serving import served

ROWS = 600


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """An empty organisation."""
    with served(Emulator(rate=None)) as running:
        yield running


def test_a_dirty_export_is_imported_with_its_unedited_draft(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rejects are true and have a fix, and every value that was left out is listed; nothing else differs."""
    right = write(tmp_path / "crm.csv", ROWS)
    program = heard(program_in(tmp_path, monkeypatch, emulator), capsys)

    told = program("map", "init", "crm.csv", "--to", "customers", "-o", "draft.toml")
    assert told.err.endswith("`bulkgladly check customers crm.csv --map draft.toml --phone-region US`\n")
    assert program("import", "customers", "crm.csv", "--map", "draft.toml", "--phone-region", "US").code == 1

    [run] = (tmp_path / ".bulkgladly" / "runs").iterdir()
    found = ends_of_run(run)
    assert [f"{end.kind}: {end}, not {other}" for end, other in differences(right, found)] == []
    table = (run / "rejected.csv").read_text(encoding="utf-8")
    assert table.splitlines()[0].endswith("_line,_reason,_fix,_duplicate,_raw"), "each reject says what to do"
    assert len(emulator.store.customers) == Counter(end.end for end in right)["created"]


def test_the_export_has_many_kinds_of_dirt_and_is_always_the_same() -> None:
    """At least 40 kinds; the first rows are clean, so that others can repeat them."""
    first, second = list(make(300)), list(make(300))

    assert first == second
    assert len(KINDS) + len(LINES) >= 40
    assert {end.kind for _, end in first} == {"", *KINDS, *LINES}
    assert not any(end.kind for _, end in first[:30])
