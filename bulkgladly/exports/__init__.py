"""From Gladly into a data set: what to fetch, unit by unit, and the run around it.

`run_export` begins or resumes a run with `export_options`. `export_work` is what the engine drives, and `unit_kinds`
the nouns it works with: kinds, which know what there is to fetch, and units, which fetch it in an `export_context`.

The kinds: `job_files` (with `first_lines`), `lists`, `event_windows`, reports (`report_plan`, `report_units`,
`report_fetch`), `per_parent` and `media_downloads`. The last two request one key at a time: `parents` says which,
`worklist` what is still to be requested, and the `reply_buffer` publishes many replies at once.

At the end `export_summary` adds up what the journal has, and `export_page` says it to people.
"""
