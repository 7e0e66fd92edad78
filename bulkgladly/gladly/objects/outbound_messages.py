"""What reaches people: text messages, emails, replies and campaign recipients, each sent at most once.

Facts: gladly-api, endpoints 1, 2, 20 and 72, schemas 4.5, 13 and 15. A message cannot be undone,
and Gladly accepts a second one. So an import needs an explicit flag, and sends one record first for
a person to look at.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from bulkgladly.gladly.contacts import clean_emails, clean_phones
from bulkgladly.gladly.fields import ALWAYS, MAX_ID, Field, FieldProblem, Kind, column_plan
from bulkgladly.gladly.once_steps import OnceSteps, Sending, id_in_location
from bulkgladly.gladly.preparation import Preparation, segment
from bulkgladly.gladly.spec import GladlyObject, ImportSpec, Policy, Record
from bulkgladly.messages import Repeat, Reply, Request
from bulkgladly.records import Mode, Problem
from bulkgladly.times import time_of

__all__ = ("EMAILS", "OBJECT", "RECIPIENT_COLLECTIONS", "REPLIES", "SMS")

REPLY_TYPES = ("EMAIL", "CHAT_MESSAGE", "FACEBOOK_MESSAGE", "INSTAGRAM_DIRECT", "SMS", "TWITTER", "WHATSAPP")
MAX_REPLY = 2048
"""The most characters of a reply, by an example in the document; channels may have other limits."""
MAX_OPTIONS = 10
MAX_OPTION_LABEL = 50

_SMS_FIELDS = (
    Field("mobileNumber", into="customer.mobileNumber", required=ALWAYS, help="the recipient"),
    Field("customer", Kind.OBJECT, help="Gladly's own form: an object with mobileNumber"),
    Field("from", required=ALWAYS, help="one of your numbers, as it is set up in Gladly"),
    Field("body", required=ALWAYS),
)
_EMAIL_FIELDS = (
    Field("to", required=ALWAYS, help="the recipient: one address"),
    Field("toName"),
    Field("from", required=ALWAYS, help="one of your addresses, as it is set up in Gladly"),
    Field("subject", required=ALWAYS, most=999),
    Field("html", into="body.html"),
    Field("text", into="body.text"),
    Field("body", Kind.OBJECT, help="Gladly's own form: an object with html and text"),
)
_REPLY_FIELDS = (
    Field("itemId", Kind.ID, most=MAX_ID, required=ALWAYS, help="the customer's message to reply to"),
    Field("type", Kind.CHOICE, choices=REPLY_TYPES, into="content.type", required=ALWAYS),
    Field("body", most=MAX_REPLY, into="content.body", required=ALWAYS),
    Field("bodyPlain", into="content.bodyPlain"),
    Field("messageType", Kind.CHOICE, choices=("TEXT", "QUICK_REPLY_REQUEST"), into="content.messageType"),
    Field("messageData", Kind.OBJECT, into="content.messageData"),
    Field("content", Kind.OBJECT, help="Gladly's own form: the five fields above as one object"),
)
_COLLECTION_FIELDS = (
    Field("campaignId", Kind.ID, required=ALWAYS),
    Field("name", required=ALWAYS),
    Field("startAfter", Kind.MOMENT, required=ALWAYS),
    Field("endBefore", Kind.MOMENT),
    Field(
        "recipients",
        Kind.OBJECTS,
        required=ALWAYS,
        value="customerName",
        parts={"timezone": "text", "emailAddress": "text", "phoneNumber": "text"},
        help="whom to contact: customerName, timezone, and emailAddress or phoneNumber",
    ),
)


def _clean_sms(payload: dict[str, Any], policy: Policy) -> dict[str, Any]:
    customer = payload["customer"]
    number = clean_phones([customer.get("mobileNumber")], policy.phone_region)[0]["original"]
    return {**payload, "customer": {"mobileNumber": number}}


def _clean_email(payload: dict[str, Any], _policy: Policy) -> dict[str, Any]:
    return {**payload, "to": clean_emails([payload["to"]])[0]["original"]}


def _unwrap_email(nested: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take the single address out of the API's list."""
    to = nested.get("to")
    if not isinstance(to, list):
        return nested
    if len(to) != 1 or not isinstance(to[0], dict):
        raise FieldProblem("invalid", "to", "must have exactly one address; Gladly supports no more")
    name = {"toName": to[0]["name"]} if to[0].get("name") else {}
    return {**nested, "to": to[0].get("email"), **name}


def _email_says_something(payload: Mapping[str, Any], _policy: Policy) -> Iterator[Problem]:
    body = payload.get("body") or {}
    if not (body.get("html") or body.get("text")):
        yield Problem("blank", "html and text are both missing; fill in one of them", "body")


def _recipients_can_be_reached(payload: Mapping[str, Any], _policy: Policy) -> Iterator[Problem]:
    start, end = time_of(payload.get("startAfter")), time_of(payload.get("endBefore"))
    if start is not None and end is not None and end <= start:
        yield Problem("invalid", "endBefore is not after startAfter", "endBefore")
    for index, recipient in enumerate(payload.get("recipients") or ()):
        attr = f"recipients[{index}]"
        addresses = [name for name in ("emailAddress", "phoneNumber") if recipient.get(name)]
        if not recipient.get("customerName") or not recipient.get("timezone") or len(addresses) != 1:
            detail = f"{attr} must have customerName, timezone, and one of emailAddress and phoneNumber"
            yield Problem("blank", detail, attr)
            return


