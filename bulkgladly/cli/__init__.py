"""Arguments in, exit code out.

`app` has the commands and what each does with an error: `import_command`, `export_command`, `check_command`,
`map_command`, `resume_command`, `runs_command`, `dataset_command`, `inbox_command`, `rules_command`, `schema_command`,
`init_command`, `follow_command`, `listen_command` and `program_commands`.

Options are declared once: single ones in `flags`, groups in `flag_groups`, `row_flags`, `lake_flags` and
`realtime_flags`; `values` reads their texts, `configuration` the settings file. `help_pages` and `examples` make the
help.

All text leaves through `output` and `display`, on `streams` that never fail; `preview_lines` has the lines of sample
rows. `live_command` shows live state, which `live_display` makes tables of, in the words of `live_words`.
`realtime_output` runs the service that receives events, and tells how it ended.
"""
