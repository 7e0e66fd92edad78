"""Migrations in several steps, as a project file describes them: checked, rehearsed and run as a whole.

`project_file` reads the file, with the options of its steps (`step_settings`); `planned_steps` opens their inputs and
mappings. `run_project` runs them one after the other, each as a run of its own, and `project_record` keeps which run
belongs to which step. `step_report` says how a step stands, `project_status` how all of them do, `project_report`
shows it. `rehearse_project` runs a project in an emulator.

`check_project` looks at every row of every step offline. `source_coverage` says what becomes of each column of the
inputs, by what the steps read (`step_reads`), and `coverage_page` writes it for people to sign.
"""
