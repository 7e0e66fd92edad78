"""`python -m bulkgladly.emulator`: the emulator from the command line."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from bulkgladly.emulator.options import EmulatorOptions
from bulkgladly.emulator.server import serve, welcome

__all__ = ("main", "options_from")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM; 0 after a clean stop, 2 when it could not start or save."""
    try:
        options = options_from(arguments)
        asyncio.run(serve(options, on_ready=lambda url: _say(welcome(url, options))))
    except (OSError, ValueError) as exc:
        _say(f"emulator: {exc}")
        return 2
    return 0


def options_from(arguments: Sequence[str] | None = None) -> EmulatorOptions:
    """The options that these arguments mean.

    Raises:
        ValueError: An option is outside what it allows.
        SystemExit: The arguments cannot be read, or ask for help.
    """
    given = _parser().parse_args(arguments)
    return EmulatorOptions(
        port=given.port,
        username=given.username,
        token=given.token,
        rate=given.rate or None,
        algorithm=given.algorithm,
        phase_s=given.phase_ms / 1000,
        burst=given.burst,
        headers=not given.no_headers,
        retry_after_s=given.retry_after,
        refusal_body=given.refusal_body,
        neighbour_rate=given.neighbour,
        latency_s=given.latency_ms / 1000,
        jitter_s=given.jitter_ms / 1000,
        seed=given.seed,
        seed_customers=given.seed_customers,
        seed_jobs=given.seed_jobs,
        items_per_job=given.items_per_job,
        faults_file=given.faults,
        state_file=given.state,
        attributes=given.attributes,
        moved_location=given.moved_location,
        moved_to=given.moved_to,
        deleted_ids=given.deleted_ids,
        not_found=given.not_found,
        job_order=given.job_order,
        file_framing=given.file_framing,
    )


def _parser() -> argparse.ArgumentParser:
    usual = EmulatorOptions()
    parser = argparse.ArgumentParser(
        prog="bulkgladly emulator", description="A local stand-in for Gladly, on 127.0.0.1 alone."
    )
    add = parser.add_argument
    add("--port", type=int, default=8080, help="port on 127.0.0.1; 0 picks a free one (default 8080)")
    add("--username", default=usual.username, help="the user that may do everything")
    add("--token", default=usual.token, help="the token of all its users")
    add("--rate", type=int, default=usual.rate, help="requests a second; 0 for no limit (default 10)")
    add("--algorithm", choices=("fixed", "leaky", "sliding"), default=usual.algorithm, help="how the rate is counted")
    add("--phase-ms", type=float, default=0.0, help="shift of the fixed windows' edges")
    add("--burst", type=int, help="capacity of the leaky bucket (default: the rate)")
    add("--no-headers", action="store_true", help="leave the Ratelimit headers off")
    add("--retry-after", type=float, metavar="SECONDS", help="send Retry-After with 429")
    add(
        "--refusal-body",
        choices=("json", "html", "plain", "empty"),
        default=usual.refusal_body,
        help="body of 401, 403 and 429",
    )
    add("--neighbour", type=float, default=0.0, metavar="RATE", help="requests a second by another client")
    add("--latency-ms", type=float, default=0.0, help="mean time of an answer")
    add("--jitter-ms", type=float, default=0.0, help="by how much it varies to either side")
    add("--seed", type=int, default=usual.seed, help="decides ids, jitter and the neighbour's moments")
    add("--seed-customers", type=int, default=0, metavar="N", help="start with N invented customers")
    add("--seed-jobs", type=int, default=0, metavar="N", help="start with N daily export jobs, at most 14")
    items = usual.items_per_job
    add("--items-per-job", type=int, default=items, metavar="N", help="conversation items of each of them")
    add("--faults", type=Path, metavar="FILE", help="JSON list of scripted faults")
    add("--state", type=Path, metavar="FILE", help="load at the start if it exists, save at a clean stop")
    add(
        "--attributes",
        choices=("merge", "replace"),
        default=usual.attributes,
        help="customAttributes on PATCH",
    )
    add("--moved-location", action="store_true", help="send Location with the 301 of a merged customer")
    add("--moved-to", choices=("next", "last"), default=usual.moved_to, help="what meta.new names in a chain")
    add("--deleted-ids", choices=("free", "taken"), default=usual.deleted_ids, help="can they be used again?")
    add(
        "--not-found",
        choices=("list", "object"),
        default=usual.not_found,
        help="form of errors in 404 bodies",
    )
    add("--job-order", choices=("insertion", "shuffled"), default=usual.job_order, help="order of the export jobs")
    add(
        "--file-framing",
        choices=("length", "chunked"),
        default=usual.file_framing,
        help="how export files are sent",
    )
    return parser


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
