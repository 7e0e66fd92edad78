"""The metric sets: which options each takes, and what its rows stand for. Pure.

Facts: gladly-api, reports. The options are the document's own table. What a row stands for is
documented for a few sets; for the others it is read from their name and their options, so the
code is right also where it is another: a grain only says how a period is cut into requests,
and a key that turns out not to be one is not used (see `lake.merge`).
"""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass

from bulkgladly.choices import closest_few
from bulkgladly.errors import UsageError
from bulkgladly.gladly.report_columns import KNOWN_COLUMNS, KnownColumn
from bulkgladly.gladly.report_windows import Grain

__all__ = ("METRIC_SETS", "WORK_SESSIONS", "MetricSet", "Period", "metric_set", "sets_without_required_options")

WORK_SESSIONS = "WorkSessionEventsReport"
"""The report that has a path of its own; the document gives it no word, its files are named so."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{2,49}")


class Period(enum.StrEnum):
    """How a request says its period."""

    DAYS = "days"
    """`startAt` and `endAt`, both included, in `timezone`."""
    MINUTES = "minutes"
    """`startAtTime` and `endAtTime`, for a few sets."""


@dataclass(frozen=True, slots=True)
class MetricSet:
    """One kind of report.

    `takes` names the fields of a request that it allows beside the period. `key` names the
    columns that identify a row for ever; empty where none are known. `anchor` names the columns
    that say in which period a row lies, the first that has a value; it is given only where
    periods may overlap. `periods` are the forms in which a period can be given, the likelier
    first. `is_listed` is false for a name that is not in the document's list.
    """

    name: str
    grain: Grain
    takes: frozenset[str] = frozenset()
    key: tuple[str, ...] = ()
    anchor: tuple[str, ...] = ()
    periods: tuple[Period, ...] = (Period.DAYS,)
    path: str = "/api/v1/reports"
    is_listed: bool = True

    @property
    def columns(self) -> tuple[KnownColumn, ...]:
        """The columns that are known beforehand."""
        return KNOWN_COLUMNS.get(self.name, ())

    @property
    def splits(self) -> tuple[str, ...]:
        """The filters that cut a day above the row cap into smaller answers, in the order to try them.

        None for sets whose rows are sums: a filter changes their values. And no channel where
        rows have no key: the channel may change which columns come, so that one row would
        look like two.
        """
        if self.grain in (Grain.BUCKET, Grain.PERIOD):
            return ()
        usable = ("inboxes", "channel", "teams") if self.key else ("inboxes", "teams")
        return tuple(name for name in usable if name in self.takes)


_TAKES = {"A": "aggregationLevel", "C": "channel", "I": "inboxes", "T": "teams", "P": "phoneNumber"}
_GRAINS = {"bucket": Grain.BUCKET, "period": Grain.PERIOD, "thing": Grain.THING, "event": Grain.EVENT}

_TABLE = """
AgentAwayTimeReport                         A     bucket
AgentAvailableTimeReportV2                  AT    bucket
AgentDurationsReport                        T     event
AgentDurationsReportV2                      T     event
AgentLoginTimeReport                        AT    bucket
AgentSummary                                AT    bucket
AgentSummaryV2                              AT    bucket
AgentSummaryGlanceReport                    AT    bucket
AgentSummaryGlanceReportV2                  AT    bucket
AgentTimestampsReport                       T     event
FirstContactResolutionByAgentV2Report       ACIT  bucket
PaymentsByAgentReport                       -     period
WorkSessionEventsReportV3                   -     event
WorkSessionEventsReportV4                   -     event
WorkSessionsReport                          CIT   event
WorkSessionsReportV3                        CIT   event
AnswerUsageReport                           A     bucket
AnswerUsageByAgentReport                    AT    bucket
ChannelMixReportV2                          ACI   bucket
ChannelWaitTimeReport                       AI    bucket
ChannelWaitTimeReportV2                     AI    bucket
ContactExportReportV3                       CI    thing
ContactSummaryReport                        ACI   bucket
ContactSummaryReportV2                      ACI   bucket
ContactSummaryCountsReport                  ACI   bucket
ContactSummaryDurationsReport               ACI   bucket
ContactSummaryDurationsReportV2             ACI   bucket
ContactTimestampsReport                     -     event
ConversationExportReport                    I     thing
ConversationSidekickExportReport            I     thing
ConversationSummaryReport                   AI    bucket
ConversationTimestampsReport                -     event
AbandonedCallsInIVRReport                   A     bucket
AutoThrottleMissedConversationsReport       A     bucket
IVRExecutiveSummaryReportV2                 P     period
IvrEndStatesReportV2                        P     period
PaymentsSummaryReport                       A     bucket
ProactiveVoiceSummaryReport                 A     bucket
TopicHierarchyReport                        ACI   bucket
TaskExportReport                            IT    thing
TaskSummaryReport                           AIT   bucket
TaskTimestampsReport                        -     event
TopicSummaryReport                          CI    period
AutoThrottleChangesReport                   -     thing
ChatDisplayPctChangesReport                 -     thing
HelpCenterAnswerSearchReport                -     period
HelpCenterAnswerUsageReport                 A     bucket
QuickActionsUsageReport                     A     bucket
SelfServiceThreadsReport                    -     thing
SidekickAssistsByClassificationTopicReport  -     period
GladAppAnswerSearchReport                   -     period
GladAppAnswerUsageReport                    A     bucket
GladAppContactPointsReport                  -     period
GladlyAISessionsDetailReport                -     thing
GladlyAISessionsDetailWithMessagesReport    -     thing
"""

_KEYS = {
    "ConversationExportReport": ("conversation_id",),
    "ContactExportReportV3": ("contact_id",),
    "GladlyAISessionsDetailReport": ("session_id",),
    "GladlyAISessionsDetailWithMessagesReport": ("session_id",),
    "WorkSessionEventsReportV4": ("contact_session_id", "agent_id"),
    WORK_SESSIONS: ("contact_session_id", "agent_id"),
    "AgentSummaryV2": ("bucket_beginning", "agent_id"),
}
"""Documented, but for AgentSummaryV2 (one row an agent and bucket is what its columns say)."""

_PERIODS = {
    # One connector says that V4 refuses days; the document names other sets for minutes. V3 lies between.
    "WorkSessionEventsReportV4": (Period.MINUTES, Period.DAYS),
    "WorkSessionEventsReportV3": (Period.DAYS, Period.MINUTES),
}
_ANCHORS = {"WorkSessionEventsReportV4": ("contact_session_ended_at", "contact_session_created_at")}
_OLDER = frozenset(
    (
        *("ContactExportReport", "ContactExportReportV2", "AgentSummaryReport", "SummaryReport", "SummaryReportV2"),
        *("SidekickAnswerUsageReport", "SidekickAnswerSearchReport", "SidekickContactPointsReport"),
    )
)


def _listed(line: str) -> MetricSet:
    name, letters, grain = line.split()
    takes = frozenset(_TAKES[letter] for letter in letters if letter in _TAKES)
    periods = _PERIODS.get(name, (Period.DAYS,))
    return MetricSet(name, _GRAINS[grain], takes, _KEYS.get(name, ()), _ANCHORS.get(name, ()), periods)


METRIC_SETS: Mapping[str, MetricSet] = {
    **{found.name: found for found in map(_listed, _TABLE.split("\n")[1:-1])},
    WORK_SESSIONS: MetricSet(
        WORK_SESSIONS,
        Grain.EVENT,
        key=_KEYS[WORK_SESSIONS],
        periods=(Period.MINUTES,),
        path="/api/v1/reports/work-session-events",
    ),
}
"""The 55 metric sets of the document, and the work sessions that have a path of their own."""

_BY_LOWER_CASE = {name.lower(): found for name, found in METRIC_SETS.items()}


def metric_set(name: str) -> tuple[MetricSet, str | None]:
    """Return a metric set by its name, in whatever case, and a warning if it is in no list.

    Raises:
        UsageError: It cannot be the name of a report.
    """
    if found := _BY_LOWER_CASE.get(name.lower()):
        return found, None
    if not _NAME.fullmatch(name):
        raise UsageError(f"report {name!r} is no metric set: a name has letters and digits only")
    older = next((old for old in _OLDER if old.lower() == name.lower()), None)
    close = closest_few(name, METRIC_SETS, most=3)
    meant = f"; did you mean {' or '.join(close)}?" if close else ""
    warning = f"report {older or name} is not in Gladly's list: older or renamed, and it may not work any more{meant}"
    return MetricSet(older or name, Grain.THING, frozenset(_TAKES.values()), is_listed=False), warning


def sets_without_required_options() -> tuple[str, ...]:
    """Return what the word `all` stands for."""
    return tuple(name for name, found in METRIC_SETS.items() if "phoneNumber" not in found.takes)
