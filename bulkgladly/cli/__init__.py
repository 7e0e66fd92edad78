"""Arguments in, exit code out.

`app` has the commands and what each does with an error: `import_command`, `plan_command`, `export_command`,
`check_command`, `map_command` (and `preset_command`), `migrate_command`, `resume_command`, `runs_command`,
`dataset_command` (with `dataset_tables`, `build_command`, `load_command`, `mirror_command` and `old_data`),
`inbox_command`, `rules_command`, `schema_command`, `init_command`, `follow_command`, `listen_command` and
`program_commands`. `verify_command` proves what Gladly holds, `explain_command` tells the story of a record,
`undo_command` takes a run back, and `crosswalk_command` exports, imports and repairs which key is which id.

Options are declared once: single ones in `flags`, groups in `flag_groups`, `row_flags`, `lake_flags`,
`realtime_flags` and `notice_flags`, and what names a run in `run_arguments`. `values` reads their texts,
`number_flags` those that are numbers, `completions` proposes them to a shell, which `shell_setup` talks to, and
`configuration` reads the settings file. `help_pages`, `first_options` and `examples` make the help.

All text leaves through `output` and `display`, on `streams` that never fail. `terminal_lines` wraps and colours what a
terminal gets. `preview_lines` has the lines of sample rows. How far a run is stands in `progress_words`, in
`clock_words` for times of day, and as a live view in `run_panel`. `live_command` shows live state, which
`live_display` makes tables of, in the words of `live_words`. `realtime_output` runs the service that receives events,
and tells how it ended.

`open_command` shows the page of a run, and `runs_steering` has the commands that steer a run in another terminal.
"""
