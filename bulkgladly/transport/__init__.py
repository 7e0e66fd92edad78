"""HTTP, and nothing of what Gladly's objects mean: the shared pace, the retries, one session."""

from bulkgladly.transport.client import Client, Timeouts
from bulkgladly.transport.pacer import Budget, Pacer, PaceView, Ticket
from bulkgladly.transport.retry import RetryPolicy

__all__ = ("Budget", "Client", "PaceView", "Pacer", "RetryPolicy", "Ticket", "Timeouts")
