"""What is settled: one SQLite file per run, one state file that outlives runs, and the result files.

A run has a folder (`run_folder`) with a header (`run_header`); `runs` finds those of a state directory. What is settled
goes through the one `writer`: the outcomes of records by the `ledger` (`entries` are what it is told, `positions` and
`record_tables` what it keeps), the results of units by `units`. The `state` outlives runs, and `state_reader` reads it
without one; `organisations` keeps there which organisation a host is. `databases` opens the SQLite files, whose tables
are in `schema`. At the end of an import `results` writes its files from the journal, `reject_groups` counts why rows
did not arrive, and `reject_memory` keeps in the state which rows were rejected, so that the next run knows its new
rejects; `missing` tells what a complete input no longer has.
"""
