"""A store by its URL, with what the environment says about credentials, region and endpoint.

These are the variables of the clouds' own tools, which obstore reads. Nothing of them is kept or shown.
"""

import importlib.util
import os
from datetime import timedelta
from typing import Any

from bulkgladly.errors import UsageError
from bulkgladly.stores.addresses import store_address
from bulkgladly.stores.store import Store

__all__ = ("opened_store",)

_PATIENCE_S = 180.0


def opened_store(url: str, *, patience_s: float = _PATIENCE_S) -> Store:
    """Return the store at a URL. Nothing is sent yet. `patience_s` is for how long a failed request is repeated.

    Raises:
        UsageError: The URL is not one of a store, its package is missing, or the environment's settings are not valid.
    """
    address = store_address(url)
    if importlib.util.find_spec("obstore") is None:
        raise UsageError(f"{address} needs the package obstore; install it with `pip install 'bulkgladly[stores]'`")
    from obstore.store import from_url  # noqa: PLC0415 - an optional extra

    from bulkgladly.stores.bucket import Bucket  # noqa: PLC0415 - loads obstore
    from bulkgladly.stores.store_failures import telling_store  # noqa: PLC0415 - loads obstore

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    options: Any = {
        "client_options": {
            "connect_timeout": "20s",
            "timeout": "10min",
            # Only a server of one's own has no TLS, and it is named by its endpoint.
            "allow_http": endpoint.startswith("http://"),
        },
        "retry_config": {"max_retries": 8 if patience_s else 0, "retry_timeout": timedelta(seconds=patience_s)},
    }
    if endpoint and address.scheme == "s3":
        options["config"] = {"endpoint": endpoint}
    with telling_store(str(address)):
        inner = from_url(str(address), **options)
    return Bucket(inner, address)
