
"use strict";

const QUIET_MS = 40000;  // the server says something every 15 s
const AGAIN_MS = 5000;
const FIRST_ROWS = 15;
const CHANNELS = {
  PHONE_CALL: "Phone", EMAIL: "Email", CHAT: "Chat", SMS: "SMS", VOICEMAIL: "Voicemail", WHATSAPP: "WhatsApp",
  FB_MESSENGER: "Messenger", INSTAGRAM_DIRECT: "Instagram",
};
const HERE_NOW = new Set(["PHONE_CALL", "CHAT"]);  // who waits there waits in person, and is listed first
const WORKS = { MAIL: "mail", MESSAGING: "messaging", TASK: "tasks", VOICE: "voice" };
const STATES = {
  available: "available", focus: "in focus", active: "logged in, availability unknown", unavailable: "not available",
  away: "away", logged_out: "logged out", unknown: "unknown",
};
let view = null;
let ahead = 0;  // how far the server's clock is ahead of ours: waits must not depend on the clock of a laptop
let heard = 0;
let source = null;

const byId = (id) => document.getElementById(id);
const now = () => Date.now() + ahead;
const known = (value) => value !== null && value !== undefined;

function say(node, words) {
  const string = known(words) ? String(words) : "";
  if (node.textContent !== string) node.textContent = string;
}

function mark(node, names) {
  if (node.className !== names) node.className = names;
}

