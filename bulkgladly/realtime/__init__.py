"""Events as they happen: received into the inbox, landed in the data set, passed on to sinks and rules.

`run_realtime` is the service, which `service_parts` puts together, and `realtime_options` has what a user decides.
Events come in by the `feed`, which `fill_loop` reads by the `server_clock`. `retention` drops what was used,
`progress_lines` tells people. `following` is the iterator for Python.

`webhook_server` receives what Gladly sends, with `http_connections`, `delivery_bodies`, `listen_secrets`,
`listen_address`, `rare_notes` and `server_health`. `registration` tells Gladly where to send it, `healing` enables it
again, and `known_webhook` is what is kept of it.

`landing` brings events into the data set: `one_landing` is one pass of it, and `landed_units` says what its units
hold. `job_dumps` fetches export jobs as soon as they are completed.

`live_state` folds events into who is available, who waits and what is due. It reads each event with `event_fields`
into `agent_states`, `open_contacts` and `dated_tasks`, which `live_facts` holds together; `view_making` makes a
`live_view` of them. `live_feed` sends views to browsers, `live_page` is the page that shows them, and `live_routes`
puts both into a server. Events come to it from `live_events` within the service, and from `live_source` without.

Passed on: `sink_choice` makes a sink of a `--to` (`stream_sink`, `exec_sink`, `https_sink` with `signatures`), `sinks`
says what each promises, and a `sink_loop` feeds one: `settling` puts the events in order, `outgoing` makes the lines,
`object_fetch` adds objects, `sink_schedule` says when to try again, `dead_letters` keeps what was never taken. `replay`
passes events on once more.

Rules: `rule_file` reads `rules.toml` (`rule_actions_file` what a rule does) into `event_rule`, with `event_expressions`
in it. `rule_matching` finds the rules that an event concerns, `rule_engine` decides what fires, `rule_performing` does
it, and `rule_runner` runs the three beside each other, with their memory in `rule_store`. `rule_ports` gives them the
sinks and the objects of events. `rule_trial` tries rules out on recorded events.
"""

__all__: tuple[str, ...] = ()
