"""The organisation, and its agents, inboxes, teams and audiences. They are only read.

Facts: gladly-api, endpoints 52 to 62, schemas 6.
"""

from bulkgladly.gladly.data_sets import FLAG, GONE_SINCE, TEXT, TEXTS, DataColumn, DataSetPlan
from bulkgladly.gladly.exports import LiveExport
from bulkgladly.gladly.spec import GladlyObject

__all__ = ("OBJECT",)

_ORGANIZATION = (
    DataColumn("id", TEXT, "The id of the organisation."),
    DataColumn("name", TEXT, "Its name."),
    DataColumn("loginDomain", TEXT, "The domain with which its people sign in."),
    DataColumn("timezone", TEXT, "Its time zone, by IANA name; the days of reports are days there."),
    DataColumn("gladlyUrl", TEXT, "The address of its Gladly account."),
)
_AGENT = (
    DataColumn("id", TEXT, "The id of the agent."),
    DataColumn("name", TEXT, "First and last name."),
    DataColumn("emailAddress", TEXT, "The email address with which the agent signs in."),
)
_INBOX = (
    DataColumn("id", TEXT, "The id of the inbox."),
    DataColumn("name", TEXT, "Its name."),
    DataColumn("disabled", FLAG, "Whether it is disabled; nothing can be assigned to it then."),
    GONE_SINCE,
)
_TEAM = (
    DataColumn("id", TEXT, "The id of the team."),
    DataColumn("name", TEXT, "Its name."),
    DataColumn("description", TEXT, "Its description."),
    DataColumn("agentIds", TEXTS, "The agents in it."),
    GONE_SINCE,
)
_AUDIENCE = (
    DataColumn("id", TEXT, "The id of the audience."),
    DataColumn("name", TEXT, "Its name: who an answer is for."),
    GONE_SINCE,
)

OBJECT = GladlyObject(
    reads=(
        LiveExport("organization", "getOrganization", "/api/v1/organization", "organization", is_list=False),
        LiveExport("agents-list", "getAgents", "/api/v1/agents", "agents-list", names="agent"),
        LiveExport("inboxes", "getInboxes", "/api/v1/inboxes", "inboxes", names="inbox"),
        LiveExport("teams", "getTeams", "/api/v1/teams", "teams", names="team"),
        LiveExport("audiences", "getAudiences", "/api/v1/audiences", "audiences", names="audience"),
    ),
    data_sets=(
        DataSetPlan("organization", _ORGANIZATION),
        DataSetPlan("agents", _AGENT, file="agents.jsonl"),
        DataSetPlan("agents-list", (*_AGENT, GONE_SINCE)),
        DataSetPlan("inboxes", _INBOX),
        DataSetPlan("teams", _TEAM),
        DataSetPlan("audiences", _AUDIENCE),
    ),
)
"""`agents-list` is the live list, `agents` that of the export jobs; the rows of each have their origin."""
