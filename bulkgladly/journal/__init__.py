"""What is settled: one SQLite file per run, one state file that outlives runs, and the result files.

A run has a folder (`run_folder`) with a header (`run_header`); `runs` finds those of a state directory. What is settled
goes through the one `writer`. `row_journal` is what all runs over rows keep: from its `positions` a resume knows where
to begin. The `ledger` keeps the outcomes of records (`entries` are what it is told, `record_tables` and
`row_claims` what it writes),
`verdicts` what a verification has seen, `units` how the units of an export ended.

`run_writes` reads what a run has changed, with what Gladly held before, and which requests each record took;
`record_lookup` finds single records; `run_outcomes` reads, for a verification, what became of the rows. `turns`
say in which order runs have worked, whatever the clock says, and `undone_runs` what undos have taken back of one.

The `state` outlives runs, and `state_reader` reads it without one; `organisations` keeps there which organisation a
host is, and the `crosswalk` in it is read whole, taken in and repaired. `databases` opens the SQLite files, whose
tables are in `schema`.

At the end of an import `results` writes its files from the journal, `reject_groups` counts why rows did not arrive, and
`reject_memory` keeps in the state which rows were rejected, so that the next run knows its new rejects; `missing` tells
what a complete input no longer has, and `owning_rows` which of its rows has an address.

The `timeline` says how a run went: a bounded number of samples, for its page.

`steering_files` hold what a person orders a run to do from another process, and what the run obeys.
"""
