"""Views that join the data sets, in DuckDB's dialect: what questions are asked about. Pure text.

Each view uses only the views of `NEEDED` and those before it. Columns of Gladly's objects have the names of
the API there; here all names are in snake case. docs/model.md says what a row of each is.
"""

from collections.abc import Mapping

__all__ = ("JOINED_VIEWS", "NEEDED")

NEEDED = (
    "items",
    "conversation-items",
    "conversations",
    "customers",
    "profiles",
    "tasks",
    "task-comments",
    "agents",
    "agents-list",
    "topics",
    "topics-list",
    "inboxes",
    "reports/ConversationExportReport",
    "reports/WorkSessionEventsReport",
    "reports/WorkSessionEventsReportV4",
)
"""The data sets that the views join."""

_ALL_AGENTS = """
SELECT id AS agent_id, name AS agent_name, "emailAddress" AS agent_email
FROM (
  SELECT id, name, "emailAddress", 1 AS place FROM agents_list
  UNION ALL SELECT id, name, "emailAddress", 2 FROM agents
)
QUALIFY row_number() OVER (PARTITION BY id ORDER BY place) = 1
"""

# Ten levels at most: a topic that is its own parent must not run for ever.
_ALL_TOPICS = """
WITH RECURSIVE listed AS (
  SELECT id, name, disabled, "parentId"
  FROM (
    SELECT id, name, disabled, "parentId", 1 AS place FROM topics_list
    UNION ALL SELECT id, name, disabled, "parentId", 2 FROM topics
  )
  QUALIFY row_number() OVER (PARTITION BY id ORDER BY place) = 1
),
climbed AS (
  SELECT id, "parentId" AS above, name AS path, 1 AS levels FROM listed
  UNION ALL
  SELECT c.id, p."parentId", p.name || ' > ' || c.path, c.levels + 1
  FROM climbed c JOIN listed p ON p.id = c.above
  WHERE c.levels < 10
)
SELECT l.id AS topic_id, l.name AS topic_name, arg_max(c.path, c.levels) AS topic_path, l.disabled AS is_disabled
FROM listed l JOIN climbed c USING (id)
GROUP BY l.id, l.name, l.disabled
"""

_ALL_ITEMS = """
SELECT *
FROM (SELECT * FROM items UNION ALL BY NAME SELECT * FROM conversation_items)
QUALIFY row_number() OVER (
  PARTITION BY id ORDER BY coalesce("_job_updated_at", "_fetched_at") DESC NULLS LAST
) = 1
"""

_MESSAGES = """
SELECT
  id AS item_id,
  "conversationId" AS conversation_id,
  "customerId" AS customer_id,
  "timestamp" AS sent_at,
  CASE "contentType" WHEN 'CHAT_MESSAGE' THEN 'CHAT' WHEN 'FACEBOOK_MESSAGE' THEN 'FB_MESSENGER'
    WHEN 'VOICE_AI_MESSAGE' THEN 'PHONE_CALL' ELSE "contentType" END AS channel,
  CASE initiator.type WHEN 'CUSTOMER' THEN 'in' WHEN 'INTERNAL' THEN 'third party'
    WHEN 'EXTERNAL' THEN 'third party' ELSE 'out' END AS direction,
  CASE WHEN initiator.type = 'AGENT' THEN initiator.id
    WHEN responder.type = 'AGENT' AND "answeredAt" IS NOT NULL THEN responder.id END AS agent_id,
  coalesce(content, body) AS text,
  subject,
  "answeredAt" AS answered_at,
  "completedAt" AS completed_at
FROM all_items
WHERE "contentType" IN ('CHAT_MESSAGE', 'EMAIL', 'FACEBOOK_MESSAGE', 'INSTAGRAM_DIRECT', 'PHONE_CALL', 'SMS',
  'TWITTER', 'VOICEMAIL', 'VOICE_AI_MESSAGE', 'WHATSAPP')
"""

_NOTES = """
SELECT id AS item_id, "conversationId" AS conversation_id, "customerId" AS customer_id, "timestamp" AS written_at,
  CASE WHEN initiator.type = 'AGENT' THEN initiator.id END AS agent_id, body AS text
FROM all_items
WHERE "contentType" = 'CONVERSATION_NOTE'
"""

