"""The inbox: events that have come in, each once and on the disk before anybody is told so, until all have used them.

One SQLite file for one organisation. `event_inbox` is the file with its one writer; `arrivals` are what it is given,
`stored_events` what it gives back, also to other processes; `inbox_tables` creates it. `sink_progress` is what has left
it for each sink, `upkeep` is what a person does with it. `rule_memory` is what the rules remember: timers, counts, and
what is to be done.
"""

__all__: tuple[str, ...] = ()
