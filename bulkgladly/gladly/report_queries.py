"""Queries of reports: checked before anything is sent, and the requests for them. Pure.

Facts: gladly-api, reports, "ReportRequest" and "Work-session report".
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import orjson

from bulkgladly.choices import closest_few, unsupported
from bulkgladly.errors import UsageError
from bulkgladly.gladly.metric_sets import MetricSet, Period, unlisted
from bulkgladly.gladly.report_windows import Filters
from bulkgladly.gladly.table import METRIC_SETS, OLDER_METRIC_SETS
from bulkgladly.messages import BudgetClass, Repeat, Request

__all__ = (
    "AGGREGATION_LEVELS",
    "CHANNELS",
    "Query",
    "metric_set",
    "query_for",
    "request_for",
    "sets_without_required_options",
)

AGGREGATION_LEVELS = ("halfHourly", "daily", "weekly", "monthly", "quarterly")
CHANNELS = (
    *("allChannels", "chat", "email", "fbMessenger", "sms"),
    *("twitter", "voice", "whatsapp", "instagramDirect"),
)

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{2,49}")
_BY_LOWER_CASE = {name.lower(): found for name, found in {**OLDER_METRIC_SETS, **METRIC_SETS}.items()}
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


@dataclass(frozen=True, slots=True)
class Query:
    """A query of one metric set, without its period. Defaults of the API are None."""

    metrics: MetricSet
    aggregation: str | None = None
    channel: str | None = None
    inboxes: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    phone_number: str | None = None
    warning: str | None = field(default=None, compare=False)

    @property
    def data_set(self) -> str:
        """The data set of the rows. Other options give another data set, so that two queries never mix.

        `reports/AgentSummary`, `reports/AgentSummary~weekly`; inboxes, teams and a phone number
        together become a hash, because lists are long and a number is personal.
        """
        words = [word for word in (self.aggregation, self.channel) if word]
        if self.inboxes or self.teams or self.phone_number:
            named = orjson.dumps([self.inboxes, self.teams, self.phone_number])
            words.append(f"only.{hashlib.blake2b(named, digest_size=5).hexdigest()}")
        return f"reports/{self.metrics.name}" + "".join(f"~{word}" for word in words)

    @property
    def filters(self) -> Filters:
        """The filters of every request of this query."""
        channel = (self.channel,) if self.channel else ()
        given = (("channel", channel), ("inboxes", self.inboxes), ("teams", self.teams))
        return tuple((name, values) for name, values in given if values)


def metric_set(name: str) -> tuple[MetricSet, str | None]:
    """Return a metric set by its name, in any case, and a warning if Gladly does not list it.

    Raises:
        UsageError: It cannot be the name of a report.
    """
    found = _BY_LOWER_CASE.get(name.lower())
    if found is not None and found.is_listed:
        return found, None
    if not _NAME.fullmatch(name):
        raise UsageError(f"report {name!r} is not a metric set: a name has letters and digits only")
    found = found or unlisted(name)
    close = closest_few(name, METRIC_SETS, most=3)
    meant = f"; did you mean {' or '.join(close)}?" if close else ""
    return found, f"report {found.name} is not in Gladly's list: it is older or renamed, and may no longer work{meant}"


def sets_without_required_options() -> tuple[str, ...]:
    """Return what `all` stands for: every documented set that needs no option."""
    return tuple(name for name, found in METRIC_SETS.items() if "phoneNumber" not in found.takes)


def query_for(
    name: str,
    *,
    aggregation: str | None = None,
    channel: str | None = None,
    inboxes: Sequence[str] = (),
    teams: Sequence[str] = (),
    phone_number: str | None = None,
) -> Query:
    """Return the query for a metric set, its options checked against the document's table.

    Raises:
        UsageError: The set does not take an option, a value is not supported, or a phone number
            is missing or not in E.164.
    """
    metrics, warning = metric_set(name)
    given = {
        "aggregationLevel": (aggregation, "--aggregation"),
        "channel": (channel, "--channel"),
        "inboxes": (inboxes, "--inbox"),
        "teams": (teams, "--team"),
        "phoneNumber": (phone_number, "--phone-number"),
    }
    for option, (value, flag) in given.items():
        if value and option not in metrics.takes:
            raise UsageError(f"report {metrics.name} does not take {option}; leave out {flag} for this report")
    if "phoneNumber" in metrics.takes and metrics.is_listed and not phone_number:
        raise UsageError(f"report {metrics.name} is about one phone number; pass --phone-number +1...")
    if phone_number and not _E164.fullmatch(phone_number):
        raise UsageError("--phone-number is not in E.164; write a +, the country code and the number, digits only")
    return Query(
        metrics,
        _choice(aggregation, AGGREGATION_LEVELS, "--aggregation", default="daily"),
        _choice(channel, CHANNELS, "--channel", default="allChannels"),
        # Sorted and each once: the order of flags must not give another data set.
        tuple(sorted(set(inboxes))),
        tuple(sorted(set(teams))),
        phone_number or None,
        warning,
    )


def request_for(query: Query, first: date, last: date, filters: Filters = (), period: Period | None = None) -> Request:
    """Return the request for the days from `first` to `last`, both included, in UTC.

    `filters` replace the query's own of the same name. A report only reads, so the request may
    be repeated; each repeat counts against the limit of ten a minute.

    `period` is the form in which the days are given, by default the likelier one of the set.
    """
    body: dict[str, object] = {} if query.metrics.has_own_path else {"metricSet": query.metrics.name}
    body |= _period(query.metrics, first, last, period or query.metrics.periods[0])
    if query.aggregation:
        body["aggregationLevel"] = query.aggregation
    narrowed: dict[str, object] = {
        name: values[0] if name == "channel" else list(values) for name, values in (*query.filters, *filters)
    }
    if query.phone_number:
        narrowed["phoneNumber"] = query.phone_number
    if narrowed:
        body["filters"] = narrowed
    return Request(
        operation=query.metrics.operation,
        method="POST",
        path=query.metrics.path,
        body=orjson.dumps(body),
        repeat=Repeat.HARMLESS,
        budget=BudgetClass.REPORTS,
        accept="text/csv",
    )


def _period(metrics: MetricSet, first: date, last: date, period: Period) -> dict[str, object]:
    """Return the fields of a request that give its days."""
    if period is Period.DAYS:
        return {"timezone": "UTC", "startAt": first.isoformat(), "endAt": last.isoformat()}
    # On the path of the work sessions the end is included, says the document, so a day ends at 23:59. It does not
    # say so of `/reports`: there a day ends at the next midnight, and rows of the first minute after it may be in
    # two responses (see `MetricSet.anchor`).
    next_day = last + timedelta(days=1)
    end = f"{last.isoformat()}T23:59Z" if metrics.has_own_path else f"{next_day.isoformat()}T00:00Z"
    return {"startAtTime": f"{first.isoformat()}T00:00Z", "endAtTime": end}


def _choice(value: str | None, choices: tuple[str, ...], flag: str, *, default: str) -> str | None:
    """Return a value as the API spells it; None for its default."""
    if not value:
        return None
    found = next((choice for choice in choices if choice.lower() == value.lower()), None)
    if found is None:
        raise UsageError(f"{flag}: {unsupported(value, choices)}")
    return None if found == default else found
