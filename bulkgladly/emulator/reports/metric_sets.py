"""The metric sets: which options each takes, what one row of it stands for, and its columns.

Facts: reports.md, "Metric sets and their options" and "Columns where a source gives them", of the fact
sheet. What a row stands for is documented for a few sets only; for the others it is a choice. Names
that a source shows only in snake case are written like the others here, so that they give the same
snake case.

Columns are `Header=value`, in the order in which they are sent. The values are the words of
`cell_values`. `*` marks the columns that identify a row within its day, `@voice` a column that is sent
only for all channels or for voice.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

__all__ = ("BY_TIMES", "COLUMNS", "METRIC_SETS", "TIMES_ONLY", "WORK_SESSIONS", "Column", "MetricSet", "RequestOption")


class Column(NamedTuple):
    """One column. `value` is a word of `cell_values`."""

    header: str
    value: str
    key: bool = False
    voice_only: bool = False


_WORK_SESSION_COLUMNS = """
id=session.id; *contact_session_id=contact; contact_session_created_at=contact.created; customer_id=customer;
conversation_id=conversation; inbox_id=inbox.id; channel=channel; direction=direction;
agent_accepted_at=contact.accepted; contact_session_routed_at=contact.routed; *agent_id=handler.id;
sla_fulfilled_at=contact.accepted; contact_session_ended_at=contact.ended; status=contact.status;
within_sla=contact.within_sla; work_session_handle_time_sec=handle_s; work_session_after_contact_time_sec=after_s;
work_session_unknown_time_sec=unknown_s; accepted_inbox_id=inbox.id
"""

_GIVEN = {
    "ConversationExportReport": """
        Created At=moment; *Conversation ID=conversation; Customer ID=customer; Conversation Link=link;
        Status=conversation.status; Assigned Agent ID - Current=agent.id; Assigned Agent Name - Current=agent.name;
        Inbox ID - Current=inbox.id; Inbox Name - Current=inbox.name; First Closed At=conversation.closed;
        Last Closed At=conversation.closed; Initiator Type - Created=starter.type;
        Initiator Agent ID - Created=starter.agent.id; Initiator Agent Name - Created=starter.agent.name;
        Inbox ID - Created=inbox.id; Inbox Name - Created=inbox.name; Assigned Agent ID - Created=agent.id;
        Topics=topics; Topics with Hierarchy=topics.path; First Contact ID=contact; First Channel=channel;
        Last Channel=channel; Created-to-First Closed Time=conversation.open_s;
        Created-to-Last Closed Time=conversation.open_s; Conversation Handle Time=handle_s; Count of Contacts=few;
        Count of Agents=one; Count of Inboxes Assigned=one; Times Closed=conversation.closings;
        Times Reopened=zero""",
    "ConversationTimestampsReport": """
        Timezone Filter=timezone; Timestamp=moment; Event Type=conversation.event; Conversation ID=conversation;
        Customer ID=customer; Initiator Type=initiator.type; Initiator ID=initiator.id;
        Initiator Agent Name=initiator.name; Assigned Inbox ID=inbox.id; Assigned Inbox Name=inbox.name;
        Assigned Agent ID=agent.id; Assigned Agent Name=agent.name; Topic ID=event.topic.id;
        Topic Name=event.topic.name; Newly Assigned Inbox ID=event.inbox.id; Newly Assigned Inbox Name=event.inbox.name;
        Newly Assigned Agent ID=event.agent.id; Newly Assigned Agent Name=event.agent.name;
        Assignment Update Reason=event.reason; Merged Customer ID=event.merged.customer;
        Merged Conversation ID=event.merged.conversation""",
    "ContactTimestampsReport": """
        Timestamp=moment; Event Type=contact.event; Contact ID=contact; Conversation ID=conversation;
        Customer ID=customer; Channel=channel; Initiator Type=initiator.type; Initiator ID=initiator.id;
        Initiator Agent Name=initiator.name; Assigned Inbox ID=inbox.id; Assigned Inbox Name=inbox.name;
        Assigned Agent ID=agent.id; Assigned Agent Name=agent.name; Transferred To Inbox Name=contact.transferred;
        Final IVR Selection=ivr.of_call; Fulfilled by Contact ID=contact.fulfilled_by""",
    "AgentTimestampsReport": """
        Timestamp=moment; Occurred At=moment; Agent=agent.name; Agent ID=agent.id; Type=agent.event;
        Available For=agent.available_for; Away Reason=agent.away_reason; Active Reason=agent.active_reason""",
    "ContactExportReportV3": """
        Queued At=moment; Customer ID=customer; Conversation ID=conversation; *Contact ID=contact; Link=link;
        Channel=channel; Direction=direction; Contact Initiator=starter.type; Entry Point=entry_point;
        Final IVR Selection=ivr.of_call@voice; Inbox ID=inbox.id; Inbox Name=inbox.name; Agent ID=agent.id;
        Agent Name=agent.name; Status=contact.status; Topics=topics; Handle Time=handle_s""",
    "AgentDurationsReport": """
        Agent ID=agent.id; Agent=agent.name; Start time=moment; End time=ended; Duration (mins)=duration_min;
        Type=agent.state; Context=agent.context""",
    "AgentDurationsReportV2": """
        Agent ID=agent.id; Agent=agent.name; Start time=moment; End time=ended; Duration (mins)=duration_min;
        Type=agent.state; Context=agent.context""",
    "AgentSummaryV2": """
        Bucket Beginning=begin; Bucket End=end; Name=agent.name; Email=agent.email; *Agent ID=agent.id;
        User Status=agent.user_status; Role(s)=agent.roles; Inbox(es)=agent.inboxes; Team(s)=agent.teams;
        Logged In=earliest; Logged Out=latest; Logged In Time in seconds=sum logged_s; Went Away=sum away_n;
        Returned from Away=sum away_n; Changed Active Reason=sum changed_n; Contacts Fulfilled=sum answered_n;
        Handle Time=sum handle_s; Voice Contacts Fulfilled=sum voice_n; Chat Contacts Fulfilled=sum chat_n;
        Email Contacts Fulfilled=sum email_n""",
    "HelpCenterAnswerUsageReport": """
        Timezone Filter=timezone; Date=date; *Answer Name=answer.name; Number of Clicks=count""",
    "GladAppContactPointsReport": """
        Timezone Filter=timezone; Start At=begin; End At=end; *URL=url; Chats=count""",
    "GladlyAISessionsDetailReport": """
        Created At=moment; *Session ID=session.id; Customer ID=customer; Conversation ID=conversation;
        Channel=channel; Gladly Agent=ai.agent; Topics=topics; Handed Off=ai.handed_off; Message Count=few""",
    "GladlyAISessionsDetailWithMessagesReport": """
        Created At=moment; *Session ID=session.id; Customer ID=customer; Conversation ID=conversation;
        Channel=channel; Gladly Agent=ai.agent; Topics=topics; Handed Off=ai.handed_off; Message Count=few;
        Messages=ai.messages""",
    "WorkSessionEventsReportV3": _WORK_SESSION_COLUMNS,
    "WorkSessionEventsReportV4": _WORK_SESSION_COLUMNS,
}
"""Columns from a source, in part or as a whole. If the source says that its list is not complete, a few follow."""

_BUCKET = "Bucket Beginning=begin; Bucket End=end;"
_AGENT = f"{_BUCKET} Name=agent.name; Email=agent.email; *Agent ID=agent.id;"
_INBOX = f"{_BUCKET} *Inbox ID=inbox.id; Inbox Name=inbox.name;"
_TOPIC = f"{_BUCKET} *Topic ID=topic.id; Topic Name=topic.name;"
_SUMMARY = "Contacts Fulfilled=sum answered_n; Handle Time=sum handle_s; Average Handle Time=mean handle_s"
_WAIT = "Contacts=count; Average Wait Time=mean wait_s; Total Wait Time=sum wait_s"
_DURATIONS = "Contacts=count; Average Handle Time=mean handle_s; Average Wait Time=mean wait_s"
_WORK_SESSIONS = """
    Ended At=moment; *Contact ID=contact; *Agent ID=agent.id; Agent Name=agent.name; Inbox ID=inbox.id;
    Inbox Name=inbox.name; Channel=channel; Customer ID=customer; Conversation ID=conversation; Status=contact.status;
    Handle Time=handle_s; After Contact Time=after_s; Hold Time=hold_s@voice"""

_INVENTED = {
    "AgentAwayTimeReport": f"{_AGENT} Times Away=sum away_n; Away Time=sum away_s",
    "AgentAvailableTimeReportV2": f"{_AGENT} Available Time=sum logged_s; Average Available Time=mean logged_s",
    "AgentLoginTimeReport": f"{_AGENT} Logged In Time in seconds=sum logged_s; Log-ins=count",
    "AgentSummary": f"{_AGENT} Team(s)=agent.teams; {_SUMMARY}",
    "AgentSummaryGlanceReport": f"{_AGENT} {_SUMMARY}",
    "AgentSummaryGlanceReportV2": f"{_AGENT} Team(s)=agent.teams; {_SUMMARY}",
    "FirstContactResolutionByAgentV2Report": f"{_AGENT} Contacts=count; Resolved at First Contact=sum answered_n",
    "PaymentsByAgentReport": f"{_AGENT} Payment Requests=count; Amount Requested=sum amount; Currency=currency",
    "WorkSessionsReport": _WORK_SESSIONS,
    "WorkSessionsReportV3": f"{_WORK_SESSIONS}; Topics=topics",
    "AnswerUsageReport": f"{_BUCKET} *Answer ID=answer.id; Answer Name=answer.name; Times Used=count",
    "AnswerUsageByAgentReport": f"{_AGENT} *Answer ID=answer.id; Answer Name=answer.name; Times Used=count",
    "ChannelMixReportV2": f"{_BUCKET} *Channel=channel; Contacts=count; Contacts Fulfilled=sum answered_n",
    "ChannelWaitTimeReport": f"{_BUCKET} *Channel=channel; {_WAIT}",
    "ChannelWaitTimeReportV2": f"{_BUCKET} *Channel=channel; {_WAIT}",
    "ContactSummaryReport": f"{_INBOX} Contacts=count; {_SUMMARY}",
    "ContactSummaryReportV2": f"{_INBOX} Contacts=count; {_SUMMARY}",
    "ContactSummaryCountsReport": f"{_INBOX} Contacts=count; Fulfilled=sum answered_n; Calls=sum voice_n@voice",
    "ContactSummaryDurationsReport": f"{_INBOX} {_DURATIONS}",
    "ContactSummaryDurationsReportV2": f"{_INBOX} {_DURATIONS}; Average Hold Time=mean hold_s@voice",
    "ConversationSidekickExportReport": """
        Created At=moment; *Conversation ID=conversation; Customer ID=customer; Inbox ID=inbox.id;
        Inbox Name=inbox.name; Gladly Agent=ai.agent; Handed Off=ai.handed_off; Topics=topics""",
    "ConversationSummaryReport": f"{_INBOX} Conversations Created=count; Conversations Closed=sum answered_n",
    "AbandonedCallsInIVRReport": f"{_BUCKET} *Final IVR Selection=ivr.selection; Abandoned Calls=count",
    "AutoThrottleMissedConversationsReport": f"{_BUCKET} *Channel=channel; Missed Conversations=count",
    "IVRExecutiveSummaryReportV2": f"{_BUCKET} *Phone Number=phone; Calls=count; Average Time in IVR=mean wait_s",
    "IvrEndStatesReportV2": f"{_BUCKET} Phone Number=phone; *End State=ivr.end; Calls=count",
    "PaymentsSummaryReport": f"{_BUCKET} *Channel=channel; Payment Requests=count; Amount Requested=sum amount",
    "ProactiveVoiceSummaryReport": f"{_INBOX} Calls Made=count; Calls Answered=sum answered_n",
    "TopicHierarchyReport": f"{_TOPIC} Topic Path=topic.path; Contacts=count",
    "TopicSummaryReport": f"{_TOPIC} Contacts=count; Handle Time=sum handle_s",
    "TaskExportReport": """
        Created At=moment; *Task ID=task; Customer ID=customer; Inbox ID=inbox.id; Inbox Name=inbox.name;
        Assigned Agent ID=agent.id; Assigned Agent Name=agent.name; Due At=ended; Status=task.status;
        Body=remark; Closed At=task.closed""",
    "TaskSummaryReport": f"{_INBOX} Tasks Created=count; Tasks Closed=sum answered_n",
    "TaskTimestampsReport": """
        Timestamp=moment; Event Type=task.event; Task ID=task; Customer ID=customer; Initiator Type=initiator.type;
        Initiator ID=initiator.id; Assigned Inbox ID=inbox.id; Assigned Agent ID=agent.id""",
    "AutoThrottleChangesReport": """
        Timestamp=moment; Channel=channel; Changed By=agent.name; Setting=switch; Reason=remark""",
    "ChatDisplayPctChangesReport": """
        Timestamp=moment; Changed By=agent.name; From Percentage=percent; To Percentage=percent.new""",
    "HelpCenterAnswerSearchReport": f"{_BUCKET} *Search Term=search.term; Searches=count",
    "GladAppAnswerSearchReport": f"{_BUCKET} *Search Term=search.term; Searches=count",
    "GladAppAnswerUsageReport": f"{_BUCKET} *Answer ID=answer.id; Answer Name=answer.name; Number of Clicks=count",
    "QuickActionsUsageReport": f"{_BUCKET} *Quick Action=action; Number of Clicks=count",
    "SelfServiceThreadsReport": """
        Created At=moment; *Thread ID=session.id; Customer ID=customer; Conversation ID=conversation; Channel=channel;
        Thread Name=search.term; Handed Off=ai.handed_off""",
    "SidekickAssistsByClassificationTopicReport": f"{_TOPIC} Assists=count",
}
"""Columns without a source; they are only plausible."""


def _columns(text: str) -> tuple[Column, ...]:
    return tuple(_column(part.strip()) for part in text.split(";"))


def _column(text: str) -> Column:
    header, _, value = text.partition("=")
    value, _, condition = value.partition("@")
    return Column(header.removeprefix("*"), value, key=header.startswith("*"), voice_only=condition == "voice")


COLUMNS: Mapping[str, tuple[Column, ...]] = {name: _columns(text) for name, text in (_GIVEN | _INVENTED).items()}
"""The columns of each metric set."""

RequestOption = Literal["aggregationLevel", "channel", "inboxes", "teams", "phoneNumber"]
"""What a request for some of the sets can have besides metric set and period."""

_WORK_SESSION_EVENTS = "WorkSessionEventsReport"
_LETTERS: Mapping[str, RequestOption] = {
    "A": "aggregationLevel",
    "C": "channel",
    "I": "inboxes",
    "T": "teams",
    "P": "phoneNumber",
}


class MetricSet(NamedTuple):
    """One kind of report.

    `subject` is what is counted: sets of one subject show the same invented facts, so they agree with
    each other. `by` is the value by which facts are grouped in each bucket of time; without it every
    fact has its own row.
    """

    name: str
    takes: frozenset[RequestOption]
    subject: str
    by: str | None
    columns: tuple[Column, ...]

    def position(self, value: str) -> int | None:
        """Return the position of the first column with this value."""
        return next((n for n, column in enumerate(self.columns) if column.value == value), None)

    @property
    def data(self) -> str:
        """The name under which its rows are restated. All versions of the work sessions have the same rows."""
        return _WORK_SESSION_EVENTS if self.name.startswith(_WORK_SESSION_EVENTS) else self.name

    @property
    def key(self) -> tuple[int, ...]:
        """The positions of the columns that identify a row within its day; none for sets without a key."""
        return tuple(n for n, column in enumerate(self.columns) if column.key)


BY_TIMES = frozenset(
    {"AgentSummary", "ContactExportReportV3", "WorkSessionEventsReportV3", "WorkSessionEventsReportV4"}
)
"""Sets that accept a period to the minute. The document names `AgentSummaryReport`, which is not in its own
list and is taken for AgentSummary. For the work sessions the source is a connector."""

TIMES_ONLY = frozenset({"WorkSessionEventsReportV4"})
"""Sets that refuse whole days, according to a connector."""

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
    takes: frozenset[RequestOption] = frozenset(_LETTERS[letter] for letter in letters.split(",") if letter != "-")
    return MetricSet(name, takes, subject, by[0] if by else None, COLUMNS[name])


METRIC_SETS: Mapping[str, MetricSet] = {row.name: row for row in map(_metric_set, filter(None, _ROWS.splitlines()))}
"""All metric sets by name."""

WORK_SESSIONS = METRIC_SETS["WorkSessionEventsReportV4"]._replace(name=_WORK_SESSION_EVENTS)
"""The metric set of the separate path. The document calls it version 2 of the report and lists its
columns; here all versions have those columns and the same data, as one connector treats them."""
