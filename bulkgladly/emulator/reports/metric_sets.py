"""The metric sets of the reports: which options each takes, and what one row of it stands for.

Facts: reports.md, "Metric sets and their options", of the fact sheet. What a row stands for is
documented for a few sets only; for the others it is a choice.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from bulkgladly.emulator.reports.report_columns import COLUMNS, Column

__all__ = ("BY_TIMES", "METRIC_SETS", "TIMES_ONLY", "WORK_SESSIONS", "MetricSet", "Taken")

Taken = Literal["aggregationLevel", "channel", "inboxes", "teams", "phoneNumber"]
"""What a request can say beside metric set and period; for some sets only."""

_WORK_SESSION_EVENTS = "WorkSessionEventsReport"
_LETTERS: Mapping[str, Taken] = {
    "A": "aggregationLevel",
    "C": "channel",
    "I": "inboxes",
    "T": "teams",
    "P": "phoneNumber",
}


class MetricSet(NamedTuple):
    """One kind of report.

    `subject` names what is counted: sets of one subject speak of the same invented things, so that
    they agree with each other. `by` names the value that groups them in each bucket of time; without
    it every thing has a row of its own.
    """

    name: str
    takes: frozenset[Taken]
    subject: str
    by: str | None
    columns: tuple[Column, ...]

    def position(self, value: str) -> int | None:
        """Where the first column with this value stands."""
        return next((n for n, column in enumerate(self.columns) if column.value == value), None)

    @property
    def data(self) -> str:
        """The name under which its rows are restated: all versions of the work sessions show the same ones."""
        return _WORK_SESSION_EVENTS if self.name.startswith(_WORK_SESSION_EVENTS) else self.name

    @property
    def key(self) -> tuple[int, ...]:
        """Where the columns stand that tell a row from the others of its day; none for sets without a key."""
        return tuple(n for n, column in enumerate(self.columns) if column.key)


BY_TIMES = frozenset(
    {"AgentSummary", "ContactExportReportV3", "WorkSessionEventsReportV3", "WorkSessionEventsReportV4"}
)
"""Sets for which a period to the minute is accepted. The document names `AgentSummaryReport`, which is not
in its own list: taken for AgentSummary. For the work sessions a connector is the source."""

TIMES_ONLY = frozenset({"WorkSessionEventsReportV4"})
"""Sets that a connector says refuse whole days."""

_ROWS = """
AgentAwayTimeReport                        A     agent_status  agent.id
AgentAvailableTimeReportV2                 A,T   agent_status  agent.id
AgentDurationsReport                       T     agent_status
AgentDurationsReportV2                     T     agent_status
AgentLoginTimeReport                       A,T   agent_status  agent.id
AgentSummary                               A,T   contact       agent.id
AgentSummaryV2                             A,T   contact       agent.id
AgentSummaryGlanceReport                   A,T   contact       agent.id
AgentSummaryGlanceReportV2                 A,T   contact       agent.id
AgentTimestampsReport                      T     agent_status
FirstContactResolutionByAgentV2Report      A,C,I,T contact     agent.id
PaymentsByAgentReport                      -     payment       agent.id
WorkSessionEventsReportV3                  -     contact
WorkSessionEventsReportV4                  -     contact
WorkSessionsReport                         C,I,T contact
WorkSessionsReportV3                       C,I,T contact
AnswerUsageReport                          A     answer        answer.id
AnswerUsageByAgentReport                   A,T   answer        answer.agent
ChannelMixReportV2                         A,C,I contact       channel
ChannelWaitTimeReport                      A,I   contact       channel
ChannelWaitTimeReportV2                    A,I   contact       channel
ContactExportReportV3                      C,I   contact
ContactSummaryReport                       A,C,I contact       inbox.id
ContactSummaryReportV2                     A,C,I contact       inbox.id
ContactSummaryCountsReport                 A,C,I contact       inbox.id
ContactSummaryDurationsReport              A,C,I contact       inbox.id
ContactSummaryDurationsReportV2            A,C,I contact       inbox.id
ContactTimestampsReport                    -     contact_event
ConversationExportReport                   I     conversation
ConversationSidekickExportReport           I     conversation
ConversationSummaryReport                  A,I   conversation  inbox.id
ConversationTimestampsReport               -     conversation_event
AbandonedCallsInIVRReport                  A     ivr           ivr.selection
AutoThrottleMissedConversationsReport      A     throttle      channel
IVRExecutiveSummaryReportV2                P     ivr           phone
IvrEndStatesReportV2                       P     ivr           ivr.end
PaymentsSummaryReport                      A     payment       channel
ProactiveVoiceSummaryReport                A     proactive     inbox.id
TopicHierarchyReport                       A,C,I contact       topic.id
TaskExportReport                           I,T   task
TaskSummaryReport                          A,I,T task          inbox.id
TaskTimestampsReport                       -     task_event
TopicSummaryReport                         C,I   contact       topic.id
AutoThrottleChangesReport                  -     throttle
ChatDisplayPctChangesReport                -     throttle
HelpCenterAnswerSearchReport               -     search        search.term
HelpCenterAnswerUsageReport                A     answer        answer.id
QuickActionsUsageReport                    A     answer        action
SelfServiceThreadsReport                   -     ai_session
SidekickAssistsByClassificationTopicReport -     ai_session    topic.id
GladAppAnswerSearchReport                  -     search        search.term
GladAppAnswerUsageReport                   A     answer        answer.id
GladAppContactPointsReport                 -     contact       url
GladlyAISessionsDetailReport               -     ai_session
GladlyAISessionsDetailWithMessagesReport   -     ai_session
"""


def _metric_set(line: str) -> MetricSet:
    name, letters, subject, *by = line.split()
    takes: frozenset[Taken] = frozenset(_LETTERS[letter] for letter in letters.split(",") if letter != "-")
    return MetricSet(name, takes, subject, by[0] if by else None, COLUMNS[name])


METRIC_SETS: Mapping[str, MetricSet] = {row.name: row for row in map(_metric_set, filter(None, _ROWS.splitlines()))}
"""All metric sets by name."""

WORK_SESSIONS = METRIC_SETS["WorkSessionEventsReportV4"]._replace(name=_WORK_SESSION_EVENTS)
"""What the path of its own answers. The document calls it version 2 of the report and gives its
columns; here all versions have those columns and the same data, as one connector treats them."""
