"""Requests for reports: the checks of both bodies, with every error in one list.

Facts: reports.md, "ReportRequest" and "Work-session report", of the fact sheet. The document shows the
replies to a few mistakes; the others follow the same pattern.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple, cast
from zoneinfo import ZoneInfo

from bulkgladly.emulator.options import TimeForm
from bulkgladly.emulator.protocol.replies import problem, refuse
from bulkgladly.emulator.protocol.routing import Call
from bulkgladly.emulator.reports.facts import CHANNELS, ReportView
from bulkgladly.emulator.reports.metric_sets import (
    BY_TIMES,
    METRIC_SETS,
    TIMES_ONLY,
    WORK_SESSIONS,
    MetricSet,
    RequestOption,
)
from bulkgladly.emulator.reports.periods import LEVELS, Level, Period, midnight
from bulkgladly.emulator.reports.report_rows import ReportRequest

__all__ = ("CheckedRequest", "read_report", "read_work_sessions")

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TO_THE_MINUTE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(Z|[+-]\d\d:\d\d)")
_E164 = re.compile(r"\+[1-9]\d{6,14}")
_MINUTE = timedelta(minutes=1)
_LONGEST_HALF_HOURLY = timedelta(days=31, hours=1)
_NOWHEN = Period(datetime.min.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC))


class CheckedRequest(NamedTuple):
    """A request that passed all checks, and the name of the file in the reply."""

    request: ReportRequest
    filename: str


class _Errors(list[dict[str, Any]]):
    """The errors found so far."""

    def add(self, attr: str, code: str, detail: str) -> None:
        self.append(problem(code, detail, attr=attr))

    def text(self, payload: Mapping[str, Any], attr: str) -> str:
        """Return a required text; if there is none, an error is added and the text is empty."""
        value = payload.get(attr)
        if value is None or value == "":
            self.add(attr, "blank", f"{attr} is missing")
        elif not isinstance(value, str):
            self.add(attr, "invalid", f"{attr} is not a text")
        else:
            return value
        return ""


def read_report(call: Call) -> CheckedRequest:
    """Return the body of POST /reports.

    Raises:
        Refusal: 400 with every error that was found.
    """
    payload, errors = call.json_object(), _Errors()
    metric_set = _metric_set(payload, errors)
    by_times = _by_times(payload, metric_set, errors)
    view = ReportView(UTC, "UTC", _form(call)) if by_times else _view(call, payload, errors)
    period, label = _times(payload, errors) if by_times else _dates(payload, view, errors)
    level = _level(payload, metric_set, period, errors)
    filters = payload.get("filters") or {}
    if not isinstance(filters, dict):
        errors.add("filters", "invalid", "filters is not an object")
        filters = {}
    channel = _channel(filters, metric_set, errors)
    inboxes = _ids(filters, metric_set, "inboxes", call.store.collections["inboxes"], errors)
    teams = _ids(filters, metric_set, "teams", call.store.collections["teams"], errors)
    view = view._replace(phone=_phone(filters, metric_set, errors))
    if errors or metric_set is None:
        raise refuse(400, *errors)
    levelled = "aggregationLevel" in metric_set.takes
    name = f"{metric_set.name}-{label}{f'-{level[0].upper()}{level[1:]}' if levelled else ''}.csv"
    return CheckedRequest(ReportRequest(metric_set, period, view, level, channel, inboxes, teams), name)


def read_work_sessions(call: Call) -> CheckedRequest:
    """Return the body of POST /reports/work-session-events.

    Raises:
        Refusal: 400 with every error that was found.
    """
    payload, errors = call.json_object(), _Errors()
    period, label = _times(payload, errors)
    if errors:
        raise refuse(400, *errors)
    request = ReportRequest(WORK_SESSIONS, period, ReportView(UTC, "UTC", _form(call)))
    return CheckedRequest(request, f"{WORK_SESSIONS.name}-{label}.csv")


def _form(call: Call) -> TimeForm:
    return call.options.report_times


def _metric_set(payload: Mapping[str, Any], errors: _Errors) -> MetricSet | None:
    name = errors.text(payload, "metricSet")
    if name and name not in METRIC_SETS:
        errors.add("metricSet", "invalid", "metricSet is not a known report")
    return METRIC_SETS.get(name)


def _by_times(payload: Mapping[str, Any], metric_set: MetricSet | None, errors: _Errors) -> bool:
    """Return whether the period is given to the minute; adds an error for fields that do not go with that."""
    name = "" if metric_set is None else metric_set.name
    given = [attr for attr in ("startAtTime", "endAtTime") if payload.get(attr) is not None]
    if not given:
        return name in TIMES_ONLY
    for attr in given:
        if metric_set is not None and name not in BY_TIMES:
            errors.add(attr, "invalid", f"{attr} is not supported by this report")
    for attr in ("startAt", "endAt", "timezone"):
        if payload.get(attr) is not None:
            errors.add(attr, "invalid", f"{attr} must be left out beside startAtTime and endAtTime")
    return True


def _view(call: Call, payload: Mapping[str, Any], errors: _Errors) -> ReportView:
    name = payload.get("timezone") or call.store.organization.get("timezone") or "UTC"
    try:
        return ReportView(ZoneInfo(name), name, _form(call))
    except (KeyError, ValueError, TypeError, OSError):
        errors.add("timezone", "invalid", "timezone is not a valid IANA name")
        return ReportView(UTC, "UTC", _form(call))


def _dates(payload: Mapping[str, Any], view: ReportView, errors: _Errors) -> tuple[Period, str]:
    start, end = _date(payload, "startAt", errors), _date(payload, "endAt", errors)
    if start is None or end is None:
        return _NOWHEN, ""
    if end < start:
        errors.add("startAt", "invalid", "startAt is after endAt")
        return _NOWHEN, ""
    try:
        # The last day counts in full.
        period = Period(midnight(start, view.zone), midnight(end + timedelta(days=1), view.zone))
    except OverflowError:
        errors.add("endAt", "invalid", "the period lies outside the calendar")
        return _NOWHEN, ""
    return period, f"{start}-{end}"


def _date(payload: Mapping[str, Any], attr: str, errors: _Errors) -> date | None:
    text = errors.text(payload, attr)
    if not text:
        return None
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    errors.add(attr, "invalid", f"{attr} is not a valid day such as 2026-01-31")
    return None


def _times(payload: Mapping[str, Any], errors: _Errors) -> tuple[Period, str]:
    start, end = _time(payload, "startAtTime", errors), _time(payload, "endAtTime", errors)
    if start is None or end is None:
        return _NOWHEN, ""
    if end <= start:
        errors.add("startAtTime", "invalid", "startAtTime must be before endAtTime")
        return _NOWHEN, ""
    # The last minute counts in full.
    return Period(start, end + _MINUTE), f"{start:%Y%m%dT%H%MZ}-{end:%Y%m%dT%H%MZ}"


def _time(payload: Mapping[str, Any], attr: str, errors: _Errors) -> datetime | None:
    text = errors.text(payload, attr)
    if not text:
        return None
    try:
        if _TO_THE_MINUTE.fullmatch(text):
            moment = datetime.fromisoformat(text).astimezone(UTC)
            # The minute after it must be in the calendar as well.
            return moment + _MINUTE - _MINUTE
    except (ValueError, OverflowError):
        pass
    errors.add(attr, "invalid", f"{attr} is not a valid time to the minute such as 2026-01-31T10:00Z")
    return None


def _level(payload: Mapping[str, Any], metric_set: MetricSet | None, period: Period, errors: _Errors) -> Level:
    value = payload.get("aggregationLevel")
    if value is None:
        return "daily"
    if value not in LEVELS or (metric_set is not None and "aggregationLevel" not in metric_set.takes):
        errors.add("aggregationLevel", "invalid", "aggregationLevel is not supported by this report")
        return "daily"
    too_fine = metric_set is not None and metric_set.name.startswith("AgentSummary") and value == "halfHourly"
    if too_fine and period.end - period.start > _LONGEST_HALF_HOURLY:
        errors.add("aggregationLevel", "invalid", "halfHourly is not supported for more than one month")
    return cast("Level", value)


def _given(filters: Mapping[str, Any], metric_set: MetricSet | None, name: RequestOption, errors: _Errors) -> Any:
    """Return the value of a filter, or None. If the set does not have the filter, an error is added."""
    value = filters.get(name)
    # An empty list and `allChannels` are the defaults, which filter nothing.
    if value is None or value in ([], "", "allChannels"):
        return None
    if metric_set is not None and name not in metric_set.takes:
        errors.add(f"filters.{name}", "invalid", f"this report has no filter {name}")
        return None
    return value


def _channel(filters: Mapping[str, Any], metric_set: MetricSet | None, errors: _Errors) -> str | None:
    value = _given(filters, metric_set, "channel", errors)
    if value is None:
        return None
    if not isinstance(value, str) or value not in CHANNELS:
        errors.add("filters.channel", "invalid", "filters.channel is not a known channel")
        return None
    return value


def _ids(
    filters: Mapping[str, Any],
    metric_set: MetricSet | None,
    name: RequestOption,
    known: Mapping[str, Any],
    errors: _Errors,
) -> frozenset[str]:
    value = _given(filters, metric_set, name, errors)
    if value is None:
        return frozenset()
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        errors.add(f"filters.{name}", "invalid", f"filters.{name} is not a list of ids")
        return frozenset()
    if not all(one in known for one in value):
        errors.add(f"filters.{name}", "present", f"filters.{name} has an id that does not exist")
    return frozenset(value)


def _phone(filters: Mapping[str, Any], metric_set: MetricSet | None, errors: _Errors) -> str:
    value = _given(filters, metric_set, "phoneNumber", errors)
    if value is None:
        if metric_set is not None and "phoneNumber" in metric_set.takes:
            errors.add("filters.phoneNumber", "blank", "filters.phoneNumber is missing")
        return ""
    if not isinstance(value, str) or not _E164.fullmatch(value):
        errors.add("filters.phoneNumber", "invalid", "filters.phoneNumber is not a valid E.164 number")
        return ""
    return value
