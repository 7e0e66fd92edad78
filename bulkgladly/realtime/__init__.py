"""Events as they happen: received into the inbox, landed in the data set, passed on to sinks and rules.

`run_realtime` is the service, and `realtime_options` has what a user decides. Events come in by the `feed`, which
`fill_loop` reads by the `server_clock`. `retention` drops what was used, `progress_lines` tells people. `following` is
the iterator for Python.

`landing` brings events into the data set: `one_landing` is one pass of it, and `landed_units` says what its units
hold. `job_dumps` fetches export jobs as soon as they are completed.

`live_state` folds events into who is available, who waits and what is due. It reads each event with `event_fields`
into `agent_states`, `open_contacts` and `dated_tasks`, which `live_facts` holds together; `view_making` makes a
`live_view` of them. `live_feed` sends views to browsers, `live_page` is the page that shows them, and `live_routes`
puts both into a server.

Passed on: `sink_choice` makes a sink of a `--to` (`stream_sink`, `exec_sink`, `https_sink` with `signatures`), `sinks`
says what each promises, and a `sink_loop` feeds one: `settling` puts the events in order, `outgoing` makes the lines,
`object_fetch` adds objects, `sink_schedule` says when to try again, `dead_letters` keeps what was never taken. `replay`
passes events on once more.
"""

__all__: tuple[str, ...] = ()
