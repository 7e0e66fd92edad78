"""createRecipientCollection: the people whom a campaign is to contact.

Facts: endpoints.md, row 72, and schemas.md, section 15, of the fact sheet. No message is sent; the
collection keeps its recipients, so that a test sees whom Gladly would have contacted. Campaigns are
made outside the API: `add_campaign` does that. The status is SCHEDULED before `startAfter`, then
ACTIVE; when Gladly uses which is UNKNOWN, as is the answer to a body that cannot be used (400 here).
"""

from typing import Literal, get_args

from bulkgladly.emulator.organisation.addresses import e164, is_email
from bulkgladly.emulator.organisation.export_jobs import written
from bulkgladly.emulator.organisation.store import Entity, Store
from bulkgladly.emulator.protocol.bodies import Body
from bulkgladly.emulator.protocol.replies import Reply, json_reply
from bulkgladly.emulator.protocol.routing import Call, Operation

__all__ = ("CAMPAIGN_OPERATIONS", "CampaignType", "add_campaign")

CampaignType = Literal["EMAIL", "SMS", "VOICE"]


def add_campaign(store: Store, kind: CampaignType, campaign_id: str | None = None) -> str:
    """Make a campaign and return its id.

    Raises:
        ValueError: There is no such kind.
    """
    if kind not in get_args(CampaignType):
        raise ValueError(f"kind is {kind!r}: it can be {', '.join(get_args(CampaignType))}")
    campaign_id = campaign_id or store.new_id("campaigns")
    store.collections["campaigns"][campaign_id] = {"id": campaign_id, "type": kind}
    return campaign_id


def _create(call: Call) -> Reply:
    store = call.store
    campaign = store.collections["campaigns"].get(call.params["campaignId"])
    if campaign is None:
        raise call.not_found("campaign")
    body = Body(call.json_object())
    collection: Entity = {
        "id": store.new_id("recipient_collections"),
        "campaignId": campaign["id"],
        "type": campaign["type"],
    }
    collection |= {"name": body.needed("name"), **_period(call, body)}
    recipients = [_recipient(entry, campaign["type"]) for entry in body.some_parts("recipients")]
    body.refuse_faults()
    store.collections["recipient_collections"][collection["id"]] = {**collection, "recipients": recipients}
    return json_reply(collection)


def _period(call: Call, body: Body) -> Entity:
    start, end = body.moment("startAfter", required=True), body.moment("endBefore")
    if start is None:
        return {}
    period = {"startAfter": written(start), "status": "SCHEDULED" if start > call.store.jobs.now() else "ACTIVE"}
    if end is not None:
        if end <= start:
            body.fault("endBefore", "invalid", "endBefore is not after startAfter")
        period["endBefore"] = written(end)
    return period


def _recipient(body: Body, kind: str) -> Entity:
    recipient = {"customerName": body.needed("customerName"), "timezone": body.timezone("timezone")}
    name = "emailAddress" if kind == "EMAIL" else "phoneNumber"
    address = body.needed(name)
    if address and not (is_email(address) if kind == "EMAIL" else e164(address)):
        body.fault(name, "invalid", f"{name} is no address for this campaign")
    return {**recipient, name: address}


CAMPAIGN_OPERATIONS = (
    Operation(
        "POST",
        "/api/v1/campaigns/{campaignId}/recipient-collections",
        "createRecipientCollection",
        _create,
        (200, 400, 404),
    ),
)
