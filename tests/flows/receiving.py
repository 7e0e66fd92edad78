"""A listener as a process of its own: `python -m tests.flows.receiving STATE_DIR` prints its URL and serves."""

import asyncio
import sys
from pathlib import Path

from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.webhooks.listen_options import ListenOptions
from bulkgladly.webhooks.listen_secrets import ListenSecrets
from bulkgladly.webhooks.webhook_server import WebhookServer

__all__ = ("HOST", "PASSWORD", "USERNAME")

HOST = "https://example.gladly.com"
USERNAME, PASSWORD = "gladly", "a-password"


async def _serve(state_dir: Path) -> None:
    with Inbox(state_dir, HOST) as inbox:
        server = WebhookServer(inbox, ListenOptions(at="127.0.0.1:0"), ListenSecrets(USERNAME, [PASSWORD]))
        await server.start()
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
