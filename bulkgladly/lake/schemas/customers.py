"""Customers: the flat lines of an export job, and whole profiles asked for one by one.

`customers` has the columns of both, since public readers of the file describe fields of a
profile in it. Open maps (`externalCustomerIds`, `customAttributes`) are map<string, string>;
a value of an attribute that is no text stands in `_extra`.
"""

import pyarrow as pa

from bulkgladly.lake.schemas.shapes import FLAG, JOB, OPEN_MAP, TEXT, TEXTS, TIMESTAMP, Fields, flat, struct

__all__ = ("CUSTOMERS", "PROFILES")

_NAMES: Fields = dict.fromkeys(("id", "name", "image", "address"), TEXT)
_ADDRESSES: Fields = {"emailAddresses": TEXTS, "phoneNumbers": TEXTS}
_PROFILE: Fields = {
    "emails": pa.list_(struct(original=TEXT, normalized=TEXT, primary=FLAG)),
    "phones": pa.list_(
        struct(
            **dict.fromkeys(("original", "normalized", "extension", "regionCode"), TEXT),
            primary=FLAG,
            smsPreference=TEXT,
            type=TEXT,
        )
    ),
    "externalCustomerId": TEXT,
    "externalCustomerIds": OPEN_MAP,
    "customAttributes": OPEN_MAP,
    "createdAt": TIMESTAMP,
    "updatedAt": TIMESTAMP,
}

CUSTOMERS = flat("customers", {**_NAMES, **_ADDRESSES, **_PROFILE}, file="customers.jsonl", provenance=JOB)
PROFILES = flat("profiles", {**_NAMES, **_PROFILE, "_asked_id": TEXT})
"""`_asked_id` is the id that was asked for: another than `id` where the customer was merged away."""
