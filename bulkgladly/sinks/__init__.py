"""Passing events on: each sink gets every event at least once and in order, and slows nobody.

`sink_choice` makes a sink of a `--to` (`stream_sink`, `exec_sink`, `https_sink` with `signatures`), and `sinks` says
what each promises. A `sink_loop` feeds one: `settling` puts the events in order, `outgoing` makes the lines,
`object_fetch` adds objects, `sink_schedule` says when to try again, `stoppable_calls` are what a stop cuts off, and
`dead_letters` keeps what was never taken. `replay` passes events on once more.
"""

__all__: tuple[str, ...] = ()
