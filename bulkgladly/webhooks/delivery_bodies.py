"""The body of a delivery as bytes to keep: unpacked within bounds, or why it could not be. Pure."""

import datetime as dt
import zlib
from typing import NamedTuple

import orjson

from bulkgladly.gladly.event_envelopes import PING
from bulkgladly.inbox.arrivals import Arrival, Via, arrival_of, strange_arrival

__all__ = ("ReceivedBody", "arrival_in", "is_ping")

_GZIP, _ZLIB, _RAW = 31, 15, -15
"""What zlib calls the forms in which bytes are packed."""
_PLAIN = ("", "identity")
_MOST_JOINED = 100
"""Files that may be joined within one packed body; each costs a copy of the rest."""


class ReceivedBody(NamedTuple):
    """What one request brought. `is_cut` says that the body was longer, and that these are its first bytes."""

    body: bytes
    encoding: str
    """The `Content-Encoding`, in lower case."""
    is_cut: bool


def arrival_in(delivery: ReceivedBody, received_at: dt.datetime, most: int) -> Arrival:
    """Return a delivery as what the inbox takes; it unpacks to `most` bytes, or it is kept as it came.

    A repeat would bring the same bytes, so whatever is wrong with them, they are kept and acknowledged: refusing them
    four times would make Gladly deactivate the webhook.
    """
    if delivery.is_cut:
        why = f"longer than {most:,} bytes: these are the first"
        return strange_arrival(delivery.body, Via.WEBHOOK, received_at, why)
    if delivery.encoding in _PLAIN:
        return arrival_of(delivery.body, Via.WEBHOOK, received_at)
    found = _unpacked(delivery, most)
    if isinstance(found, str):
        return strange_arrival(delivery.body, Via.WEBHOOK, received_at, found)
    return arrival_of(found, Via.WEBHOOK, received_at)


def is_ping(arrival: Arrival) -> bool:
    """Tell whether this is Gladly's test of the address. Its form is not documented, so its type is enough."""
    if not arrival.why:
        return arrival.type == PING
    try:
        found = orjson.loads(arrival.body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(found, dict) and found.get("type") == PING


def _unpacked(delivery: ReceivedBody, most: int) -> bytes | str:
    """Return the unpacked bytes, or why there are none."""
    if delivery.encoding in ("gzip", "x-gzip"):
        forms = [_GZIP]
    elif delivery.encoding == "deflate":
        forms = [_ZLIB, _RAW]  # the standard says zlib, and many senders leave its frame out
    else:
        return "packed, but not as gzip or deflate"
    for form in forms:
        try:
            return _inflated(delivery.body, form, most)
        except zlib.error:
            continue
        except OverflowError:
            return f"longer than {most:,} bytes when unpacked; kept as it came"
    return f"cannot be unpacked as {delivery.encoding}"


def _inflated(packed: bytes, form: int, most: int) -> bytes:
    """Return the unpacked bytes.

    Raises:
        zlib.error: They are broken, or end too early.
        OverflowError: They are more than `most`. No more than that is ever held.
    """
    found = bytearray()
    for _ in range(_MOST_JOINED):
        one = zlib.decompressobj(form)
        # One byte more than allowed is enough to know, and a bomb never grows beyond it.
        found += one.decompress(packed, most + 1 - len(found))
        if len(found) > most:
            raise OverflowError
        if not one.eof:
            raise zlib.error("it ends too early")
        packed = one.unused_data if form == _GZIP else b""
        if not packed:
            return bytes(found)
    raise zlib.error("too many files are joined")
