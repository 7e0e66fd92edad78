"""Events as they happen: received into the inbox, landed in the data set, passed on to sinks and rules.

`realtime_options` has what a user decides. `landing` brings events into the data set: `one_landing` is one pass of
it, and `landed_units` says what its units hold. `job_dumps` fetches export jobs as soon as they are completed.
"""

__all__: tuple[str, ...] = ()
