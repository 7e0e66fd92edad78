"""HTTP, and nothing of what Gladly's objects mean: the shared pace, the retries, one session."""

from bulkgladly.api.client import Client
from bulkgladly.api.client_options import ClientOptions, Timeouts
from bulkgladly.api.downloads import Download
from bulkgladly.api.pacer import Budget, Pacer, PaceView, Ticket, default_pacer, reports_pacer
from bulkgladly.api.retry import RetryPolicy

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
