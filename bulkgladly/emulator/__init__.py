"""A stand-in for Gladly's REST API, for tests, rehearsals, benchmarks and the demonstration.

It imports nothing of the toolkit, so that it can disagree with it.

    async with Emulator(rate=10) as emulator:
        ...  # talk to emulator.url as emulator.options.username with emulator.options.token

A folder imports only what stands below it; the layers test has the exact table.

    __main__, emulator     the command, and the emulator as an object
    application            what happens at Gladly without the API: conversations begin, calls end
    server/                connections, rate limits, credentials, broken responses, control endpoints
    traffic/               events on request, and a contact centre at work
    deliveries/            sends events to webhooks, and again if that fails
    exports/               creates export jobs and their files
    seeding/               invented data to start with
    operations/            the operations of the API, one module for each kind of object
    reports/               metric sets, the invented facts behind them, and the CSV made from both
    faults/                one fault, the script that says when, and a catalogue of odd replies
    protocol/              what an operation is given, and what it gives back
    options                every choice, with its default
    organisation/          the objects, ids, addresses, export jobs, events, and the clock
"""

from bulkgladly.emulator.deliveries.deliveries import REDELIVERY_WAITS_S, Deliveries, DeliveryCounts
from bulkgladly.emulator.deliveries.mischief import Mischief
from bulkgladly.emulator.emulator import Emulator, serve, welcome
from bulkgladly.emulator.exports.exporter import Exporter
from bulkgladly.emulator.faults.fault import (
    Fault,
    FaultScriptError,
    answer,
    drop_reply,
    half_body,
    hang,
    rate_limited,
    reset,
    slow,
    status,
    wrong_length,
)
from bulkgladly.emulator.faults.fault_script import FaultScript
from bulkgladly.emulator.options import EmulatorOptions
from bulkgladly.emulator.organisation.clock import Clock
from bulkgladly.emulator.organisation.event_log import Event
from bulkgladly.emulator.organisation.report_corrections import Oddity
from bulkgladly.emulator.organisation.state_file import StateError
from bulkgladly.emulator.organisation.store import Store, Taken
from bulkgladly.emulator.protocol.replies import Refusal
from bulkgladly.emulator.reports.reports import Reports
from bulkgladly.emulator.server.rate_limits import Limiter, ReportLimits
from bulkgladly.emulator.server.request_log import RequestLog, Seen
from bulkgladly.emulator.traffic.traffic import Traffic

__all__ = (
    "REDELIVERY_WAITS_S",
    "Clock",
    "Deliveries",
    "DeliveryCounts",
    "Emulator",
    "EmulatorOptions",
    "Event",
    "Exporter",
    "Fault",
    "FaultScript",
    "FaultScriptError",
    "Limiter",
    "Mischief",
    "Oddity",
    "Refusal",
    "ReportLimits",
    "Reports",
    "RequestLog",
    "Seen",
    "StateError",
    "Store",
    "Taken",
    "Traffic",
    "answer",
    "drop_reply",
    "half_body",
    "hang",
    "rate_limited",
    "reset",
    "serve",
    "slow",
    "status",
    "welcome",
    "wrong_length",
)
