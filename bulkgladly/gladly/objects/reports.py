"""The metric sets of Gladly's reports: their options, what a row of each is, and which columns are known.

Facts: gladly-api, reports. The options are those of the document's table. What a row is, is
documented for a few sets, and derived from name and options for the others. The code is also right
if a row is something else: a grain only says how a period is split into requests, and a key that
turns out not to be unique is not used (see `lake.merge`).

A new metric set is one entry in `_SETS`, with its columns above it where a source gives them. Most
lists of columns there are not complete, and 42 of the sets have none: every other column of a
report is text, and named by its header.
"""

from typing import Any

from bulkgladly.gladly.metric_sets import MetricSet, Period, known_columns, unlisted
from bulkgladly.gladly.report_windows import Grain
from bulkgladly.gladly.spec import GladlyObject

__all__ = ("OBJECT", "WORK_SESSIONS")

WORK_SESSIONS = "WorkSessionEventsReport"
"""The report with its own path. The document does not name it; its files have this name."""

LEVEL, CHANNEL, INBOXES, TEAMS, PHONE = "aggregationLevel", "channel", "inboxes", "teams", "phoneNumber"
BUCKET, PERIOD, THING, EVENT = Grain.BUCKET, Grain.PERIOD, Grain.THING, Grain.EVENT

# --- columns, where a source gives them: "Header; Header|kind" ---

_EVENT = (
    "Initiator Type; Initiator ID; Initiator Agent Name; Assigned Inbox ID; Assigned Inbox Name; "
    "Assigned Agent ID; Assigned Agent Name"
)
_DURATIONS = known_columns("Agent ID; Agent; Start time|t; End time|t; Duration (mins)|n; Type; Context")
_AI_SESSIONS = known_columns("Session ID; Customer ID; Conversation ID; Channel; Gladly Agent")
_WORK_SESSION_EVENTS = known_columns(
    "id; contact_session_id; contact_session_created_at|t; customer_id; conversation_id; inbox_id; channel",
    "direction; agent_accepted_at|t; contact_session_routed_at|t; agent_id; sla_fulfilled_at|t",
    "contact_session_ended_at|t; status; within_sla|f; work_session_handle_time_sec|n",
    "work_session_after_contact_time_sec|n; work_session_unknown_time_sec|n; accepted_inbox_id",
)
_CONVERSATIONS = (
    *known_columns(
        "Created At|t; Conversation ID; Customer ID; Conversation Link; Status",
        "Assigned Agent ID - Current; Assigned Agent Name - Current; Inbox ID - Current; Inbox Name - Current",
        "First Closed At|t; Last Closed At|t; Initiator Type - Created; Initiator Agent ID - Created",
        "Initiator Agent Name - Created; Inbox ID - Created; Inbox Name - Created",
    ),
    *known_columns("assigned_agent_id_created; topics", exact=False),
    *known_columns("Topics with Hierarchy"),
    *known_columns("first_contact_id; first_channel; last_channel", exact=False),
    *known_columns("Created-to-First Closed Time|n"),
    *known_columns(
        "created_to_last_closed_time|n; conversation_handle_time|n; count_of_contacts|i; count_of_agents|i",
        "count_of_inboxes_assigned|i; times_closed|i; times_reopened|i",
        exact=False,
    ),
)
_CONVERSATION_TIMES = known_columns(
    "Timezone Filter; Timestamp|t; Event Type; Conversation ID; Customer ID",
    _EVENT,
    "Topic ID; Topic Name; Newly Assigned Inbox ID; Newly Assigned Inbox Name; Newly Assigned Agent ID",
    "Newly Assigned Agent Name; Assignment Update Reason; Merged Customer ID; Merged Conversation ID",
)
_CONTACT_TIMES = known_columns(
    "Timestamp|t; Event Type; Contact ID; Conversation ID; Customer ID; Channel",
    _EVENT,
    "Transferred To Inbox Name; Final IVR Selection; Fulfilled by Contact ID",
)
_AGENT_TIMES = known_columns(
    "Timestamp|t; Occurred At|t; Agent; Agent ID; Type; Available For; Away Reason; Active Reason"
)
_CONTACTS = known_columns(
    "Queued At|t; Customer ID; Conversation ID; Contact ID; Link; Channel; Direction; Contact Initiator",
    "Entry Point; Final IVR Selection",
)
_AGENT_SUMMARY = known_columns(
    "Bucket Beginning; Bucket End; Name; Email; Agent ID; User Status; Role(s); Inbox(es); Team(s)",
    "Logged In; Logged Out; Logged In Time in seconds|n; Went Away; Returned from Away; Changed Active Reason",
)
_ANSWER_USAGE = known_columns("timezone_filter; date; answer_name; number_of_clicks|i", exact=False)
_CONTACT_POINTS = known_columns("timezone_filter; start_at; end_at; url; chats|i", exact=False)