def _quick_replies_are_choices(payload: Mapping[str, Any], _policy: Policy) -> Iterator[Problem]:
    content = payload.get("content") or {}
    if content.get("messageType") != "QUICK_REPLY_REQUEST":
        return
    data = content.get("messageData")
    options = data.get("options") if isinstance(data, Mapping) else None
    options = [option for option in options if isinstance(option, Mapping)] if isinstance(options, list) else []
    if not 1 <= len(options) <= MAX_OPTIONS or len({option.get("id") for option in options}) < len(options):
        detail = f"messageData.options must be 1 to {MAX_OPTIONS} objects, each with a different id"
        yield Problem("wrong_length", detail, "messageData.options")
    if any(not option.get("label") or len(str(option["label"])) > MAX_OPTION_LABEL for option in options):
        detail = f"messageData.options: each must have a label of at most {MAX_OPTION_LABEL} characters"
        yield Problem("too_long", detail, "messageData.options")


_REPLY_RULES = (_quick_replies_are_choices,)
_EMAIL_RULES = (_email_says_something,)
_COLLECTION_RULES = (_recipients_can_be_reached,)


def _send_sms(record: Record) -> Request:
    return _post("sendSMS", "/api/v1/communications/sms", record.payload)


def _send_email(record: Record) -> Request:
    payload = record.payload
    to = {"email": payload["to"], **({"name": payload["toName"]} if payload.get("toName") else {})}
    body = {"to": [to], "from": payload["from"], "subject": payload["subject"], "body": payload["body"]}
    return _post("sendEmail", "/api/v1/communications/email", body)


def _reply(record: Record) -> Request:
    path = f"/api/v1/conversation-items/{segment(record.payload['itemId'])}/reply"
    return _post("replyToMessage", path, {"content": record.payload["content"]})


def _collect(record: Record) -> Request:
    path = f"/api/v1/campaigns/{segment(record.payload['campaignId'])}/recipient-collections"
    body = {name: value for name, value in record.payload.items() if name != "campaignId"}
    return _post("createRecipientCollection", path, body)


def _post(operation: str, path: str, body: Mapping[str, Any]) -> Request:
    content = orjson.dumps({name: value for name, value in body.items() if value is not None})
    return Request(operation, "POST", path, body=content, repeat=Repeat.UNSAFE)


def _item_id(reply: Reply) -> str | None:
    return _text_in(reply, "conversationItemId")


def _collection_id(reply: Reply) -> str | None:
    return _text_in(reply, "id")


def _text_in(reply: Reply, name: str) -> str | None:
    return str(reply.object[name]) if reply.object is not None else None


_UNPROVEN = "nothing in the API shows for certain that a message was sent"

# None of these has a `look`, because nothing in the API shows for certain that a message was sent. If its
# response is lost, it stays unknown until a person has checked.
SMS = ImportSpec(
    name="sms",
    columns=column_plan(_SMS_FIELDS),
    prepare=Preparation("sms", _SMS_FIELDS, clean=_clean_sms),
    procedures={Mode.CREATE: OnceSteps(Sending("sms", "text message", _send_sms, _item_id)).procedure},
    requests_per_record={Mode.CREATE: (1, 1)},
    operations=("sendSMS",),
    fields=_SMS_FIELDS,
    repeat=Repeat.UNSAFE,
    id_rule="Gladly's own",
    contacts_people="sends a text message to a person",
    unproven=_UNPROVEN,
)

EMAILS = ImportSpec(
    name="emails",
    columns=column_plan(_EMAIL_FIELDS),
    prepare=Preparation("emails", _EMAIL_FIELDS, rules=_EMAIL_RULES, unwrap=_unwrap_email, clean=_clean_email),
    procedures={Mode.CREATE: OnceSteps(Sending("emails", "email", _send_email, _item_id)).procedure},
    requests_per_record={Mode.CREATE: (1, 1)},
    operations=("sendEmail",),
    fields=_EMAIL_FIELDS,
    rules=_EMAIL_RULES,
    repeat=Repeat.UNSAFE,
    id_rule="Gladly's own",
    contacts_people="sends an email to a person",
    unproven=_UNPROVEN,
)

REPLIES = ImportSpec(
    name="replies",
    columns=column_plan(_REPLY_FIELDS),
    prepare=Preparation("replies", _REPLY_FIELDS, rules=_REPLY_RULES),
    procedures={
        Mode.CREATE: OnceSteps(
            Sending("replies", "reply", _reply, id_in_location, parent="conversation item")
        ).procedure
    },
    requests_per_record={Mode.CREATE: (1, 1)},
    operations=("replyToMessage",),
    fields=_REPLY_FIELDS,
    rules=_REPLY_RULES,
    lanes=("itemId",),
    repeat=Repeat.UNSAFE,
    id_rule="Gladly's own",
    contacts_people="sends a message to a customer",
    unproven=_UNPROVEN,
)

RECIPIENT_COLLECTIONS = ImportSpec(
    name="recipient-collections",
    columns=column_plan(_COLLECTION_FIELDS),
    prepare=Preparation("recipient-collections", _COLLECTION_FIELDS, rules=_COLLECTION_RULES),
    procedures={
        Mode.CREATE: OnceSteps(
            Sending("recipient-collections", "recipient collection", _collect, _collection_id, parent="campaign")
        ).procedure
    },
    requests_per_record={Mode.CREATE: (1, 1)},
    operations=("createRecipientCollection",),
    fields=_COLLECTION_FIELDS,
    rules=_COLLECTION_RULES,
    repeat=Repeat.UNSAFE,
    id_rule="Gladly's own",
    contacts_people="makes a campaign contact everybody in a recipient list",
    unproven=_UNPROVEN,
)

OBJECT = GladlyObject(writes=(SMS, EMAILS, REPLIES, RECIPIENT_COLLECTIONS))
