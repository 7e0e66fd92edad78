"""HTTP, and nothing of what Gladly's objects mean: the shared pace, the retries, one session.

The `client` is all that other rooms use, with `client_options`. A request goes to an `address` in `attempts`. Each
passes the `gates`, is a `single_exchange`, and is repeated as `retry` allows. `other_hosts` has those that go
elsewhere. The `host_watch` probes in an outage, by what `health` knows.

The pace: a `pacer` for each budget (`budget_pacers`), with a `schedule` that follows the server's `window` by a
`window_plan`, and a `burst_guard` behind it. Beside other processes each request also waits for its `shared_turn`.

On the wire: only `wire` knows aiohttp. Replies are read whole, or as `downloads` from `bodies`, within the limits of
`timers`.
"""

from bulkgladly.api.budget_pacers import default_pacer, reports_pacer
from bulkgladly.api.client import Client
from bulkgladly.api.client_options import ClientOptions, Timeouts
from bulkgladly.api.downloads import Download
from bulkgladly.api.pacer import Budget, Pacer, PaceView, Ticket
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
