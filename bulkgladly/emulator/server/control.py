"""The emulator's own endpoints under `/_emulator/`: no limit, no credentials, not counted.

GET  /_emulator/status
POST /_emulator/rate       {"rate": 50}                 null lifts the limit
POST /_emulator/neighbour  {"per_second": 3, "seed": 1} 0 removes it
POST /_emulator/merge      {"old": "id", "new": "id"}
POST /_emulator/jobs       {"items": 500}               create an export job, as Gladly does every night
POST /_emulator/refuse     {"for_s": 2}                 refuse connections for this many seconds
POST /_emulator/faults     [...]                        see `faults.fault_script`; DELETE drops all
GET  /_emulator/deliveries
POST /_emulator/deliveries {"paused": true}             or let a share of them go wrong
GET  /_emulator/webhook_log
POST /_emulator/events     {"type": "TASK/CREATED", "count": 100, "per_second": 50}
POST /_emulator/live       {"per_minute": 6}            a contact centre at work; 0 ends it
"""

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from bulkgladly.emulator.faults.fault_script import FaultScript
from bulkgladly.emulator.organisation.store import Store
from bulkgladly.emulator.protocol.replies import Reply, failure, json_reply
from bulkgladly.emulator.server.rate_limits import Limiter
from bulkgladly.emulator.server.request_log import RequestLog

__all__ = ("CONTROL_PREFIX", "Control", "Endpoint")

CONTROL_PREFIX = "/_emulator/"
_REPLY_WITHIN_S = 0.05

Endpoint = Callable[[Any], object]
"""Does what the JSON of a request says, and returns what is replied as JSON."""


class Control:
    """The control endpoints, and `more` of other parts of the emulator.

    A request that cannot be carried out gets 400 with the reason, and changes nothing.
    """

    def __init__(
        self,
        store: Store,
        limiter: Limiter,
        faults: FaultScript,
        requests: RequestLog,
        add_job: Callable[..., str],
        refuse: Callable[[float], None],
        *,
        more: Mapping[tuple[str, str], Endpoint],
    ) -> None:
        self._store, self._limiter, self._faults, self._requests = store, limiter, faults, requests
        self._make_job, self._refuse = add_job, refuse
        self._endpoints: dict[tuple[str, str], Endpoint] = {
            ("GET", "status"): lambda _: self.status(),
            ("POST", "rate"): self._set_rate,
            ("POST", "neighbour"): self._set_neighbour,
            ("POST", "merge"): self._merge,
            ("POST", "jobs"): self._add_job,
            ("POST", "refuse"): self._begin_refusing,
            ("POST", "faults"): self._add_faults,
            ("DELETE", "faults"): self._drop_faults,
            **more,
        }

    def reply(self, method: str, path: str, body: bytes) -> Reply:
        """Return the reply to one control request."""
        endpoint = self._endpoints.get((method, path.removeprefix(CONTROL_PREFIX)))
        if endpoint is None:
            return failure(404, "not_exist", "there is no such control endpoint")
        try:
            return json_reply(endpoint(orjson.loads(body) if body else None))
        except KeyError as exc:
            return failure(400, "invalid", f"{exc} is missing or unknown")
        except (ValueError, TypeError) as exc:
            return failure(400, "invalid", str(exc))

    def status(self) -> dict[str, object]:
        """Return counts of everything, ready for JSON."""
        neighbour = self._limiter.neighbour
        return {
            "counts": {kind: len(entities) for kind, entities in self._store.collections.items()},
            "merged": len(self._store.merged),
            "rate": self._limiter.rate,
            "admitted": self._limiter.admitted,
            "refused": self._limiter.refused,
            "requests": dict(self._requests.by_operation),
            "statuses": {str(status): n for status, n in self._requests.by_status.items()},
            "faults_fired": self._faults.fired,
            "neighbour": neighbour
            and {
                "per_second": neighbour.per_second,
                "admitted": neighbour.admitted,
                "refused": neighbour.refused,
            },
        }

    def _set_rate(self, payload: dict[str, Any]) -> object:
        rate = payload["rate"]
        if rate is not None and (not isinstance(rate, int) or isinstance(rate, bool)):
            raise ValueError(f"rate is {rate!r}: it must be a whole number or null")
        self._limiter.rate = rate
        return {"rate": rate}

    def _set_neighbour(self, payload: dict[str, Any]) -> object:
        per_second = float(payload["per_second"])
        self._limiter.add_neighbour(per_second, seed=int(payload.get("seed", 0)))
        return {"per_second": per_second}

    def _merge(self, payload: dict[str, Any]) -> object:
        self._store.merge(payload["old"], payload["new"])
        return {"old": payload["old"], "new": payload["new"]}

    def _add_job(self, body: Any) -> object:
        items = body["items"]
        if not isinstance(items, int) or isinstance(items, bool) or items < 0:
            raise ValueError("items must be a whole number, 0 or more")
        return {"id": self._make_job(items=items)}

    def _begin_refusing(self, payload: dict[str, Any]) -> object:
        for_s = float(payload["for_s"])
        if not 0 <= for_s < math.inf:
            raise ValueError(f"for_s is {for_s}: it must be 0 or more")
        # After the reply to this request.
        asyncio.get_running_loop().call_later(_REPLY_WITHIN_S, self._refuse, for_s)
        return {"for_s": for_s}

    def _add_faults(self, payload: object) -> object:
        self._faults.load(payload)
        return {"rules": len(self._faults)}

    def _drop_faults(self, _: object) -> object:
        self._faults.clear()
        return {"rules": 0}
