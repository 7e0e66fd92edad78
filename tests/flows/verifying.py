"""Verifications of what the world of a test holds."""

from typing import Any

from bulkgladly.runs.observer import Observer
from bulkgladly.runs.session import Terms
from bulkgladly.verification.verify_options import VerifyOptions
from bulkgladly.verification.verify_run import verify_run
from bulkgladly.verification.verify_summary import VerifyReport
from tests.flows.conftest import World

__all__ = ("chosen", "terms", "verified")


def terms(world: World) -> Terms:
    return Terms(world.credentials, Observer(), environment=world.environment)


def chosen(world: World, **more: Any) -> VerifyOptions:
    return VerifyOptions(**{"pace": world.options.pace, "state_dir": world.state, **more})


async def verified(world: World, **more: Any) -> VerifyReport:
    """Verify the last run."""
    report = await verify_run(world.last_run(), chosen(world, **more), terms(world))
    assert report.adds_up, report.counts
    return report
