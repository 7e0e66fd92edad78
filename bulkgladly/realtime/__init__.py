"""The service that receives events: everything around one inbox, and how events get into it and into data sets.

`run_realtime` is the service, which `service_parts` puts together, and `realtime_options` has what a user decides.
Events come in by the `feed`, which `fill_loop` reads by the `server_clock`. `retention` drops what was used,
`progress_lines` tells people. `following` is the iterator for Python.

`landing` brings events into the data set: `one_landing` is one pass of it, and `landed_units` says what its units
hold. `job_dumps` fetches export jobs as soon as they are completed. Live state gets its events from `live_events`
within the service, and from `live_source` without.
"""

__all__: tuple[str, ...] = ()
