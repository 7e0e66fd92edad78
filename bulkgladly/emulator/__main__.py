"""`python -m bulkgladly.emulator`: run the emulator from the command line."""

import argparse
import asyncio
import errno
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from bulkgladly.emulator.emulator import serve, welcome
from bulkgladly.emulator.options import EmulatorOptions
from bulkgladly.emulator.organisation.report_corrections import ODDITIES

__all__ = ("main", "options_from")


_FIRST = {
    *("--help", "--help-all", "--port", "--username", "--token", "--state"),
    *("--seed", "--seed-customers", "--seed-conversations", "--seed-jobs", "--seed-history", "--seed-events"),
    *("--rate", "--latency-ms", "--jitter-ms", "--faults", "--live-traffic"),
}
"""The options that `--help` shows; the page fits one screen. `--help-all` shows every one."""

_EXAMPLES = """\
examples:
  # an empty organisation on port 8080, with Gladly's limit of 10 requests a second
  bulkgladly emulator

  # invented customers with conversations, kept in a file between two starts
  bulkgladly emulator --seed-customers 500 --seed-conversations 2 --state organisation.json

  # an organisation in which something happens all the time
  bulkgladly emulator --seed-customers 100 --live-traffic 6

  # as fast as it can, with a slow network
  bulkgladly emulator --rate 0 --latency-ms 80 --jitter-ms 20
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM. Return 0 after a clean stop, 2 if it could not start or save."""
    try:
        options = options_from(arguments)
        asyncio.run(serve(options, on_ready=lambda url: _say(welcome(url, options))))
    except OSError as exc:
        fix = "; pass another port, for example --port 8081" if exc.errno == errno.EADDRINUSE else ""
        _say(f"emulator: {exc.strerror or exc}{fix}")
        return 2
    except ValueError as exc:
        _say(f"emulator: {exc}")
        return 2
    return 0


def options_from(arguments: Sequence[str] | None = None) -> EmulatorOptions:
    """Parse the command line.

    Raises:
        ValueError: The value of an option is not allowed.
        SystemExit: The arguments are not valid, or ask for help.
    """
    given = vars(_parser().parse_args(arguments))
    languages, senders = given["language"], given["sender"]
    changed = {
        "rate": given["rate"] or None,
        "report_rate": given["report_rate"] or None,
        "report_concurrency": given["report_concurrency"] or None,
        "phase_s": given["phase_ms"] / 1000,
        "latency_s": given["latency_ms"] / 1000,
        "jitter_s": given["jitter_ms"] / 1000,
        "headers": not given["no_headers"],
        "reports_count_twice": not given["reports_count_once"],
        "undocumented_409": not given["no_undocumented_409"],
        "caps": dict(given["cap"]),
        "languages": tuple(languages) if languages else EmulatorOptions().languages,
        "kept_contents": tuple(given["kept_content"]),
        "senders": tuple(senders) if senders else None,
        "report_empty_days": tuple(given["report_empty_day"]),
    }
    # The parser stores every other flag under the name of its option.
    same = {option.name: given[option.name] for option in fields(EmulatorOptions) if option.name in given}
    return EmulatorOptions(**(same | changed))


class _ShortHelp(argparse.Action):
    """Prints the page without the options that few people need, and leaves."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print it."""
        for action in parser._actions:
            if not _FIRST & set(action.option_strings):
                action.help = argparse.SUPPRESS
        parser.print_help()
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bulkgladly emulator",
        usage="%(prog)s [OPTIONS]",
        description="A local stand-in for Gladly, on 127.0.0.1 only. See docs/emulator.md.",
        epilog=_EXAMPLES,
        add_help=False,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=36),
    )
    parser.add_argument("-h", "--help", action=_ShortHelp, nargs=0, help="show this page")
    parser.add_argument("--help-all", action="help", help="show all options")
    usual = EmulatorOptions()
    _add_server(parser, usual)
    _add_data(parser, usual)
    _add_limits(parser, usual)
    _add_troubles(parser)
    _add_customer_choices(parser, usual)
    _add_conversation_choices(parser, usual)
    _add_answer_choices(parser, usual)
    _add_delivery_choices(parser, usual)
    _add_export_choices(parser, usual)
    _add_report_choices(parser, usual)
    _add_event_choices(parser, usual)
    return parser


