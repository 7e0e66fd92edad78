"""Events as they happen: received into the inbox, landed in the data set, passed on to sinks and rules.

`realtime_options` has what a user decides. `webhook_server` receives what Gladly sends, with `http_connections`,
`delivery_bodies`, `listen_secrets`, `listen_address`, `rare_notes` and `server_health`.
`registration` tells Gladly where to send it, `healing` enables it again, and `known_webhook` is what is kept of it.
"""

__all__: tuple[str, ...] = ()