_CHANGES = """
SELECT id AS item_id, "conversationId" AS conversation_id, "customerId" AS customer_id, "timestamp" AS changed_at,
  initiator.type AS initiator_type, initiator.id AS initiator_id, status AS new_status,
  "addedTopicIds" AS added_topic_ids, "removedTopicIds" AS removed_topic_ids
FROM all_items
WHERE "contentType" IN ('CONVERSATION_STATUS_CHANGE', 'TOPIC_CHANGE')
"""

# The row without an agent stays in its window after an agent has taken the contact.
_WORK_SESSIONS = """
SELECT *
FROM (
  SELECT * FROM report_work_session_events UNION ALL BY NAME SELECT * FROM report_work_session_events_v4
)
WHERE "_gone_since" IS NULL
QUALIFY (agent_id IS NOT NULL OR count(agent_id) OVER (PARTITION BY contact_session_id) = 0)
  AND row_number() OVER (PARTITION BY contact_session_id, agent_id ORDER BY "_fetched_at" DESC) = 1
"""

_CONTACTS = """
SELECT
  contact_session_id AS contact_id,
  any_value(conversation_id) AS conversation_id,
  any_value(customer_id) AS customer_id,
  any_value(channel) AS channel,
  any_value(direction) AS direction,
  min(contact_session_created_at) AS created_at,
  min(agent_accepted_at) AS accepted_at,
  max(contact_session_ended_at) AS ended_at,
  arg_max(status, coalesce(contact_session_ended_at, contact_session_created_at)) AS status,
  arg_min(within_sla, agent_accepted_at) AS is_within_sla,
  arg_min(agent_id, agent_accepted_at) AS first_agent_id,
  count(DISTINCT agent_id) AS agents,
  date_diff('millisecond', min(contact_session_created_at), min(agent_accepted_at)) / 1000 AS wait_s,
  sum(work_session_handle_time_sec) AS handle_s,
  sum(work_session_after_contact_time_sec) AS after_contact_s
FROM work_sessions
GROUP BY contact_session_id
"""

_CONVERSATIONS_ENRICHED = """
WITH ids AS (
  SELECT id FROM conversations
  UNION SELECT conversation_id FROM report_conversation_export WHERE "_gone_since" IS NULL
  UNION SELECT "conversationId" FROM all_items
),
told AS (
  SELECT conversation_id, min(sent_at) AS first_at, arg_min(channel, sent_at) AS channel,
    arg_min(customer_id, sent_at) AS customer_id, min(sent_at) FILTER (direction = 'in') AS first_in,
    count(*) FILTER (direction = 'in') AS messages_in, count(*) FILTER (direction = 'out') AS messages_out
  FROM messages GROUP BY conversation_id
),
replies AS (
  SELECT conversation_id, agent_id, CASE WHEN direction = 'in' THEN answered_at ELSE sent_at END AS replied_at
  FROM messages
  WHERE agent_id IS NOT NULL
),
first_reply AS (
  SELECT t.conversation_id, min(r.replied_at) AS replied_at, arg_min(r.agent_id, r.replied_at) AS agent_id
  FROM told t JOIN replies r ON r.conversation_id = t.conversation_id AND r.replied_at >= t.first_in
  GROUP BY t.conversation_id
),
latest_status AS (
  SELECT conversation_id, arg_max(new_status, changed_at) AS status, max(changed_at) AS changed_at
  FROM changes WHERE new_status IS NOT NULL GROUP BY conversation_id
)
SELECT
  i.id AS conversation_id,
  coalesce(c."customerId", e.customer_id, t.customer_id) AS customer_id,
  coalesce(c."createdAt", e.created_at, t.first_at) AS created_at,
  coalesce(c.status, e.status, s.status, 'OPEN') AS status,
  coalesce(c."closedAt", e.last_closed_at, CASE WHEN s.status = 'CLOSED' THEN s.changed_at END) AS closed_at,
  coalesce(c."inboxId", e.inbox_id_current) AS inbox_id,
  coalesce(b.name, e.inbox_name_current) AS inbox_name,
  coalesce(c."agentId", e.assigned_agent_id_current) AS agent_id,
  a.agent_name,
  c."topicIds" AS topic_ids,
  coalesce(t.channel, e.first_channel) AS channel,
  t.first_in AS first_customer_message_at,
  r.replied_at AS first_reply_at,
  r.agent_id AS first_reply_agent_id,
  date_diff('millisecond', t.first_in, r.replied_at) / 1000 AS first_response_s,
  coalesce(t.messages_in, 0) AS messages_in,
  coalesce(t.messages_out, 0) AS messages_out,
  e.conversation_handle_time AS handle_s
FROM ids i
LEFT JOIN conversations c ON c.id = i.id
LEFT JOIN report_conversation_export e ON e.conversation_id = i.id
LEFT JOIN told t ON t.conversation_id = i.id
LEFT JOIN first_reply r ON r.conversation_id = i.id
LEFT JOIN latest_status s ON s.conversation_id = i.id
LEFT JOIN inboxes b ON b.id = coalesce(c."inboxId", e.inbox_id_current)
LEFT JOIN all_agents a ON a.agent_id = coalesce(c."agentId", e.assigned_agent_id_current)
WHERE i.id IS NOT NULL AND coalesce(e.status, '') <> 'MERGED'
"""