def _add_server(parser: argparse.ArgumentParser, usual: EmulatorOptions) -> None:
    add = parser.add_argument_group("server").add_argument
    add("--port", type=int, default=8080, help="port on 127.0.0.1; 0 picks a free one (default 8080)")
    add("--username", default=usual.username, metavar="NAME", help="the user that may do everything")
    add("--token", default=usual.token, help="the token of all its users")
    add(
        "--state",
        dest="state_file",
        type=Path,
        metavar="FILE",
        help="load it at the start if it exists, save it at a clean stop",
    )


def _add_data(parser: argparse.ArgumentParser, usual: EmulatorOptions) -> None:
    add = parser.add_argument_group("data at the start").add_argument
    add("--seed", type=int, default=usual.seed, metavar="N", help="decides everything that looks random")
    add("--seed-customers", type=int, default=0, metavar="N", help="start with N invented customers")
    conversations = "start with N conversations of each customer, with tasks"
    add("--seed-conversations", type=int, default=0, metavar="N", help=conversations)
    add("--seed-jobs", type=int, default=0, metavar="N", help="start with N daily export jobs (at most 14)")
    history = "start with one history of N days, told alike by objects, jobs, events and reports"
    add("--seed-history", type=int, default=0, metavar="N", help=history)
    items = f"conversation items in a generated job (default {usual.items_per_job})"
    add("--items-per-job", type=int, default=usual.items_per_job, metavar="N", help=items)
    add("--seed-events", type=int, default=0, metavar="N", help="start with N invented events in the last 24 hours")


def _add_limits(parser: argparse.ArgumentParser, usual: EmulatorOptions) -> None:
    add = parser.add_argument_group("limits").add_argument
    add("--rate", type=int, default=usual.rate, metavar="N", help="requests a second; 0 for no limit (default 10)")
    add("--algorithm", choices=("fixed", "leaky", "sliding"), default=usual.algorithm, help="how the rate is counted")
    add("--phase-ms", type=float, default=0.0, metavar="MS", help="shift the edges of the fixed windows")
    add("--burst", type=int, metavar="N", help="capacity of the leaky bucket (default: the rate)")
    add("--no-headers", action="store_true", help="send no Ratelimit headers")
    add("--retry-after", dest="retry_after_s", type=float, metavar="SECONDS", help="send Retry-After with 429")
    forms = ("json", "html", "plain", "empty")
    add("--refusal-body", choices=forms, default=usual.refusal_body, help="body of 401, 403 and 429")
    add(
        "--neighbour",
        dest="neighbour_rate",
        type=float,
        default=0.0,
        metavar="RATE",
        help="requests a second that another client makes",
    )
    per_minute = "reports a minute; 0 for no limit (default 10)"
    add("--report-rate", type=int, default=usual.report_rate, metavar="N", help=per_minute)
    at_a_time = "reports at the same time; 0 for no limit (default 2)"
    add("--report-concurrency", type=int, default=usual.report_concurrency, metavar="N", help=at_a_time)
    add("--reports-count-once", action="store_true", help="do not count reports as requests of their second")


