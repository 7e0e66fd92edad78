"""The webhook that was registered with a state directory, as a small file beside the inbox."""

import contextlib
from pathlib import Path
from typing import NamedTuple

import orjson

from bulkgladly.storage.durable import write_private
from bulkgladly.storage.failures import writing

__all__ = ("OUR_NAME", "KnownWebhook", "forget_webhook", "known_webhook", "remember_webhook")

OUR_NAME = "bulkgladly"
"""The name that our webhook has in Gladly unless the user gives it another: by it, it is told from those of others."""


class KnownWebhook(NamedTuple):
    """A webhook of ours."""

    host: str
    """The organisation that has it."""
    id: str
    url: str
    name: str


def known_webhook(state_dir: Path, host: str) -> KnownWebhook | None:
    """Return the webhook that was registered for an organisation; None if there is none, or the file says nothing."""
    try:
        found = orjson.loads(_path(state_dir).read_bytes())
        known = KnownWebhook(**found)
    except (OSError, ValueError, TypeError):
        return None
    is_whole = all(isinstance(value, str) for value in known)
    return known if is_whole and known.host == host else None


def remember_webhook(state_dir: Path, known: KnownWebhook) -> None:
    """Keep a webhook; it is on the disk on return.

    Raises:
        DiskFull: There is no room. The webhook is then found by its name.
    """
    with writing(_path(state_dir), then="run the same command again"):
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(_path(state_dir), orjson.dumps(known._asdict(), option=orjson.OPT_INDENT_2))


def forget_webhook(state_dir: Path) -> None:
    """Remove the file, if there is one."""
    with contextlib.suppress(OSError):
        _path(state_dir).unlink()


def _path(state_dir: Path) -> Path:
    return state_dir / "webhook.json"
