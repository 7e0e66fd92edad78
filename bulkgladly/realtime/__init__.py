"""Events as they happen: received into the inbox, landed in the data set, passed on to sinks and rules.

`realtime_options` has what a user decides.
"""

__all__: tuple[str, ...] = ()
