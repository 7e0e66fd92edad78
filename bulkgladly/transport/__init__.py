"""HTTP, and nothing of what Gladly's objects mean: the shared pace, the retries, one session."""

from bulkgladly.transport.client import Client
from bulkgladly.transport.client_options import ClientOptions, Timeouts
from bulkgladly.transport.downloads import Download
from bulkgladly.transport.pacer import Budget, Pacer, PaceView, Ticket, default_pacer, reports_pacer
from bulkgladly.transport.retry import RetryPolicy

__all__ = (
    "Budget",
    "Client",
    "ClientOptions",
    "Download",
    "PaceView",
    "Pacer",
    "RetryPolicy",
    "Ticket",
    "Timeouts",
    "default_pacer",
    "reports_pacer",
)
