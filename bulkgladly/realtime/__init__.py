"""Events as they happen: received into the inbox, landed in the data set, passed on to sinks and rules.

`run_realtime` is the service, and `realtime_options` has what a user decides. Events come in by the `feed`, which
`fill_loop` reads by the `server_clock`. `retention` drops what was used, `progress_lines` tells people. `following` is
the iterator for Python.
"""

__all__: tuple[str, ...] = ()
