"""Scripted faults: what goes wrong, and at which request. Nothing is left to chance.

In a test:

    emulator.faults.script("POST /api/v1/customer-profiles", [None, drop_reply(), rate_limited()])

lets the first create pass, loses the reply to the second and refuses the third; later ones pass.
In a file (`--faults FILE`, or the body of `POST /_emulator/faults`) the script is a JSON list:

    [{"match": "POST /api/v1/customer-profiles", "at": [2], "fault": "drop_reply"},
     {"match": "POST /api/v1/customer-profiles", "at": [3], "fault": "rate_limited", "retry_after_s": 2},
     {"match": "GET /api/v1/*", "every": 50, "fault": "status", "status": 503, "body": "html"},
     {"match": "getFile", "at": [1], "times": 3, "fault": "answer", "status": 200, "json": {"errors": []}},
     {"match": "addNoteToConversation", "at": [2], "fault": "200_html", "executes": true},
     {"match": "connect", "at": [4], "fault": "reset"},
     {"match": "*", "after": 1000, "fault": "slow", "delay_s": 5}]

`match` is a method and a path in which `*` matches anything, or an operation id such as
`createCustomer`. Every rule counts the requests that match it, from 1; requests that the rate limit
refuses are not counted. The first rule that has a fault for a request decides.
`at` lists requests (with `times`, that many in a row from each), `every` is each n-th request, `after`
all beyond the n-th; without them the rule applies to every matching request. `fault` is one of the
functions in `fault` with its arguments, or a name in `fault_catalogue.CATALOGUE` with fields of the
`Fault` to change.

`connect` matches connections instead of requests: such a connection ends before a byte is read.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bulkgladly.emulator.faults.fault import CONNECT, FAULTS, Fault, FaultScriptError

__all__ = ("FaultScript",)


class _Rule:
    """Counts the requests that match, and knows to which of them the fault applies."""

    def __init__(self, pattern: str, choose: Callable[[int], Fault | None]) -> None:
        self.is_for_connections = pattern == CONNECT
        self._matches = re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL).fullmatch
        self._choose = choose
        self._seen = 0

    def next_fault(self, *names: str) -> Fault | None:
        if not any(map(self._matches, names)):
            return None
        self._seen += 1
        return self._choose(self._seen)


class FaultScript:
    """The rules for faults. Rules can be added at any time; each counts from when it was added."""

    def __init__(self) -> None:
        self._rules: list[_Rule] = []
        self.fired = 0

    def __len__(self) -> int:
        """Return the number of rules, used up or not."""
        return len(self._rules)

    def script(self, pattern: str, entries: Sequence[Fault | None]) -> None:
        """Apply the entries to the next matching requests, one each; None lets a request pass."""
        entries = tuple(entries)
        self._add(pattern, lambda n: entries[n - 1] if n <= len(entries) else None)

    def at(self, pattern: str, numbers: Iterable[int], fault: Fault, *, times: int = 1) -> None:
        """Apply the fault to the matching requests with these numbers, from 1, and to `times` in a row from each."""
        named = frozenset(numbers)
        if not all(isinstance(number, int) and number >= 1 for number in named):
            raise FaultScriptError(f"at is {sorted(named)}: requests are counted from 1")
        if times < 1:
            raise FaultScriptError(f"times is {times}: it must be 1 or more")
        wanted = frozenset(number + more for number in named for more in range(times))
        self._add(pattern, lambda n: fault if n in wanted else None)

    def every(self, pattern: str, step: int, fault: Fault) -> None:
        """Apply the fault to each `step`-th matching request."""
        if step < 1:
            raise FaultScriptError(f"every is {step}: it must be 1 or more")
        self._add(pattern, lambda n: None if n % step else fault)

    def after(self, pattern: str, number: int, fault: Fault) -> None:
        """Apply the fault to all matching requests after the first `number`."""
        if number < 0:
            raise FaultScriptError(f"after is {number}: it must be 0 or more")
        self._add(pattern, lambda n: fault if n > number else None)

    def clear(self) -> None:
        """Remove all rules."""
        self._rules.clear()

    def load(self, document: object) -> None:
        """Add the rules of a JSON list.

        Raises:
            FaultScriptError: It is not valid. No rule was added.
        """
        if not isinstance(document, list):
            raise FaultScriptError("a fault script is a JSON list of objects")
        loaded = FaultScript()
        for number, entry in enumerate(document, start=1):
            try:
                loaded._load_entry(entry)
            except (FaultScriptError, TypeError, ValueError, KeyError) as exc:
                raise FaultScriptError(f"fault script, entry {number}: {exc}") from exc
        self._rules += loaded._rules

    def next_fault(self, request: str, operation_id: str) -> Fault | None:
        """Count an admitted request (`POST /path`) and return its fault, if it has one."""
        return self._first(request, operation_id)

    def next_connection_fault(self) -> Fault | None:
        """Count a connection and return the fault that ends it before anything is read, if it has one."""
        return self._first(CONNECT)

    def _first(self, *names: str) -> Fault | None:
        is_connection = names == (CONNECT,)
        # All rules count the request, also those after the first that has a fault.
        faults = [rule.next_fault(*names) for rule in self._rules if rule.is_for_connections == is_connection]
        fault = next((fault for fault in faults if fault is not None), None)
        if fault is not None:
            self.fired += 1
        return fault

    def _add(self, pattern: str, choose: Callable[[int], Fault | None]) -> None:
        self._rules.append(_Rule(pattern, choose))

    def _load_entry(self, entry: Mapping[str, Any]) -> None:
        rest = dict(entry)
        pattern, name = str(rest.pop("match", "*")), rest.pop("fault", None)
        when = {key: rest.pop(key) for key in ("at", "every", "after") if key in rest}
        times = rest.pop("times", 1)
        if len(when) > 1:
            raise FaultScriptError(f"give only one of {', '.join(when)}")
        if times != 1 and "at" not in when:
            raise FaultScriptError("times needs at")
        fault = _made(name, rest)
        match when:
            case {"at": numbers}:
                self.at(pattern, numbers, fault, times=times)
            case {"every": step}:
                self.every(pattern, step, fault)
            case {"after": number}:
                self.after(pattern, number, fault)
            case _:
                self.after(pattern, 0, fault)


def _made(name: object, rest: dict[str, Any]) -> Fault:
    # It takes time to build (there is a gzip bomb in it), and few scripts use it.
    from bulkgladly.emulator.faults.fault_catalogue import CATALOGUE  # noqa: PLC0415

    if isinstance(name, str) and name in FAULTS:
        return FAULTS[name](**rest)
    if isinstance(name, str) and name in CATALOGUE:
        return replace(CATALOGUE[name], **rest)
    raise FaultScriptError(f"fault is {name!r}; it can be {', '.join(FAULTS)}, or a name in the fault catalogue")
