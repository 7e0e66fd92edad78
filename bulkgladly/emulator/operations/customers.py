"""The five operations on customer profiles, and customers whom other requests name by an address.

Facts on the addresses: schemas.md, sections 4.2 and 5, of the fact sheet.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from bulkgladly.emulator.operations.customer_profiles import checked_fields, checked_id, patched
from bulkgladly.emulator.organisation.addresses import bare_email, e164, is_email
from bulkgladly.emulator.organisation.event_log import API_USER
from bulkgladly.emulator.organisation.store import Entity, Store, Taken
from bulkgladly.emulator.protocol.fields import Fields
from bulkgladly.emulator.protocol.replies import Refusal, Reply, created, json_reply, no_content, problem, refuse
from bulkgladly.emulator.protocol.routing import Call, Operation

__all__ = ("CUSTOMER_OPERATIONS", "FIND_CAP", "Recipient", "create_customer", "read_recipient")


FIND_CAP = 50
"""findCustomers returns at most this many, and does not say if there are more."""

_PATH = "/api/v1/customer-profiles"


def create_customer(store: Store, payload: Entity) -> str:
    """Check a request body and add the customer. Without an id in the body, one is generated.

    Raises:
        Refusal: 400 for fields that are not valid, 409 for an id or address that is taken.
    """
    chosen = payload.get("id")
    customer_id = store.new_id() if chosen is None else checked_id(chosen)
    fields = {name: value for name, value in checked_fields(payload).items() if value is not None}
    moment = store.now()
    try:
        store.add_customer({"id": customer_id, **fields, "createdAt": moment, "updatedAt": moment})
    except Taken as taken:
        raise _conflict(taken) from taken
    store.event_log.add("CUSTOMER_PROFILE/CREATED", {"customerId": customer_id}, API_USER)
    return customer_id


def _create(call: Call) -> Reply:
    return created(f"{_PATH}/{create_customer(call.store, call.json_object())}")


def _find(call: Call) -> Reply:
    given = {name: values for name, values in call.query.items() if name in _SEARCHES}
    if len(given) != 1 or len(next(iter(given.values()))) != 1:
        detail = "exactly one of email, phoneNumber and externalCustomerId is needed"
        raise refuse(400, problem("invalid", detail))
    [(name, [value])] = given.items()
    matches = _SEARCHES[name](call.store, value)
    # The sort is stable: of two profiles written in the same millisecond, the later stays first.
    newest_first = sorted(matches, key=lambda profile: str(profile["updatedAt"]), reverse=True)
    return json_reply(newest_first[:FIND_CAP])


def _get(call: Call) -> Reply:
    customer_id = call.params["customerId"]
    profile = call.store.customers.get(customer_id)
    if profile is not None:
        return json_reply(profile)
    heir = call.store.successor(customer_id, last=call.options.moved_to == "last")
    if heir is None:
        raise call.not_found("customer")
    meta = {"old": customer_id, "new": heir}
    moved = problem("moved", "this customer id was replaced", attr="customerId", meta=meta)
    reply = json_reply({"errors": [moved]}, 301)
    return reply._replace(headers={"Location": f"{_PATH}/{heir}"}) if call.options.moved_location else reply


def _update(call: Call) -> Reply:
    profile = _existing(call)
    fields = checked_fields(call.json_object())
    changed = patched(profile, fields, merge_attributes=call.options.attributes == "merge")
    try:
        call.store.replace_customer(changed | {"updatedAt": call.store.now()})
    except Taken as taken:
        raise _conflict(taken) from taken
    call.store.event_log.add("CUSTOMER_PROFILE/UPDATED", {"customerId": changed["id"]}, API_USER)
    return no_content()


def _delete(call: Call) -> Reply:
    customer_id = _existing(call)["id"]
    if call.store.has_open_conversation(customer_id):
        detail = "the customer has conversations that are not closed"
        raise refuse(400, problem("invalid_state", detail, attr="conversation"), single=True)
    call.store.remove_customer(customer_id)
    call.store.event_log.add("CUSTOMER_PROFILE/DELETED", {"customerId": customer_id}, API_USER)
    return no_content()


def _existing(call: Call) -> Entity:
    profile = call.store.customers.get(call.params["customerId"])
    if profile is None:
        raise call.not_found("customer")
    return profile


def _conflict(taken: Taken) -> Refusal:
    details = {"id": "this customer id is already in use"}
    return refuse(
        409,
        *(
            problem("taken", details.get(attr, "an address belongs to another customer"), attr=attr)
            for attr in taken.attributes
        ),
    )


def _by_email(store: Store, value: str) -> list[Entity]:
    email = bare_email(value)
    if not is_email(email):
        raise refuse(400, problem("invalid", "not an email address", attr="email"))
    return store.find_by_email(email)


def _by_phone(store: Store, value: str) -> list[Entity]:
    # Without %2B the plus arrives as a space. Accepting that as a US number would hide the mistake.
    number = e164(value) if value.startswith("+") else None
    if number is None:
        raise refuse(400, problem("invalid", "not a number in E.164 form", attr="phoneNumber"))
    return store.find_by_phone(number)


_SEARCHES: dict[str, Callable[[Store, str], list[Entity]]] = {
    "email": _by_email,
    "phoneNumber": _by_phone,
    "externalCustomerId": Store.find_by_external_id,
}


class Recipient(NamedTuple):
    """An existing customer, or the profile of a customer to create."""

    customer_id: str | None
    profile: dict[str, Any]

    def found_or_created(self, store: Store) -> str:
        """Return the id of the customer; create the customer if there is none."""
        return create_customer(store, self.profile) if self.customer_id is None else self.customer_id


def read_recipient(fields: Fields, store: Store) -> Recipient:
    """Return the `customer` of a request body: exactly one of `emailAddress` and `mobilePhone`.

    No customer is created here. Faults are added to `fields`; do not use the result then.
    """
    nobody = Recipient(None, {})
    customer = fields.part("customer", required=True)
    if customer is None:
        return nobody
    if ("emailAddress" in customer) == ("mobilePhone" in customer):
        customer.fault("", "invalid", "exactly one of emailAddress and mobilePhone is needed")
        return nobody
    if "emailAddress" in customer:
        return _recipient_by_email(customer, store) or nobody
    return _recipient_by_mobile(customer, store) or nobody


def _recipient_by_email(customer: Fields, store: Store) -> Recipient | None:
    email = bare_email(customer.text("emailAddress") or "")
    if not is_email(email):
        customer.fault("emailAddress", "invalid", "not an email address")
        return None
    owners = store.find_by_email(email)
    return Recipient(owners[0]["id"] if owners else None, {"emails": [{"original": email}]})


def _recipient_by_mobile(customer: Fields, store: Store) -> Recipient | None:
    original = customer.text("mobilePhone") or ""
    number = e164(original)
    if number is None:
        customer.fault("mobilePhone", "invalid", "not a phone number")
        return None
    for owner in store.find_by_phone(number):
        # Several customers can have the same number of another type; only a mobile number has one owner.
        if any(phone["normalized"] == number and phone["type"] == "MOBILE" for phone in owner["phones"]):
            return Recipient(owner["id"], {})
    return Recipient(None, {"phones": [{"original": original, "type": "MOBILE"}]})


CUSTOMER_OPERATIONS = (
    Operation("POST", _PATH, "createCustomer", _create, (201, 400, 409)),
    Operation("GET", _PATH, "findCustomers", _find, (200, 400)),
    Operation("GET", f"{_PATH}/{{customerId}}", "getCustomer", _get, (200, 301, 404)),
    Operation("PATCH", f"{_PATH}/{{customerId}}", "updateCustomer", _update, (204, 400, 404, 409)),
    Operation("DELETE", f"{_PATH}/{{customerId}}", "deleteCustomer", _delete, (204, 400, 404), needs="compliance"),
)
