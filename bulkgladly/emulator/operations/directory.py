"""The organisation, and the lists that rarely change, with their single objects."""

from collections.abc import Callable, Iterator

from bulkgladly.emulator.protocol.replies import Reply, json_reply
from bulkgladly.emulator.protocol.routing import Call, Operation

__all__ = ("DIRECTORY_OPERATIONS",)


def _organization(call: Call) -> Reply:
    return json_reply(call.store.organization)


def _listing(kind: str) -> Callable[[Call], Reply]:
    def run(call: Call) -> Reply:
        return json_reply(list(call.store.collections[kind].values()))

    return run


def _single(kind: str, thing: str) -> Callable[[Call], Reply]:
    def run(call: Call) -> Reply:
        entity = call.store.collections[kind].get(call.params[f"{thing}Id"])
        if entity is None:
            raise call.not_found(thing)
        return json_reply(entity)

    return run


def _list_and_get(kind: str, thing: str) -> Iterator[Operation]:
    path = f"/api/v1/{kind}"
    yield Operation("GET", path, f"get{kind.title()}", _listing(kind), (200,))
    yield Operation("GET", f"{path}/{{{thing}Id}}", f"get{thing.title()}", _single(kind, thing), (200, 404))


DIRECTORY_OPERATIONS = (
    Operation("GET", "/api/v1/organization", "getOrganization", _organization, (200,)),
    *_list_and_get("agents", "agent"),
    *_list_and_get("inboxes", "inbox"),
    *_list_and_get("teams", "team"),
    Operation("GET", "/api/v1/audiences", "getAudiences", _listing("audiences"), (200,)),
)
