"""A stand-in for Gladly's REST API, for tests, rehearsals, benchmarks and the demonstration.

It imports nothing of the toolkit, so that it can disagree with it.

    async with Emulator(rate=10) as emulator:
        ...  # talk to emulator.url as emulator.options.username with emulator.options.token
"""

from bulkgladly.emulator.clock import Clock
from bulkgladly.emulator.emulator import Emulator
from bulkgladly.emulator.exporter import Exporter
from bulkgladly.emulator.faults import (
    Fault,
    FaultScript,
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
from bulkgladly.emulator.limiter import Limiter
from bulkgladly.emulator.options import EmulatorOptions
from bulkgladly.emulator.replies import Refusal
from bulkgladly.emulator.report_book import Oddity
from bulkgladly.emulator.report_limits import ReportLimits
from bulkgladly.emulator.reports import Reports
from bulkgladly.emulator.request_log import RequestLog, Seen
from bulkgladly.emulator.server import serve, welcome
from bulkgladly.emulator.state import StateError
from bulkgladly.emulator.store import Store, Taken

__all__ = (
    "Clock",
    "Emulator",
    "EmulatorOptions",
    "Exporter",
    "Fault",
    "FaultScript",
    "FaultScriptError",
    "Limiter",
    "Oddity",
    "Refusal",
    "ReportLimits",
    "Reports",
    "RequestLog",
    "Seen",
    "StateError",
    "Store",
    "Taken",
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
