"""The customer that a request names by an address, and who is created when nobody has it.

Facts: schemas.md, sections 4.2 and 5, of the fact sheet.
"""

from typing import Any, NamedTuple

from bulkgladly.emulator.operations.customers import create_from
from bulkgladly.emulator.organisation.addresses import bare_email, e164, is_email
from bulkgladly.emulator.organisation.store import Store
from bulkgladly.emulator.protocol.fields import Fields

__all__ = ("Recipient", "read_recipient")


class Recipient(NamedTuple):
    """A customer who is there, or the profile of one who is not yet."""

    customer_id: str | None
    profile: dict[str, Any]

    def found_or_created(self, store: Store) -> str:
        """The id of the customer, who is there afterwards."""
        return create_from(store, self.profile) if self.customer_id is None else self.customer_id


def read_recipient(fields: Fields, store: Store) -> Recipient:
    """The `customer` of a request body: `emailAddress` or `mobilePhone`, exactly one of them.

    Nobody is created here. Faults are left in `fields`; what is returned means nothing then.
    """
    nobody = Recipient(None, {})
    customer = fields.part("customer", required=True)
    if customer is None:
        return nobody
    if ("emailAddress" in customer) == ("mobilePhone" in customer):
        customer.fault("", "invalid", "exactly one of emailAddress and mobilePhone is needed")
        return nobody
    if "emailAddress" in customer:
        return _by_email(customer, store) or nobody
    return _by_mobile(customer, store) or nobody


def _by_email(customer: Fields, store: Store) -> Recipient | None:
    email = bare_email(customer.text("emailAddress") or "")
    if not is_email(email):
        customer.fault("emailAddress", "invalid", "not an email address")
        return None
    owners = store.find_by_email(email)
    return Recipient(owners[0]["id"] if owners else None, {"emails": [{"original": email}]})


def _by_mobile(customer: Fields, store: Store) -> Recipient | None:
    original = customer.text("mobilePhone") or ""
    number = e164(original)
    if number is None:
        customer.fault("mobilePhone", "invalid", "not a phone number")
        return None
    for owner in store.find_by_phone(number):
        # Numbers of other types may repeat, so only a mobile one says who is meant.
        if any(phone["normalized"] == number and phone["type"] == "MOBILE" for phone in owner["phones"]):
            return Recipient(owner["id"], {})
    return Recipient(None, {"phones": [{"original": original, "type": "MOBILE"}]})