# Gladly stores a survey as an activity of the customer, outside of any conversation.
_RATINGS = r"""
WITH surveys AS (
  SELECT id AS item_id, "customerId" AS customer_id, coalesce("occurredAt", "timestamp") AS rated_at,
    "sourceName" AS source, title,
    regexp_extract(coalesce(body, title), '([0-9]+(?:\.[0-9]+)?) *(?:of|/|out of) *([0-9]+)', ['score', 'best']) AS told
  FROM all_items
  WHERE "contentType" = 'CUSTOMER_ACTIVITY' AND "activityType" = 'SURVEY'
)
SELECT s.item_id, s.customer_id, s.rated_at, s.source, s.title, TRY_CAST(s.told.score AS DOUBLE) AS score,
  TRY_CAST(s.told.best AS DOUBLE) AS best_score, c.conversation_id, c.agent_id, c.agent_name, c.channel
FROM surveys s
ASOF LEFT JOIN (SELECT * FROM conversations_enriched WHERE closed_at IS NOT NULL) c
  ON c.customer_id = s.customer_id AND c.closed_at <= s.rated_at
"""

_TASKS_ENRICHED = """
SELECT t.id AS task_id, t."customerId" AS customer_id, t."timestamp" AS created_at, t."dueAt" AS due_at, t.status,
  t.assignee."inboxId" AS inbox_id, b.name AS inbox_name, t.assignee."agentId" AS agent_id, a.agent_name, t.body,
  coalesce(n.comments, 0) AS comments
FROM tasks t
LEFT JOIN inboxes b ON b.id = t.assignee."inboxId"
LEFT JOIN all_agents a ON a.agent_id = t.assignee."agentId"
LEFT JOIN (SELECT "taskId" AS task_id, count(*) AS comments FROM task_comments GROUP BY "taskId") n
  ON n.task_id = t.id
"""

_CUSTOMERS_ENRICHED = """
WITH ids AS (SELECT id FROM customers UNION SELECT id FROM profiles)
SELECT i.id AS customer_id, coalesce(p.name, c.name) AS customer_name,
  coalesce([coalesce(each.normalized, each.original) FOR each IN p.emails], c."emailAddresses")
    AS email_addresses,
  coalesce([coalesce(each.normalized, each.original) FOR each IN p.phones], c."phoneNumbers")
    AS phone_numbers,
  p."customAttributes" AS attributes, p."createdAt" AS created_at, p."updatedAt" AS updated_at
FROM ids i LEFT JOIN customers c ON c.id = i.id LEFT JOIN profiles p ON p.id = i.id
"""

JOINED_VIEWS: Mapping[str, str] = {
    "all_agents": _ALL_AGENTS,
    "all_topics": _ALL_TOPICS,
    "all_items": _ALL_ITEMS,
    "messages": _MESSAGES,
    "notes": _NOTES,
    "changes": _CHANGES,
    "work_sessions": _WORK_SESSIONS,
    "contacts": _CONTACTS,
    "conversations_enriched": _CONVERSATIONS_ENRICHED,
    "ratings": _RATINGS,
    "tasks_enriched": _TASKS_ENRICHED,
    "customers_enriched": _CUSTOMERS_ENRICHED,
}
"""The SQL of each view by name, in the order in which they are created."""
