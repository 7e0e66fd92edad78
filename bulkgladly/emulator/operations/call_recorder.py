"""The two operations on the recorder of an agent's phone call.

Facts: endpoints.md, rows 50 and 51, and schemas.md, section 6, of the fact sheet. Calls begin and
end outside the API, with `start_call` and `end_call` of the application. Deleting the customer ends a call, too.
"""

from bulkgladly.emulator.organisation.store import Entity
from bulkgladly.emulator.protocol.fields import Fields
from bulkgladly.emulator.protocol.replies import Reply, json_reply, no_content
from bulkgladly.emulator.protocol.routing import Call, Operation

__all__ = ("CALL_RECORDER_OPERATIONS",)

_PATH = "/api/v1/agents/{agentId}/call-recorder"


def _get(call: Call) -> Reply:
    agent_id = _agent_id(call)
    going = call.store.collections["calls"].get(agent_id)
    # The item has the present customer, even after a merge or a deletion.
    item = None if going is None else call.store.items.get(going["conversationItemId"])
    if going is None or item is None:
        return json_reply({"agentId": agent_id, "recording": False})
    ids = {"agentId": agent_id, "customerId": item["customerId"], "conversationItemId": item["id"]}
    return json_reply(ids | {"recording": going["recording"]})


def _update(call: Call) -> Reply:
    calls, agent_id, body = call.store.collections["calls"], _agent_id(call), Fields(call.json_object())
    recording = body.flag("recording")
    body.refuse_faults()
    if agent_id in calls and recording is not None:
        calls[agent_id] = calls[agent_id] | {"recording": recording}
    return no_content()


def _agent_id(call: Call) -> str:
    """Return the agent with the id or email address in the path.

    Raises:
        Refusal: 404, because there is no such agent.
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