def _add_troubles(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("slowness and faults").add_argument
    add("--latency-ms", type=float, default=0.0, metavar="MS", help="mean time of a reply")
    add("--jitter-ms", type=float, default=0.0, metavar="MS", help="variation of the latency in both directions")
    add("--faults", dest="faults_file", type=Path, metavar="FILE", help="JSON list of scripted faults")


def _add_customer_choices(parser: argparse.ArgumentParser, usual: EmulatorOptions) -> None:
    add = parser.add_argument_group("customers").add_argument
    patched = "what PATCH does with customAttributes"
    add("--attributes", choices=("merge", "replace"), default=usual.attributes, help=patched)
    add("--moved-location", action="store_true", help="send Location with the 301 of a merged customer")
    add("--moved-to", choices=("next", "last"), default=usual.moved_to, help="what meta.new is after several merges")
    reused = "whether the ids of deleted objects can be used again"
    add("--deleted-ids", choices=("free", "taken"), default=usual.deleted_ids, help=reused)
    add("--not-found", choices=("list", "object"), default=usual.not_found, help="form of errors in 404 bodies")


def _add_conversation_choices(parser: argparse.ArgumentParser, usual: EmulatorOptions) -> None:
    add = parser.add_argument_group("conversations and tasks").add_argument
    add("--cap", type=_cap, action="append", default=[], metavar="OPERATION=N", help="another cap for a list")
    limited = "Gladly-Limited-Data only on lists that were cut, or on all"
    add("--limited-data", choices=("flag", "value"), default=usual.limited_data, help=limited)
    add("--capped-end", choices=("newest", "oldest"), default=usual.capped_end, help="which end is cut off a list")
    add("--topics-before-closing", action="store_true", help="require a topic before a conversation is closed")
    same = "the reply to assigning a closed conversation to its assignee"
    add("--closed-assignee", choices=("refuse", "unchanged"), default=usual.closed_assignee, help=same)
    add("--no-undocumented-409", action="store_true", help="send 400 for a taken id if no 409 is documented")
    add("--other-spellings", action="store_true", help="accept the other spellings of notes and comments")


def _add_answer_choices(parser: argparse.ArgumentParser, usual: EmulatorOptions) -> None:
    add = parser.add_argument_group("answers, messages and webhooks").add_argument
    languages = f"a language of answers; repeat for more (default: {', '.join(usual.languages)})"
    add("--language", action="append", metavar="CODE", help=languages)
    add("--kept-content", action="append", default=[], metavar="TYPE", help="a type of contents that cannot be deleted")
    add(
        "--sender", action="append", metavar="ADDRESS", help="a number or address that may send messages (default: any)"
    )
    pinged = "who replies to a PING: a server on this machine, every URL, or none"
    add("--ping", choices=("send", "assume_ok", "refuse"), default=usual.ping, help=pinged)
    add(
        "--ping-timeout",
        dest="ping_timeout_s",
        type=float,
        default=usual.ping_timeout_s,
        metavar="SECONDS",
        help="time for the reply to a PING",
    )


def _add_delivery_choices(parser: argparse.ArgumentParser, usual: EmulatorOptions) -> None:
    add = parser.add_argument_group("deliveries of events to webhooks").add_argument
    scale = "divide the waits before redeliveries by this (default 1)"
    add("--time-scale", type=float, default=usual.time_scale, metavar="N", help=scale)
    add(
        "--delivery-timeout",
        dest="delivery_timeout_s",
        type=float,
        default=usual.delivery_timeout_s,
        metavar="SECONDS",
        help="time for the reply to an event (default 15)",
    )
    twice = "the share of events that are sent twice, from 0 to 1"
    add("--delivery-duplicates", type=float, default=0.0, metavar="SHARE", help=twice)
    add(
        "--delivery-reorder",
        dest="delivery_reorder_s",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="hold each event back by a random time up to this",
    )
    lost = "the share of replies that are not read, from 0 to 1"
    add("--delivery-lost-replies", type=float, default=0.0, metavar="SHARE", help=lost)


def _add_export_choices(parser: argparse.ArgumentParser, usual: EmulatorOptions) -> None:
    add = parser.add_argument_group("export jobs").add_argument
    add("--job-order", choices=("insertion", "shuffled"), default=usual.job_order, help="order of the export jobs")
    framing = "how export files, recordings and attachments are sent"
    add("--file-framing", choices=("length", "chunked"), default=usual.file_framing, help=framing)


def _add_report_choices(parser: argparse.ArgumentParser, usual: EmulatorOptions) -> None:
    add = parser.add_argument_group("reports").add_argument
    rows = "invented facts of each subject and day (default 20)"
    add("--report-rows-per-day", type=int, default=usual.report_rows_per_day, metavar="N", help=rows)
    cap = "leave out further rows without notice (default 100000)"
    add("--report-row-cap", type=int, default=usual.report_row_cap, metavar="N", help=cap)
    add(
        "--report-lag",
        dest="report_lag_s",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="reports have no data younger than this",
    )
    add("--report-empty-day", action="append", default=[], metavar="DAY", help="a day (UTC) without data")
    add("--report-oddity", choices=ODDITIES, default=usual.report_oddity, help="the oddity of every report")
    empty = "the body of a report without rows"
    add("--empty-report", choices=("empty", "header"), default=usual.empty_report, help=empty)
    times = "times in other zones: with their offset, or in UTC"
    add("--report-times", choices=("offset", "utc"), default=usual.report_times, help=times)


def _add_event_choices(parser: argparse.ArgumentParser, usual: EmulatorOptions) -> None:
    add = parser.add_argument_group("events").add_argument
    add(
        "--events-lag",
        dest="events_lag_s",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="delay events by up to this much",
    )
    start = "whether an event at startAt itself is sent"
    add("--events-start", choices=("inclusive", "exclusive"), default=usual.events_start, help=start)
    live = "start N contacts a minute in an invented contact centre"
    add("--live-traffic", type=float, default=0.0, metavar="N", help=live)


def _cap(text: str) -> tuple[str, int]:
    name, _, cap = text.partition("=")
    if not cap.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a valid OPERATION=N")
    return name, int(cap)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
