"""Verifying: what Gladly holds is compared with what was sent, field by field, and nothing is written."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from bulkgladly.changes.verify_options import VerifyOptions
from bulkgladly.changes.verify_run import verify_run
from bulkgladly.changes.verify_summary import VerifyReport
from bulkgladly.runs.observer import Observer
from bulkgladly.runs.session import Terms
from tests.flows.conftest import World

PEOPLE = [
    {
        "crm": f"k-{n}",
        "name": f"Ada {n}",
        "emails": [{"original": f"ada{n}@example.org"}],
        "phones": [{"original": f"+1212555010{n}", "type": "MOBILE"}],
        "customAttributes": {"tier": "gold"},
    }
    for n in range(10)
]


def terms(world: World) -> Terms:
    return Terms(world.credentials, Observer(), environment=world.environment)


async def verified(world: World, **more: Any) -> VerifyReport:
    """Verify the last import."""
    options = VerifyOptions(pace=world.options.pace, state_dir=world.state, **more)
    return await verify_run(world.last_run(), options, terms(world))


def rows_of(report: VerifyReport) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(Path(report.folder) / "verify.parquet").to_pylist()
    return found


async def test_after_a_run_everything_is_equal(world: World) -> None:
    """One request for each row that was sent, none for one that was rejected; nothing is written."""
    await world.rows([*PEOPLE, {"crm": "bad", "emails": [{"original": "nobody"}]}])
    world.forget()

    report = await verified(world)

    assert world.asked() == {"getCustomer": 10}
    assert (report.status, report.exit_code, report.adds_up) == ("complete", 0, True)
    assert (report.counts["equal"], report.counts["not_sent"], report.counts["read"]) == (10, 1, 11)
    assert [row["word"] for row in rows_of(report)] == ["equal"] * 10 + ["not_sent"]
