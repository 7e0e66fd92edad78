"""What an error of an object store means for a run: which exit code it has, and what to do about it.

The library tells missing objects and refused conditions apart; everything else is in its message, which quotes
requests and answers at length. Nothing of that is repeated: it may hold signatures and keys.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError, PreconditionError

from bulkgladly.errors import BulkgladlyError, Fatal, Outage, UsageError

__all__ = ("meant_by_store", "telling_store")

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>([A-Za-z0-9.]{1,60})</Code>")

_FIXES = {
    "NoSuchBucket": "there is no such bucket; create it, or correct the name",
    "ContainerNotFound": "there is no such container; create it, or correct the name",
    "InvalidAccessKeyId": "the access key is not known there; check AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "the secret key is wrong; check AWS_SECRET_ACCESS_KEY",
    "ExpiredToken": "the session token has expired; get a new one",
    "AuthorizationHeaderMalformed": "the bucket is in another region; set AWS_REGION",
    "PermanentRedirect": "the bucket is in another region or behind another endpoint; set AWS_REGION",
    "IllegalLocationConstraintException": "the bucket is in another region; set AWS_REGION",
    "RequestTimeTooSkewed": "the clock of this machine is wrong; set it",
    "NotImplemented": "the store does not support what is needed; see docs/stores.md",
}
_WRONG_SETTINGS = ("NoSuchBucket", "ContainerNotFound", "NotImplemented", "RequestTimeTooSkewed")
_REFUSED = "the store refuses the request; it needs permission to list, read, write and delete below the prefix"
_NO_ACCESS = "no credentials were accepted; set them in the environment (see docs/stores.md)"


@contextmanager
def telling_store(name: str) -> Iterator[None]:
    """Turn the library's errors within the block into ours. Missing objects and refused conditions stay as they are."""
    try:
        yield
    except (AlreadyExistsError, PreconditionError):
        raise
    except (BaseError, NotFoundError, OSError) as error:
        if isinstance(error, FileNotFoundError | NotFoundError) and _code_in(str(error)) not in _FIXES:
            raise
        if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
            raise
        # From None: the library's error quotes the whole request.
        raise meant_by_store(name, error) from None


def meant_by_store(name: str, error: Exception) -> BulkgladlyError:
    """Return an error of the library as one of ours. Pure."""
    told = str(error)
    kind, code = type(error).__name__, _code_in(told)
    status = int(found[1]) if (found := _STATUS.search(told)) else 0
    if code in _FIXES:
        what = UsageError if code in _WRONG_SETTINGS else Fatal
        return what(f"{name}: {_FIXES[code]} ({code})")
    if status in (301, 307, 308):
        return Fatal(f"{name}: {_FIXES['PermanentRedirect']}")
    if kind == "PermissionDeniedError" or status == 403:
        return Fatal(f"{name}: {_REFUSED}" + (f" ({code})" if code else ""))
    if kind == "UnauthenticatedError" or status == 401 or "169.254.169.254" in told:
        return Fatal(f"{name}: {_NO_ACCESS}")
    if kind in ("InvalidPathError", "UnknownConfigurationKeyError", "NotSupportedError") or status == 404:
        return UsageError(
            f"{name}: the store cannot be used like this ({code or kind}); check the URL and the endpoint"
        )
    if status and status < 500:
        return UsageError(f"{name}: the store answered {status} {code}".rstrip() + "; check the URL and the endpoint")
    why = f"the store answered {status} {code}".rstrip() if status else "the store cannot be reached"
    return Outage(f"{name}: {why}; try again later, or check the endpoint")


def _code_in(told: str) -> str:
    return found[1] if (found := _CODE.search(told)) else ""
