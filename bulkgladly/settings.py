"""Credentials, pace and limits: frozen settings, their defaults, and how they are loaded.

Flags override `BULKGLADLY_*` environment variables, which override `bulkgladly.toml`, which
overrides the defaults here. Credentials come from `GLADLY_HOST`, `GLADLY_USERNAME` and
`GLADLY_API_TOKEN` (the names of Gladly's own samples), each also as `..._FILE`, or from a
profile in the toml file. A token is never a flag and never reaches the disk, a log or a `repr`.
"""

import datetime as dt
import ipaddress
import math
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from bulkgladly.errors import UsageError
from bulkgladly.local_paths import local_path
from bulkgladly.rate_schedule import RateSchedule, local_zone, zone_of
from bulkgladly.token_sources import secret_of, text_in_profile, token_of_profile

if TYPE_CHECKING:
    import ssl

__all__ = (
    "Credentials",
    "Foreseen",
    "Limits",
    "Pace",
    "base_url",
    "is_loopback",
    "load_toml",
    "refuse_unlimited",
    "trusted_certificates",
)

API_REQUESTS_PER_SECOND = 10.0
"""For the whole organisation, all its clients together [gladly-api, rate limits]."""
CONFIG_FILE = "bulkgladly.toml"
MOST_SECONDS = 3650 * 86400.0

_HOST_NAME = re.compile(r"[A-Za-z0-9._:-]+")


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a run may go.

    `rate` is in requests per second (None: what the API allows, 10/s until it says
    otherwise). `reserve` is the share of the limit left to other integrations. `concurrency`
    caps the requests in flight (None: enough for 1.2 seconds at the rate). `unlimited`
    removes the pace altogether, for emulators only. `schedule` has rates by weekday and time, below the others, in the
    time zone `zone` (None: that of the organisation).

    Raises:
        UsageError: The schedule or the zone is not valid.
    """

    rate: float | None = None
    reserve: float = 0.1
    concurrency: int | None = None
    unlimited: bool = False
    schedule: str | None = None
    zone: str | None = None

    def __post_init__(self) -> None:
        if self.schedule is not None:
            self.rates()

    def rates(self, zone: dt.tzinfo | None = None) -> RateSchedule | None:
        """Return the rates by time, if there are any. Their zone is the own one, else `zone`, else this machine's."""
        if self.schedule is None:
            return None
        return RateSchedule.of(self.schedule, zone_of(self.zone) if self.zone else zone or local_zone())

    def foreseen(self, now: dt.datetime, zone: dt.tzinfo | None = None) -> "Foreseen":
        """Return what the pace is expected to be from now on."""
        return Foreseen(self.expected_per_second(), now, self.rates(zone))

    def expected_per_second(self) -> float:
        """Return the requests per second to expect before the API has said anything."""
        if self.unlimited:
            return math.inf
        share = API_REQUESTS_PER_SECOND * (1 - self.reserve)
        return share if self.rate is None else min(self.rate, share)