function counted(number, word) {
  return `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;
}

function lasted(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, "0")} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

function since(time, isAtLeast) {
  return known(time) ? `${isAtLeast ? "≥ " : ""}${lasted(now() - Date.parse(time))}` : "unknown";
}

function due(time) {
  if (!known(time)) return "";
  const left = Date.parse(time) - now();
  return left < 0 ? `${lasted(-left)} ago` : `in ${lasted(left)}`;
}

function clock(time) {
  const date = new Date(time);
  const isToday = date.toDateString() === new Date(now()).toDateString();
  const options = { hour: "2-digit", minute: "2-digit", hour12: false };
  return date.toLocaleString("en-GB", isToday ? options : { weekday: "short", day: "numeric", month: "short", ...options });
}

const channelOf = (row) => (known(row.channel) ? CHANNELS[row.channel] || row.channel : "unknown channel");
const inboxOf = (row) => row.inbox_name || row.inbox_id || "";
const agentOf = (row) => row.agent_name || row.agent_id || "";
const joined = (...parts) => parts.filter(Boolean).join(" · ");

function nowOf(row) {
  const agent = agentOf(row);
  if (row.step === "offered" && agent) return `offered to ${agent}`;
  if (row.step === "with agent" && agent) return `with ${agent}`;
  if (row.step === "on hold" && agent) return `on hold by ${agent}`;
  if (row.step === "transferred" && agent) return `transferred to ${agent}`;
  if (row.step === "declined" || row.step === "missed") return `last offer ${row.step}`;
  return row.step || "unknown";
}

/* Each table keeps its rows by id, and writes only what differs, so that a selection survives. */
function fill(table, rows, idOf, cellsOf) {
  const body = table.tBodies[0];
  const old = new Map([...body.rows].map((row) => [row.dataset.id, row]));
  const found = rows.map((each) => {
    const id = idOf(each);
    const row = old.get(id) || document.createElement("tr");
    row.dataset.id = id;
    old.delete(id);
    cellsOf(each).forEach((cell, at) => write(row, at, cell));
    return row;
  });
  old.forEach((row) => row.remove());
  found.forEach((row, at) => {
    row.classList.toggle("extra", at >= FIRST_ROWS);
    if (body.rows[at] !== row) body.insertBefore(row, body.rows[at] || null);
  });
}

function write(row, at, cell) {
  while (row.cells.length <= at) {
    const made = row.insertCell();
    made.append(document.createElement("span"), document.createElement("small"));
  }
  const node = row.cells[at];
  const [main, more] = node.children;
  mark(node, cell.kind || "");
  mark(main, cell.dot ? `dot ${cell.dot}` : "");
  mark(more, cell.isNarrow ? "narrow" : "");
  say(main, cell.main);
  say(more, cell.more);
  more.hidden = !cell.more;
  node.title = cell.title || "";
  if (known(cell.share)) node.style.setProperty("--share", cell.share);
}

function note(id, table, total, words, extra) {
  const node = byId(id);
  const shown = byId(table).tBodies[0].rows.length;
  const isAll = byId(table).classList.contains("all");
  let button = node.querySelector("button");
  let line = node.querySelector("span");
  const hidden = shown - FIRST_ROWS;
  const label = isAll ? "Show fewer" : `Show ${hidden.toLocaleString("en")} more`;
  const said = joined(words, extra);
  if (!line && (said || hidden > 0)) {
    line = node.appendChild(document.createElement("span"));
    node.append(" ");
  }
  if (line) say(line, said);
  if (hidden > 0 && !button) {
    button = node.appendChild(document.createElement("button"));
    button.type = "button";
    button.addEventListener("click", () => { byId(table).classList.toggle("all"); show(); });
  }
  if (hidden <= 0 && button) { button.remove(); button = null; }
  if (button) say(button, label);
  if (line && !said && !button) node.replaceChildren();
}

function figure(id, value, more, kind) {
  const node = byId(id);
  say(node, known(value) ? (typeof value === "number" ? value.toLocaleString("en") : value) : "?");
  mark(node, known(value) ? kind || "" : "none");
  say(byId(`${id}-more`), more);
}

/* Minutes on the phone matter more than hours by email, so these channels are told beside the longest wait. */
function longestOf(channels, first) {
  return channels.filter((channel) => channel !== first).map((channel) => {
    const queue = view.queues.find((each) => each.channel === channel && known(each.longest_waiting_since));
    return queue ? `${channelOf(queue).toLowerCase()} ${since(queue.longest_waiting_since, queue.is_at_least)}` : "";
  });
}

function showFigures(totals) {
  figure("available", totals.available, known(totals.agents) ? `of ${counted(totals.agents, "agent")} seen` : "no agent seen yet",
    totals.available > 0 ? "good" : "bad");
  figure("waiting", totals.waiting, known(totals.contacts) ? joined(totals.waiting_overdue ? `${totals.waiting_overdue} overdue` : "", `of ${counted(totals.contacts, "open contact")} seen`) : "no contact seen yet",
    totals.waiting_overdue > 0 ? "bad" : "");
  const isWaiting = known(totals.longest_waiting_since);
  const value = isWaiting ? since(totals.longest_waiting_since, totals.longest_is_at_least) : known(totals.waiting) ? "none" : null;
  const channel = totals.longest_channel;
  figure("longest", value, isWaiting ? joined(channelOf({ channel }), ...longestOf([...HERE_NOW], channel)) : "", isWaiting ? "" : "none");
  figure("overdue", totals.tasks_overdue, known(totals.tasks_due) ? `${totals.tasks_due.toLocaleString("en")} due later` : "no task seen yet",
    totals.tasks_overdue > 0 ? "bad" : "");
  document.title = known(totals.waiting) ? `${totals.waiting} waiting · Live` : "Live";
}

function showContacts(totals) {
  const rows = view.contacts.filter((row) => row.waiting !== "no");
  const waits = (isHere) => rows.filter((row) => row.waiting === "yes" && HERE_NOW.has(row.channel) === isHere)
    .map((row) => now() - Date.parse(row.waiting_since));
  const longest = { true: Math.max(1, ...waits(true)), false: Math.max(1, ...waits(false)) };
  fill(byId("contacts"), rows, (row) => row.contact_id, (row) => {
    const isWaiting = row.waiting === "yes";
    const isLate = isWaiting && known(row.due_at) && Date.parse(row.due_at) < now();
    const lasts = isWaiting ? since(row.waiting_since, row.is_at_least) : "unknown";
    const share = isWaiting ? Math.min(1, Math.max(0.02, (now() - Date.parse(row.waiting_since)) / longest[HERE_NOW.has(row.channel)])) : 0;
    return [
      { main: lasts, kind: `wait${isLate ? " late" : ""}${isWaiting ? "" : " unknown"}`, share: share.toFixed(3),
        title: known(row.waiting_since) ? `since ${clock(row.waiting_since)}` : "no event has told whether the customer waits" },
      { main: channelOf(row), more: joined(inboxOf(row), nowOf(row), isWaiting && known(row.due_at) ? `due ${due(row.due_at)}` : ""), isNarrow: true,
        title: `contact ${row.contact_id}` },
      { main: inboxOf(row) || "unknown", kind: "wide", title: inboxOf(row) },
      { main: nowOf(row), kind: "wide", title: known(row.step_since) ? `${nowOf(row)}, since ${clock(row.step_since)}` : "" },
      { main: isWaiting ? due(row.due_at) : "", kind: `wide due${isLate ? " late" : ""}`, title: known(row.due_at) ? clock(row.due_at) : "" },
    ];
  });
  for (const row of byId("contacts").tBodies[0].rows) row.classList.toggle("late", row.cells[0].classList.contains("late"));
  const answered = known(totals.contacts) ? totals.contacts - totals.waiting - totals.waiting_unknown : 0;
  const nobody = !known(totals.contacts) ? "No contact seen yet." : rows.length ? "" : "Nobody waits, of the contacts that were seen.";
  const more = view.left_out.contacts;
  note("contacts-note", "contacts", rows.length, nobody,
    joined(answered > 0 ? `${counted(answered, "more open contact")} answered or not waiting` : "", more ? `${counted(more, "contact")} not listed` : ""));
}

function showQueues() {
  fill(byId("queues"), view.queues, (row) => JSON.stringify([row.channel, row.inbox_id]), (row) => [
    { main: channelOf(row), more: inboxOf(row) || "unknown inbox", isNarrow: true },
    { main: inboxOf(row) || "unknown", kind: "wide", title: inboxOf(row) },
    { main: row.open.toLocaleString("en"), kind: "open number" },
    { main: row.waiting.toLocaleString("en"), more: row.unknown ? `${row.unknown} unknown` : "", kind: "number" },
    { main: known(row.longest_waiting_since) ? since(row.longest_waiting_since, row.is_at_least) : row.unknown ? "unknown" : "", kind: "longest" },
  ]);
  note("queues-note", "queues", view.queues.length, view.queues.length ? "" : "No open contact seen.",
    view.left_out.queues ? `${view.left_out.queues} more not listed` : "");
}

function showAgents() {
  fill(byId("agents"), view.agents, (row) => row.agent_id, (row) => {
    // What somebody who is away was available for says nothing of now.
    const works = row.state === "available" ? row.available_for.map((work) => WORKS[work] || work).join(", ") : "";
    const state = STATES[row.state] || row.state;
    const load = known(row.contacts) ? counted(row.contacts, "contact") : "";
    return [
      { main: row.name || row.agent_id, more: joined(state, works, row.reason, load), isNarrow: true, dot: row.state,
        title: `agent ${row.agent_id}` },
      { main: state, more: joined(works, row.reason, load), kind: "wide", title: joined(works, row.reason) },
      { main: since(row.since), kind: "since", title: known(row.since) ? `since ${clock(row.since)}` : "" },
    ];
  });
  const rows = byId("agents").tBodies[0].rows;
  view.agents.forEach((row, at) => rows[at].classList.toggle("quiet", row.state === "logged_out" || row.state === "unknown"));
  note("agents-note", "agents", view.agents.length, view.agents.length ? "" : "No agent seen yet.",
    view.left_out.agents ? `${view.left_out.agents} more not listed` : "");
}

function showTasks(totals) {
  fill(byId("tasks"), view.tasks, (row) => row.task_id, (row) => {
    const isLate = Date.parse(row.due_at) < now();
    const who = agentOf(row) || inboxOf(row) || "unknown";
    const where = joined(agentOf(row) ? inboxOf(row) : "", known(row.is_open) ? "" : "perhaps closed");
    return [
      { main: due(row.due_at), kind: isLate ? "late" : "", title: clock(row.due_at) },
      { main: who, more: where, title: joined(agentOf(row), inboxOf(row)) },
      { main: row.task_id, kind: "wide", title: row.task_id },
    ];
  });
  const undated = totals.tasks_undated;
  note("tasks-note", "tasks", view.tasks.length,
    known(totals.tasks_due) ? (view.tasks.length ? "" : "No task with a due date seen.") : "No task seen yet.",
    joined(undated ? `${counted(undated, "task")} without a known due date` : "", view.left_out.tasks ? `${view.left_out.tasks} more not listed` : ""));
}

function showNotes() {
  const lines = [];
  if (known(view.known_since)) {
    lines.push(`Built from events since ${clock(view.known_since)}. What has had no event since then is not shown, so a count is what was seen, and there may be more.`);
  } else {
    lines.push("No event has come yet.");
  }
  for (const [from, to] of view.gaps) {
    lines.push(`Events from ${clock(from)} to ${clock(to)} are missing: what began or ended then may be wrong here.`);
  }
  if (view.silent) lines.push(`${counted(view.silent, "contact")} without any event for a long time not shown; probably ended.`);
  if (view.forgotten) lines.push(`${counted(view.forgotten, "older entry").replace("entrys", "entries")} dropped, because there were too many.`);
  const node = byId("notes");
  if (node.dataset.said === JSON.stringify(lines)) return;
  node.dataset.said = JSON.stringify(lines);
  node.replaceChildren(...lines.map((line) => { const p = document.createElement("p"); say(p, line); return p; }));
}

function show() {
  if (view === null) return;
  showFigures(view.totals);
  showContacts(view.totals);
  showQueues();
  showAgents();
  showTasks(view.totals);
  showNotes();
  say(byId("age"), known(view.last_event_at) ? `last event ${clock(view.last_event_at)}` : "no event yet");
}

function link(state, words) {
  byId("link").dataset.state = state;
  say(byId("link").querySelector("span"), words);
  document.body.classList.toggle("stale", state === "off" && view !== null);
}

function hear(at) {
  heard = Date.now();
  ahead = Date.parse(at) - heard;
  link("on", "connected");
}

function lose() {
  const from = view === null ? "" : `; this is from ${clock(heard + ahead)}`;
  link("off", `no connection${from}. Trying again. If this stays, open the address that bulkgladly printed.`);
}

function listen() {
  if (source) source.close();
  heard = Date.now();
  source = new EventSource(document.body.dataset.events);
  source.addEventListener("view", (event) => {
    view = JSON.parse(event.data);
    show();
  });
  source.addEventListener("still", (event) => hear(JSON.parse(event.data)));
  source.addEventListener("error", () => { lose(); });
}

setInterval(show, 1000);
setInterval(() => {
  // A browser gives up after some answers, and does not notice a connection that died silently.
  if (source.readyState === EventSource.CLOSED || Date.now() - heard > QUIET_MS) { lose(); listen(); }
}, AGAIN_MS);
listen();
