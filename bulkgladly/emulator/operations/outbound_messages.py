"""Messages that would reach people: text messages, emails, and the recipients of a campaign.

Facts: endpoints.md, rows 1, 2 and 72, and schemas.md, sections 13 and 15, of the fact sheet. Nothing is
sent. Every message that Gladly would have sent is an item outside any conversation, and stays in the
collection `sent_messages` when its customer is deleted; a recipient collection keeps its recipients. A
text goes to the customer with this mobile number; if there is none, a customer is created. Senders that
are not in the option `senders` get 400: that a sender must be configured is documented, the reply is not.

Campaigns are created outside the API. The status of a collection is SCHEDULED before `startAfter`, then
ACTIVE; when Gladly uses which is UNKNOWN, as is the reply to a body that is not valid (400 here).
"""

from bulkgladly.emulator.operations.customers import create_customer
from bulkgladly.emulator.operations.timeline import new_timeline_id
from bulkgladly.emulator.organisation.addresses import bare_email, e164, is_email
from bulkgladly.emulator.organisation.clock import shortest_timestamp
from bulkgladly.emulator.organisation.event_log import API_USER
from bulkgladly.emulator.organisation.store import Entity, Store
from bulkgladly.emulator.protocol.fields import Fields
from bulkgladly.emulator.protocol.replies import Reply, json_reply
from bulkgladly.emulator.protocol.routing import Call, Operation

__all__ = ("CAMPAIGN_OPERATIONS", "COMMUNICATION_OPERATIONS", "MAX_SUBJECT")


MAX_SUBJECT = 999
"""A subject has fewer than 1000 characters."""


def _send_sms(call: Call) -> Reply:
    body = Fields(call.json_object())
    recipient = body.part("customer", required=True)
    number = "" if recipient is None else _number(recipient, "mobileNumber")
    sender = _number(body, "from")
    _check_sender(call, body, sender)
    content = {"type": "SMS", "from": sender, "to": number, "content": body.required_text("body")}
    body.refuse_faults()
    customer_id = _owner_of(call.store, number)
    if customer_id is None:
        customer_id = create_customer(call.store, {"phones": [{"original": number, "type": "MOBILE"}]})
    return _sent(call.store, customer_id, content)


def _send_email(call: Call) -> Reply:
    body = Fields(call.json_object())
    address, name = _recipient(body)
    sender = _email(body, "from")
    _check_sender(call, body, sender)
    subject = body.required_text("subject", max_length=MAX_SUBJECT)
    text = _text_of(body.part("body", required=True))
    body.refuse_faults()
    found = call.store.find_by_email(address)
    if found:
        customer_id = str(found[0]["id"])
    else:
        customer_id = create_customer(call.store, {"name": name, "emails": [{"original": address}]})
    content = {"type": "EMAIL", "from": sender, "to": [address], "subject": subject, "content": text}
    return _sent(call.store, customer_id, content)


def _recipient(body: Fields) -> tuple[str, str | None]:
    recipients = [(_email(entry, "email"), entry.text("name")) for entry in body.required_parts("to")]
    if len(recipients) == 1:
        return recipients[0]
    if recipients:
        body.fault("to", "invalid", "only one address is supported")
    return "", None


def _text_of(body: Fields | None) -> str:
    """Return the plain text, or else the HTML."""
    if body is None:
        return ""
    html, text = body.text("html"), body.text("text")
    if not (text or html):
        body.fault("text", "blank", "html and text are missing")
    return text or html or ""


def _number(body: Fields, name: str) -> str:
    text = body.required_text(name)
    number = e164(text) if text else ""
    if number is None:
        body.fault(name, "invalid", f"{name} is not a valid phone number")
    return number or ""


def _email(body: Fields, name: str) -> str:
    address = bare_email(body.required_text(name))
    if address and not is_email(address):
        body.fault(name, "invalid", f"{name} is not a valid email address")
    return address


def _check_sender(call: Call, body: Fields, sender: str) -> None:
    senders = call.options.senders
    if sender and senders is not None and sender.lower() not in {known.lower() for known in senders}:
        body.fault("from", "invalid", "the sender is not configured for the organization")


def _owner_of(store: Store, number: str) -> str | None:
    # Several customers can have the same number of another type; only a mobile number has one owner.
    mobile = {"normalized": number, "type": "MOBILE"}.items()
    for customer in store.find_by_phone(number):
        if any(mobile <= phone.items() for phone in customer["phones"]):
            return str(customer["id"])
    return None


def _sent(store: Store, customer_id: str, content: Entity) -> Reply:
    item: Entity = {"id": new_timeline_id(store), "customerId": customer_id, "timestamp": store.now()}
    item |= {"initiator": API_USER, "content": content}
    for kind in ("items", "sent_messages"):
        store.collections[kind][item["id"]] = item
    return json_reply({"customerId": customer_id, "conversationItemId": item["id"]})


def _create_collection(call: Call) -> Reply:
    store = call.store
    campaign = store.collections["campaigns"].get(call.params["campaignId"])
    if campaign is None:
        raise call.not_found("campaign")
    body = Fields(call.json_object())
    collection: Entity = {
        "id": store.new_id("recipient_collections"),
        "campaignId": campaign["id"],
        "type": campaign["type"],
    }
    collection |= {"name": body.required_text("name"), **_campaign_period(call, body)}
    recipients = [_campaign_recipient(entry, campaign["type"]) for entry in body.required_parts("recipients")]
    body.refuse_faults()
    store.collections["recipient_collections"][collection["id"]] = {**collection, "recipients": recipients}
    return json_reply(collection)


def _campaign_period(call: Call, body: Fields) -> Entity:
    start, end = body.moment("startAfter", required=True), body.moment("endBefore")
    if start is None:
        return {}
    period = {
        "startAfter": shortest_timestamp(start),
        "status": "SCHEDULED" if start > call.store.jobs.now() else "ACTIVE",
    }
    if end is not None:
        if end <= start:
            body.fault("endBefore", "invalid", "endBefore must be after startAfter")
        period["endBefore"] = shortest_timestamp(end)
    return period


def _campaign_recipient(body: Fields, kind: str) -> Entity:
    recipient = {"customerName": body.required_text("customerName"), "timezone": body.timezone("timezone")}
    name = "emailAddress" if kind == "EMAIL" else "phoneNumber"
    address = body.required_text(name)
    if address and not (is_email(address) if kind == "EMAIL" else e164(address)):
        body.fault(name, "invalid", f"{name} is not a valid address for this campaign")
    return {**recipient, name: address}


COMMUNICATION_OPERATIONS = (
    Operation("POST", "/api/v1/communications/sms", "sendSMS", _send_sms, (200, 400)),
    Operation("POST", "/api/v1/communications/email", "sendEmail", _send_email, (200, 400)),
)

CAMPAIGN_OPERATIONS = (
    Operation(
        "POST",
        "/api/v1/campaigns/{campaignId}/recipient-collections",
        "createRecipientCollection",
        _create_collection,
        (200, 400, 404),
    ),
)
