"""Events as they happen: received into the inbox, landed in the data set, passed on to sinks and rules.

`realtime_options` has what a user decides.

Passed on: `sink_choice` makes a sink of a `--to` (`stream_sink`, `exec_sink`, `https_sink` with `signatures`), `sinks`
says what each promises, and a `sink_loop` feeds one: `settling` puts the events in order, `outgoing` makes the lines,
`object_fetch` adds objects, `sink_schedule` says when to try again, `dead_letters` keeps what was never taken. `replay`
passes events on once more.
"""

__all__: tuple[str, ...] = ()
