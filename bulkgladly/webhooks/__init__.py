"""Receiving webhooks: a 200 is sent after the event is on the disk, and Gladly is told where to send them.

`webhook_server` receives what Gladly sends, as `listen_options` say, with `http_connections`, `delivery_bodies`,
`listen_secrets`, `listen_address`, and `server_health`. `registration` tells Gladly where to send it,
`healing` enables it again, and `known_webhook` is what is kept of it.
"""

__all__: tuple[str, ...] = ()
