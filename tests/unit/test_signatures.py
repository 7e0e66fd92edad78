"""Signatures in the format of Standard Webhooks, judged by the library that receivers use."""

import base64
import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from bulkgladly.errors import UsageError
from bulkgladly.sinks.signatures import read_secrets, signed_headers

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()
BODY = b'{"id":"e1","name":"Zo\xc3\xab"}'


@pytest.mark.parametrize("used", [SECRET, OTHER, SECRET.removeprefix("whsec_")])
def test_receivers_accept_the_signature(used: str) -> None:
    """Each of several secrets, with and without its prefix."""
    headers = signed_headers(read_secrets(f"{SECRET} {OTHER}", "KEY"), "e1", int(time.time()), BODY)

    assert Webhook(used).verify(BODY, dict(headers)) == {"id": "e1", "name": "Zoë"}


def test_receivers_refuse_what_was_changed() -> None:
    """The id, the time and the body are all signed."""
    now = int(time.time())
    good = dict(signed_headers(read_secrets(SECRET, "KEY"), "e1", now, BODY))

    for headers, body in (
        ({**good, "webhook-id": "e2"}, BODY),
        ({**good, "webhook-timestamp": str(now + 1)}, BODY),
        (good, BODY + b" "),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(body, headers)


def test_without_a_secret_there_is_no_signature() -> None:
    """The id is there all the same, so that a receiver can recognise a copy."""
    assert dict(signed_headers((), "e1", 7, BODY)) == {"webhook-id": "e1", "webhook-timestamp": "7"}


@pytest.mark.parametrize("text", ["", "  ", "whsec_", "not base64!", "whsec_" + base64.b64encode(b"short").decode()])
def test_what_is_not_a_secret_is_refused(text: str) -> None:
    """The message names the variable and the fix, and never the secret."""
    with pytest.raises(UsageError, match="KEY") as caught:
        read_secrets(text, "KEY")

    assert text in ("", "  ", "whsec_") or text not in str(caught.value)
