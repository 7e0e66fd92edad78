"""`--notify`: messages to chats, mail and phones, by apprise, which knows a hundred services by their URLs."""

import logging
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from bulkgladly.errors import UsageError

__all__ = ("ChatNotices",)


class ChatNotices:
    """Sends a message to each service. Services are named by the scheme of their URL alone, which holds no secret."""

    def __init__(self, urls: Sequence[str], tell: Callable[[str], None], within_s: float) -> None:
        """Check that the package is there, and that it knows the services. Nothing is sent yet.

        Raises:
            UsageError: It is not, or it does not; the message says how to fix it.
        """
        self._tell, self._within_s = tell, within_s
        try:
            with warnings.catch_warnings():  # what its own modules are warned of is no matter of the user's
                warnings.simplefilter("ignore")
                import apprise  # noqa: PLC0415 - an optional extra, needed by few
        except ImportError:
            raise UsageError("--notify needs the extra: pip install 'bulkgladly[notify]'") from None
        # It logs addresses and texts, and Python prints what no handler takes.
        log = logging.getLogger("apprise")
        log.handlers[:], log.propagate = [logging.NullHandler()], False
        self._services = [(_scheme(url), _service(apprise, url)) for url in urls]
        self._urgency = {True: apprise.NotifyType.SUCCESS, False: apprise.NotifyType.FAILURE}

    def send(self, title: str, text: str, *, is_good: bool) -> None:
        """Send a message to all services at once, and wait for them for a limited time."""
        failed = dict.fromkeys(range(len(self._services)), "no response in time")

        def one(nth: int) -> None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    is_sent = self._services[nth][1].notify(body=text, title=title, notify_type=self._urgency[is_good])
                except Exception as error:  # noqa: BLE001 - another program's code, which may raise anything
                    failed[nth] = type(error).__name__
                    return
            if is_sent:
                failed.pop(nth, None)
            else:
                failed[nth] = "not accepted"

        # Daemons: a service that never answers must not keep the program.
        threads = [threading.Thread(target=one, args=(nth,), daemon=True) for nth in list(failed)]
        for thread in threads:
            thread.start()
        until = time.monotonic() + self._within_s
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        if left := dict(failed):
            told = ", ".join(f"{self._services[nth][0]} ({why})" for nth, why in left.items())
            self._tell(f"--notify failed for {told}; check its URL, and that this machine reaches the service")


def _scheme(url: str) -> str:
    return url.partition("://")[0][:20]


def _service(apprise: Any, url: str) -> Any:
    service = apprise.Apprise()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if "://" not in url or not service.add(url):
            name = f" ({_scheme(url)}://...)" if "://" in url else ""
            raise UsageError(
                f"a value of --notify{name} is not a URL that apprise knows; see https://github.com/caronc/apprise/wiki"
            )
    return service
