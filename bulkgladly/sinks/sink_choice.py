"""From a `--to` to its sink."""

import os
import re
from collections.abc import Callable, Mapping

from bulkgladly.errors import UsageError
from bulkgladly.runs.environment import USUAL, Environment
from bulkgladly.sinks.exec_sink import ExecSink
from bulkgladly.sinks.https_sink import HttpsSink
from bulkgladly.sinks.signatures import read_secrets
from bulkgladly.sinks.sinks import Note, Sink, SinkTimes
from bulkgladly.sinks.stream_sink import StreamSink

__all__ = ("sink_of", "sinks_of")

STDOUT = 1
_FORMS = "use - for the standard output, exec:COMMAND, or https://HOST/PATH"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")


def sinks_of(
    texts: tuple[str, ...],
    note: Note,
    *,
    sign_env: str | None = None,
    variables: Mapping[str, str] | None = None,
    environment: Environment = USUAL,
) -> list[Sink]:
    """Return the sinks of all `--to`. `sign_env` names the variable with the secret that signs https requests.

    Raises:
        UsageError: One of them cannot work, two are the same, or the variable is missing or not a secret.
    """
    found = os.environ if variables is None else variables
    secret = None if sign_env is None else found.get(sign_env, "")
    twice = next((text for text in texts if texts.count(text) > 1), None)
    sinks = [
        sink_of(text, note, signing_secret=secret, sign_env=sign_env, environment=environment)
        for text in dict.fromkeys(texts)
    ]
    if twice is not None:
        name = next(sink.label for text, sink in zip(dict.fromkeys(texts), sinks, strict=True) if text == twice)
        raise UsageError(f"--to {name} is given twice; leave one of them out")
    return sinks


def sink_of(
    text: str,
    note: Note,
    *,
    signing_secret: str | None = None,
    sign_env: str | None = None,
    times: SinkTimes | None = None,
    environment: Environment = USUAL,
    stdout: int = STDOUT,
) -> Sink:
    """Return the sink of a `--to`: `-`, `exec:COMMAND`, or an https URL. Nothing is opened yet.

    `note` tells what a command prints. With a `signing_secret`, from the variable `sign_env`, https requests
    are signed.

    Raises:
        UsageError: It cannot work; the message has the fix, and no secret.
    """
    if text == "-":
        return StreamSink(stdout, environment.sleep)
    scheme = found[1].lower() if (found := _SCHEME.match(text)) else ""
    makers: Mapping[str, Callable[[], Sink]] = {
        "exec": lambda: ExecSink(text[len("exec:") :], note, times=times, hidden=[sign_env] if sign_env else []),
        **dict.fromkeys(("http", "https"), lambda: _https(text, signing_secret, sign_env, times)),
    }
    if scheme in makers:
        return makers[scheme]()
    if not scheme:
        # The text is not shown: it may be an address with a secret, without its scheme.
        raise UsageError(f"--to is not a sink; {_FORMS}. To write to a file, use --to - and > FILE")
    raise UsageError(f"--to {scheme}:... is not supported; {_FORMS}")


def _https(text: str, secret: str | None, name: str | None, times: SinkTimes | None) -> Sink:
    keys = () if secret is None else read_secrets(secret, name or "the signing secret")
    return HttpsSink(text, keys=keys, times=times)