# --- the questions: what a source says, or for sets without columns above only what the name says ---

_QUESTIONS = {
    "AgentAwayTimeReport": "How long were agents away?",
    "AgentAvailableTimeReportV2": "How long were agents available?",
    "AgentDurationsReport": "When was each agent active or away, for how long, and why?",
    "AgentDurationsReportV2": "The same as AgentDurationsReport, to the millisecond.",
    "AgentLoginTimeReport": "How long were agents logged in?",
    "AgentSummary": "What did each agent do? An older version of AgentSummaryV2.",
    "AgentSummaryV2": "How long was each agent logged in and away, and how much did they do?",
    "AgentSummaryGlanceReport": "A shorter summary of agents.",
    "AgentSummaryGlanceReportV2": "A shorter summary of agents, newer version.",
    "AgentTimestampsReport": "When did each agent log in, log out, go away, return or change availability?",
    "FirstContactResolutionByAgentV2Report": "How often did one contact solve the matter, by agent?",
    "PaymentsByAgentReport": "Which payments did each agent request?",
    "WorkSessionEventsReportV3": "An older version of WorkSessionEventsReportV4.",
    "WorkSessionEventsReportV4": "How long did each agent work on each contact, and was it within the SLA?",
    "WorkSessionsReport": "The work sessions of agents.",
    "WorkSessionsReportV3": "The work sessions of agents, newer version.",
    "AnswerUsageReport": "How often is each answer used?",
    "AnswerUsageByAgentReport": "How often does each agent use each answer?",
    "ChannelMixReportV2": "How is the work divided among channels?",
    "ChannelWaitTimeReport": "How long do customers wait, by channel?",
    "ChannelWaitTimeReportV2": "How long do customers wait, by channel? Newer version.",
    "ContactExportReportV3": "Which contacts were there, on which channel, and who started them?",
    "ContactSummaryReport": "How many contacts were there, and how long did they take?",
    "ContactSummaryReportV2": "How many contacts were there, and how long did they take? Newer version.",
    "ContactSummaryCountsReport": "How many contacts were there?",
    "ContactSummaryDurationsReport": "How long did contacts take?",
    "ContactSummaryDurationsReportV2": "How long did contacts take? Newer version.",
    "ContactTimestampsReport": "What happened to each contact, and when?",
    "ConversationExportReport": "Which conversations were there: status, agent, inbox, topics, handle time?",
    "ConversationSidekickExportReport": "Which conversations did Gladly AI take part in?",
    "ConversationSummaryReport": "How many conversations were there?",
    "ConversationTimestampsReport": "What happened to each conversation, and when?",
    "AbandonedCallsInIVRReport": "How many callers hung up in the phone menu?",
    "AutoThrottleMissedConversationsReport": "Which conversations were missed while channels were throttled?",
    "IVRExecutiveSummaryReportV2": "What happened in the phone menu of a number?",
    "IvrEndStatesReportV2": "How did calls leave the phone menu of a number?",
    "PaymentsSummaryReport": "How many payments were requested?",
    "ProactiveVoiceSummaryReport": "How did proactive calls go?",
    "TopicHierarchyReport": "How often did each topic come up, with its parents?",
    "TaskExportReport": "Which tasks were there?",
    "TaskSummaryReport": "How many tasks were there?",
    "TaskTimestampsReport": "What happened to each task, and when?",
    "TopicSummaryReport": "How often did each topic come up?",
    "AutoThrottleChangesReport": "When did throttling change?",
    "ChatDisplayPctChangesReport": "When did the share of visitors who see the chat change?",
    "HelpCenterAnswerSearchReport": "What did people search for in the help center?",
    "HelpCenterAnswerUsageReport": "How often was each answer in the help center clicked, by day?",
    "QuickActionsUsageReport": "How often were quick actions used?",
    "SelfServiceThreadsReport": "Which self-service threads were there?",
    "SidekickAssistsByClassificationTopicReport": "How often did Gladly AI assist, by topic?",
    "GladAppAnswerSearchReport": "What did people search for in the chat window?",
    "GladAppAnswerUsageReport": "How often was each answer in the chat window used?",
    "GladAppContactPointsReport": "On which pages did chats begin?",
    "GladlyAISessionsDetailReport": "Which sessions did Gladly AI have, and with whom?",
    "GladlyAISessionsDetailWithMessagesReport": "The same as GladlyAISessionsDetailReport, with the messages.",
}

