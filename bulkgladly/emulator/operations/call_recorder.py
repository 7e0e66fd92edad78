"""The two operations on the recorder of an agent's phone call.

Facts: endpoints.md, rows 50 and 51, and schemas.md, section 6, of the fact sheet. Calls begin and
end outside the API: `start_call` and `end_call` do that. A call ends with the customer, too.
"""

from bulkgladly.emulator.additions import place_item
from bulkgladly.emulator.organisation.store import Entity, Store
from bulkgladly.emulator.protocol.bodies import Body
from bulkgladly.emulator.protocol.replies import Reply, json_reply, no_content
from bulkgladly.emulator.protocol.routing import Call, Operation

__all__ = ("CALL_RECORDER_OPERATIONS", "end_call", "start_call")

_PATH = "/api/v1/agents/{agentId}/call-recorder"
_COMPANY_NUMBER, _ANY_NUMBER = "+16505550199", "+16505550100"


def start_call(store: Store, agent_id: str, customer_id: str, *, recording: bool = True) -> str:
    """Let a customer call an agent, in place of a call that may go on; returns the id of its item.

    Raises:
        KeyError: There is no such agent or no such customer.
    """
    agent, customer = store.collections["agents"][agent_id], store.customers[customer_id]
    caller = next((phone["normalized"] for phone in customer.get("phones", ())), _ANY_NUMBER)
    item_id = place_item(
        store,
        {"type": "PHONE_CALL", "from": caller, "to": _COMPANY_NUMBER, "startedAt": store.now()},
        conversation_id=None,
        customer_id=customer_id,
        transcript=None,
        fields={"responder": {"id": agent["id"], "type": "AGENT"}},
    )
    call = {"id": agent["id"], "conversationItemId": item_id, "recording": recording}
    store.collections["calls"][agent["id"]] = call
    return item_id


def end_call(store: Store, agent_id: str) -> None:
    """Take an agent off the call.

    Raises:
        KeyError: The agent is on none.
    """
    del store.collections["calls"][agent_id]


def _get(call: Call) -> Reply:
    agent_id = _agent_id(call)
    going = call.store.collections["calls"].get(agent_id)
    # The item knows whose call it is now, whatever was merged or deleted since it began.
    item = None if going is None else call.store.items.get(going["conversationItemId"])
    if going is None or item is None:
        return json_reply({"agentId": agent_id, "recording": False})
    ids = {"agentId": agent_id, "customerId": item["customerId"], "conversationItemId": item["id"]}
    return json_reply(ids | {"recording": going["recording"]})


def _update(call: Call) -> Reply:
    calls, agent_id, body = call.store.collections["calls"], _agent_id(call), Body(call.json_object())
    recording = body.flag("recording")
    body.refuse_faults()
    if agent_id in calls and recording is not None:
        calls[agent_id] = calls[agent_id] | {"recording": recording}
    return no_content()


def _agent_id(call: Call) -> str:
    """The agent whose id or email address stands in the path.

    Raises:
        Refusal: 404.
    """
    wanted, agents = call.params["agentId"], call.store.collections["agents"]
    if wanted in agents:
        return wanted
    for agent in agents.values():
        if _email_of(agent) == wanted.lower():
            return str(agent["id"])
    raise call.not_found("agent")


def _email_of(agent: Entity) -> str:
    return str(agent["emailAddress"]).lower()


CALL_RECORDER_OPERATIONS = (
    Operation("GET", _PATH, "getAgentCallRecording", _get, (200, 404)),
    Operation("PATCH", _PATH, "updateAgentCallRecording", _update, (204, 400, 404)),
)
