"""Files into Gladly: rows into records, each brought to its end, and the run around it.

`run_import` begins or resumes a run with `import_options`, the files (`import_inputs`) and the mapping
(`mapping_choice`, `mapping_fit`, and `lookup_tables` for what it looks up), unless `other_runs` of the same input are
not finished; `shared_keys` warns of mappings that give the same keys. `retry_import` begins a run with the rejects of
another. `import_work` is what the engine drives, and `import_records` the way of each record: read (`drafts`,
`row_names`), put in order (`ordering`), sent (`delivery`) by its steps (`step_choice`), and its outcome recorded
(`settlement`).
`dry_run` reads as an import does and sends nothing, and `forecast` says what rows would take, by what earlier runs have
sent; a `rehearsal` sends to an emulator. `single_rows` sends rows that come one at a time, without a run.
`dropped_values` says what a record is sent without, `overwriting` what is overwritten and cannot be taken back, and
`preview` shows rows beside the records that they make. `baseline` says what a data set has of rows that no earlier run
has sent, and `baseline_findings` what that was worth; the published rows (`baseline_rows`) are read into an index on
disk (`baseline_index`), and `baseline_changes` knows of which it says no more what Gladly holds.

At the end `import_summary` accounts for every row, with the `run_findings` in the journal; `import_page` says so to
people, in the words of `reject_reasons`, and `next_steps` says what to run next. `result_tables` writes what people
read after a run, `missing_keys` what a complete input no longer has, and `missing_deletion` deletes it in a run of its
own, unless the `deletion_guard` keeps it. `fixes` has what to do about each kind of reject, and `retry_rows` which of
them a repeat can help.

`canary` stops an import after its first records, for a person to look at them, and `undone_imports` refuses to continue
one that was taken back.
"""
