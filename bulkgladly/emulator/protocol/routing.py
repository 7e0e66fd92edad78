"""What an operation is, and how it is found by method and path."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qs, unquote

import orjson

from bulkgladly.emulator.options import EmulatorOptions
from bulkgladly.emulator.organisation.store import Store
from bulkgladly.emulator.protocol.outgoing_requests import OutgoingRequest
from bulkgladly.emulator.protocol.replies import Refusal, Reply, problem, refuse

__all__ = ("Call", "Found", "Operation", "Permission", "Router")

Permission = Literal["none", "api", "compliance"]
"""What a user needs: nothing, the API User permission, or Compliance Admin as well."""


class Call:
    """One request, as an operation sees it."""

    __slots__ = ("_query", "body", "headers", "options", "params", "store")

    def __init__(
        self,
        store: Store,
        options: EmulatorOptions,
        params: Mapping[str, str],
        query: str,
        body: bytes,
        headers: Mapping[str, str],
    ) -> None:
        self.store = store
        self.options = options
        self.params = params
        self.body = body
        self.headers = headers
        self._query = query

    @property
    def query(self) -> dict[str, list[str]]:
        """The decoded query parameters, including blank ones."""
        return parse_qs(self._query, keep_blank_values=True)

    def json_object(self) -> dict[str, Any]:
        """Return the request body.

        Raises:
            Refusal: 400, because it is not a JSON object.
        """
        try:
            payload = orjson.loads(self.body)
        except orjson.JSONDecodeError as exc:
            raise refuse(400, problem("invalid", "the body is not JSON")) from exc
        if not isinstance(payload, dict):
            raise refuse(400, problem("invalid", "the body must be a JSON object"))
        return payload

    def absolute(self, path: str) -> str:
        """Return the path as a URL on the host that was called."""
        return f"http://{self.headers['Host']}{path}"

    def not_found(self, thing: str) -> Refusal:
        """Return a 404 for an unknown id, in the form that the options ask for."""
        detail = f"no {thing} has this id"
        return refuse(404, problem("not_exist", detail), single=self.options.not_found == "object")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API.

    `statuses` lists the statuses of `run`, success first. 401, 403, 429 and scripted faults come from
    the code around it and are not repeated here.
    `run` is a plain function that does all of its work at once, so operations never interleave. An
    operation that must ask another server first returns the request, whose `then` does the work.
    """

    method: str
    path: str
    operation_id: str
    run: Callable[[Call], Reply | OutgoingRequest] = field(repr=False)
    statuses: tuple[int, ...]
    needs: Permission = "api"
    limited: bool = True
    """Whether it counts against the organisation's limit; what is on another host does not."""
    report: bool = False
    """Whether the limits for reports apply as well."""


class Found(NamedTuple):
    """An operation with the values of its path variables."""

    operation: Operation
    params: Mapping[str, str]


class _Node:
    """One path segment. Literal children win over the variable one."""

    __slots__ = ("children", "operations", "variable")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.variable: _Node | None = None
        self.operations: dict[str, Operation] = {}


class Router:
    """Finds operations by walking path segments, so the cost does not grow with their number."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._root = _Node()
        self._plain: dict[tuple[str, str], Found] = {}
        for operation in operations:
            self._add(operation)

    def find(self, method: str, path: str) -> Found | tuple[str, ...]:
        """Return the operation for a path that is still percent-encoded.

        If there is none: the methods that the path does have, none at all for an unknown path.
        """
        plain = self._plain.get((method, path))
        if plain is not None:
            return plain
        values: list[str] = []
        node = self._root
        for segment in path.split("/"):
            child = node.children.get(segment)
            if child is None:
                if node.variable is None or not segment:
                    return ()
                child = node.variable
                values.append(segment)
            node = child
        operation = node.operations.get(method)
        if operation is None:
            return tuple(sorted(node.operations))
        names = (part[1:-1] for part in operation.path.split("/") if part[:1] == "{")
        return Found(operation, {name: unquote(value) for name, value in zip(names, values, strict=True)})

    def _add(self, operation: Operation) -> None:
        node = self._root
        for segment in operation.path.split("/"):
            if segment[:1] == "{":
                node.variable = node.variable or _Node()
                node = node.variable
            else:
                node = node.children.setdefault(segment, _Node())
        if operation.method in node.operations:
            raise ValueError(f"two rows for {operation.method} {operation.path}")
        node.operations[operation.method] = operation
        if "{" not in operation.path:
            self._plain[operation.method, operation.path] = Found(operation, {})
