"""From Gladly into a data set: what to fetch, unit by unit, and the run around it.

`run_export` begins or resumes a run with `export_options`, whose words `chosen_kinds` turns into kinds. `export_work`
is what the engine drives, and `unit_kinds` the nouns it works with: kinds, which know what there is to fetch, and
units, which fetch it in an `export_context`.

The kinds: `job_files` (with `first_lines`), `lists`, `event_windows`, reports (`report_plan`, `report_units`,
`report_fetch`), `per_parent` and `media_downloads`. The last two request one key at a time: `parents` says which,
`worklist` what is still to be requested, and the `reply_buffer` publishes many replies at once.

Before the first request `price` says what it takes. At the end `maintenance` removes what is old and compacts the data
set, `export_summary` adds up what the journal has, and `export_page` says it to people.
"""