# --- the sets ---


def _listed(name: str, grain: Grain, *takes: str, **more: Any) -> MetricSet:
    return MetricSet(name, grain, frozenset(takes), question=_QUESTIONS.get(name, ""), **more)


_SETS = (
    _listed("AgentAwayTimeReport", BUCKET, LEVEL),
    _listed("AgentAvailableTimeReportV2", BUCKET, LEVEL, TEAMS),
    _listed("AgentDurationsReport", EVENT, TEAMS, columns=_DURATIONS),
    _listed("AgentDurationsReportV2", EVENT, TEAMS, columns=_DURATIONS),
    _listed("AgentLoginTimeReport", BUCKET, LEVEL, TEAMS),
    _listed("AgentSummary", BUCKET, LEVEL, TEAMS),
    _listed("AgentSummaryV2", BUCKET, LEVEL, TEAMS, key=("bucket_beginning", "agent_id"), columns=_AGENT_SUMMARY),
    _listed("AgentSummaryGlanceReport", BUCKET, LEVEL, TEAMS),
    _listed("AgentSummaryGlanceReportV2", BUCKET, LEVEL, TEAMS),
    _listed("AgentTimestampsReport", EVENT, TEAMS, columns=_AGENT_TIMES),
    _listed("FirstContactResolutionByAgentV2Report", BUCKET, LEVEL, CHANNEL, INBOXES, TEAMS),
    _listed("PaymentsByAgentReport", PERIOD),
    _listed("WorkSessionEventsReportV3", EVENT, periods=(Period.DAYS, Period.MINUTES)),
    _listed(
        "WorkSessionEventsReportV4",
        EVENT,
        key=("contact_session_id", "agent_id"),
        anchor=("contact_session_ended_at", "contact_session_created_at"),
        periods=(Period.MINUTES, Period.DAYS),
        columns=_WORK_SESSION_EVENTS,
    ),
    _listed("WorkSessionsReport", EVENT, CHANNEL, INBOXES, TEAMS),
    _listed("WorkSessionsReportV3", EVENT, CHANNEL, INBOXES, TEAMS),
    _listed("AnswerUsageReport", BUCKET, LEVEL),
    _listed("AnswerUsageByAgentReport", BUCKET, LEVEL, TEAMS),
    _listed("ChannelMixReportV2", BUCKET, LEVEL, CHANNEL, INBOXES),
    _listed("ChannelWaitTimeReport", BUCKET, LEVEL, INBOXES),
    _listed("ChannelWaitTimeReportV2", BUCKET, LEVEL, INBOXES),
    _listed("ContactExportReportV3", THING, CHANNEL, INBOXES, key=("contact_id",), columns=_CONTACTS),
    _listed("ContactSummaryReport", BUCKET, LEVEL, CHANNEL, INBOXES),
    _listed("ContactSummaryReportV2", BUCKET, LEVEL, CHANNEL, INBOXES),
    _listed("ContactSummaryCountsReport", BUCKET, LEVEL, CHANNEL, INBOXES),
    _listed("ContactSummaryDurationsReport", BUCKET, LEVEL, CHANNEL, INBOXES),
    _listed("ContactSummaryDurationsReportV2", BUCKET, LEVEL, CHANNEL, INBOXES),
    _listed("ContactTimestampsReport", EVENT, columns=_CONTACT_TIMES),
    _listed("ConversationExportReport", THING, INBOXES, key=("conversation_id",), columns=_CONVERSATIONS),
    _listed("ConversationSidekickExportReport", THING, INBOXES),
    _listed("ConversationSummaryReport", BUCKET, LEVEL, INBOXES),
    _listed("ConversationTimestampsReport", EVENT, columns=_CONVERSATION_TIMES),
    _listed("AbandonedCallsInIVRReport", BUCKET, LEVEL),
    _listed("AutoThrottleMissedConversationsReport", BUCKET, LEVEL),
    _listed("IVRExecutiveSummaryReportV2", PERIOD, PHONE),
    _listed("IvrEndStatesReportV2", PERIOD, PHONE),
    _listed("PaymentsSummaryReport", BUCKET, LEVEL),
    _listed("ProactiveVoiceSummaryReport", BUCKET, LEVEL),
    _listed("TopicHierarchyReport", BUCKET, LEVEL, CHANNEL, INBOXES),
    _listed("TaskExportReport", THING, INBOXES, TEAMS),
    _listed("TaskSummaryReport", BUCKET, LEVEL, INBOXES, TEAMS),
    _listed("TaskTimestampsReport", EVENT),
    _listed("TopicSummaryReport", PERIOD, CHANNEL, INBOXES),
    _listed("AutoThrottleChangesReport", THING),
    _listed("ChatDisplayPctChangesReport", THING),
    _listed("HelpCenterAnswerSearchReport", PERIOD),
    _listed("HelpCenterAnswerUsageReport", BUCKET, LEVEL, columns=_ANSWER_USAGE),
    _listed("QuickActionsUsageReport", BUCKET, LEVEL),
    _listed("SelfServiceThreadsReport", THING),
    _listed("SidekickAssistsByClassificationTopicReport", PERIOD),
    _listed("GladAppAnswerSearchReport", PERIOD),
    _listed("GladAppAnswerUsageReport", BUCKET, LEVEL),
    _listed("GladAppContactPointsReport", PERIOD, columns=_CONTACT_POINTS),
    _listed("GladlyAISessionsDetailReport", THING, key=("session_id",), columns=_AI_SESSIONS),
    _listed("GladlyAISessionsDetailWithMessagesReport", THING, key=("session_id",), columns=_AI_SESSIONS),
    MetricSet(
        WORK_SESSIONS,
        EVENT,
        key=("contact_session_id", "agent_id"),
        periods=(Period.MINUTES,),
        path="/api/v1/reports/work-session-events",
        operation="generateWorkSessionReport",
        columns=_WORK_SESSION_EVENTS,
        question="The same as WorkSessionEventsReportV4, version 2; Gladly says that figures may differ.",
    ),
)
"""The 55 metric sets of the document, and the work sessions.

The keys are documented, except that of AgentSummaryV2: its columns show one row for each agent and bucket.
A connector's source says that WorkSessionEventsReportV4 refuses days; the document names other sets for
minutes. V3 lies between the two, so it tries days first.
"""

_OLDER = (
    *("ContactExportReport", "ContactExportReportV2", "AgentSummaryReport", "SummaryReport", "SummaryReportV2"),
    *("SidekickAnswerUsageReport", "SidekickAnswerSearchReport", "SidekickContactPointsReport"),
)
"""Names that other sources use and the document does not list; they may no longer work."""

OBJECT = GladlyObject(metric_sets=(*_SETS, *map(unlisted, _OLDER)))
