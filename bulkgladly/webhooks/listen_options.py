"""What a user decides about receiving webhooks."""

from dataclasses import dataclass

from bulkgladly.local_paths import OptionalPath

__all__ = ("ListenOptions",)


@dataclass(frozen=True, kw_only=True)
class ListenOptions:
    """Where and how webhooks are received."""

    at: str = "127.0.0.1:8080"
    """Address and port."""
    path: str = "/gladly"
    max_body_bytes: int = 1_000_000
    tls_cert: OptionalPath = OptionalPath()
    tls_key: OptionalPath = OptionalPath()
    heal: bool = False
    """Enable our webhook again when Gladly has deactivated it."""
    live: bool = False
    """Whether `/live` is served."""