@dataclass(frozen=True, slots=True)
class Foreseen:
    """The pace that is expected from a moment on, before the API has said anything: requests a second."""

    usual: float
    begin: dt.datetime
    rates: RateSchedule | None = None

    def seconds_for(self, requests: float) -> float:
        """Return how long so many requests take; infinite if they never end, 0 if nothing is paced."""
        if self.rates is not None and not math.isinf(self.usual):
            return self.rates.seconds_for(requests, self.begin, self.usual)
        return requests / self.usual

    def end_of(self, requests: float) -> dt.datetime | None:
        """Return when so many requests are done; None if they take longer than ten years."""
        seconds = self.seconds_for(requests)
        return self.begin + dt.timedelta(seconds=seconds) if seconds < MOST_SECONDS else None

    def text(self) -> str:
        """Return the pace for people: `at 9/s`, or `by --rate-schedule`; nothing if there is none."""
        if math.isinf(self.usual):
            return ""
        return "by --rate-schedule" if self.rates is not None else f"at {self.usual:g}/s"


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits at which a run stops. It can be resumed afterwards; the exit code is 10, or 3 for the limits of errors.

    `max_errors` is a number of rows, and `max_errors_percent` a share of the rows done, which
    counts from 100 rows on. Throttling and outages are not errors. `finish_by` is an aware time; a run that cannot be
    done by then is refused. After `canary` records, each of which takes a request, a person has a look.
    """

    max_errors: int | None = None
    max_errors_percent: float | None = None
    max_duration_s: float | None = None
    max_requests: int | None = None
    max_rows: int | None = None
    give_up_after_s: float = 3600.0
    finish_by: dt.datetime | None = None
    canary: int | None = None


class Credentials:
    """The address of the organisation, and the user and token for it. Printing it never shows the token."""

    __slots__ = ("_token", "host", "username")

    def __init__(self, host: str, username: str, token: str) -> None:
        """Check the three parts; `host` may be short (`org`, `org.us-1`) or a base URL.

        Raises:
            UsageError: A part is missing or not valid.
        """
        self.host = base_url(host)
        username, token = username.strip(), token.strip()
        if not username or not token:
            missing = "GLADLY_USERNAME" if not username else "GLADLY_API_TOKEN"
            raise UsageError(f"{missing} is not set; set it, or {missing}_FILE, or use a profile in {CONFIG_FILE}")
        self.username = username
        self._token = token
        if not self._token.isprintable() or not self._token.isascii():
            raise UsageError("the API token contains characters that no token has; copy the token again")

    def token(self) -> str:
        """Return the secret, for the client only."""
        return self._token

    def __repr__(self) -> str:
        return f"Credentials(host={self.host!r}, username={self.username!r}, token=***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials cannot be pickled or copied, since that would copy the token")

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] | None = None, profile: Mapping[str, Any] | None = None
    ) -> "Credentials":
        """Load the credentials from a profile if given, else from the environment.

        A profile has `host`, `username` and one of `token_env`, `token_file`,
        `token_command`, `token_keyring`.

        Raises:
            UsageError: A part is missing; the message names it.
        """
        env = os.environ if environment is None else environment
        if profile is not None:
            for name in ("host", "username"):
                if not text_in_profile(profile, name).strip():
                    raise UsageError(
                        f'the profile has no {name}; add {name} = "..." to its section of the settings file'
                    )
            host, username = text_in_profile(profile, "host"), text_in_profile(profile, "username")
            parts = host, username, token_of_profile(profile, env)
        else:
            parts = secret_of(env, "GLADLY_HOST"), secret_of(env, "GLADLY_USERNAME"), secret_of(env, "GLADLY_API_TOKEN")
        found = cls(*parts)
        if found.host.startswith("https:"):
            trusted_certificates(env)
        return found


def base_url(host: str) -> str:
    """Return the base URL of an organisation without a path: `https://org.gladly.com`.

    Raises:
        UsageError: It is empty, a URL with a path, or plain http to a host that is not loopback.
    """
    text = host.strip().rstrip("/")
    if not text:
        raise UsageError(f"GLADLY_HOST is not set; set it to https://<organisation>.gladly.com, or use {CONFIG_FILE}")
    told = host if "@" not in host else f"...@{host.rpartition('@')[2]}"  # a password may come before the @
    if "://" not in text:
        if re.fullmatch(r"[A-Za-z0-9-]+(\.(us|eu|ap|ca|au|uk)-[a-z0-9]+)?", text):
            text += ".gladly.qa" if text.endswith("-uat") else ".gladly.com"
        text = f"https://{text}"
    try:
        parts = urlsplit(text)
        name, port = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"GLADLY_HOST {told!r} is not a valid address: {error}") from error
    if parts.scheme not in ("http", "https") or not name or not _HOST_NAME.fullmatch(name) or text.endswith(":"):
        raise UsageError(f"GLADLY_HOST {told!r} is not a valid address; use https://<organisation>.gladly.com")
    if parts.path not in ("", "/api/v1") or parts.query or parts.fragment or "@" in parts.netloc:
        raise UsageError(f"GLADLY_HOST {told!r} must be the bare address: no user, path or query")
    if parts.scheme == "http" and not is_loopback(name):
        raise UsageError(
            f"GLADLY_HOST {told!r}: tokens are sent over https only; use https:// (plain http is allowed for loopback)"
        )
    shown = f"[{name}]" if ":" in name else name
    return f"{parts.scheme}://{shown}" + (f":{port}" if port else "")


def refuse_unlimited(pace: Pace, credentials: Credentials) -> None:
    """Refuse an unlimited pace for a real organisation.

    Raises:
        UsageError: The pace is unlimited, and the host is not this machine.
    """
    if pace.unlimited and not is_loopback(urlsplit(credentials.host).hostname or ""):
        raise UsageError("--rate unlimited is only for an emulator on this machine; Gladly allows 10 requests a second")


def is_loopback(name: str) -> bool:
    """Tell whether a host name is this machine itself."""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def trusted_certificates(environment: Mapping[str, str] | None = None) -> "ssl.SSLContext | None":
    """Return the TLS settings with the certificates of `SSL_CERT_FILE`; None if that is not set.

    OpenSSL itself does not report a missing file: it would then trust no host.

    Raises:
        UsageError: The file is missing, cannot be read, or holds no certificate.
    """
    path = (os.environ if environment is None else environment).get("SSL_CERT_FILE")
    if not path:
        return None
    import ssl  # noqa: PLC0415 - needed by few, and slow to load

    fix = "name a PEM file of CA certificates, or unset SSL_CERT_FILE"
    try:
        # Only a check of the file: the default context below reads SSL_CERT_FILE by itself.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        raise UsageError(f"SSL_CERT_FILE names {path}, which contains no certificate; {fix}") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise UsageError(f"SSL_CERT_FILE names {path}, which cannot be read ({why}); {fix}") from None
    return ssl.create_default_context()


def load_toml(path: Path | None) -> Mapping[str, Any]:
    """Return the settings in a file; without a path those in `bulkgladly.toml` in the current folder, if it exists.

    Raises:
        UsageError: The named file is missing, or the file is not TOML, or it contains a token.
    """
    chosen = local_path(path or CONFIG_FILE)
    if path is None and not chosen.is_file():
        return {}
    try:
        found = tomllib.loads(chosen.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{chosen} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{chosen} cannot be read as settings: {error}") from error
    profiles = found.get("profiles", {})
    if not isinstance(profiles, dict) or not all(isinstance(profile, dict) for profile in profiles.values()):
        raise UsageError(f"{chosen}: write each profile as a section of its own, [profiles.<name>]")
    if "token" in found or any("token" in profile for profile in profiles.values()):
        raise UsageError(f"{chosen} contains a token; remove it, and use token_env, token_file or token_command")
    return found
