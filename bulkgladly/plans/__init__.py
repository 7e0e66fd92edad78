"""Know before: what an import would do, as a plan that a person signs, and the apply that does exactly that.

`make_plan` makes a plan without a request, and `plan_run` with requests that read, priced by `plan_reads`.
`plan_records` plans each record as one of the `planned_changes`, with what `plan_costs` says it takes; `plan_log` takes
each row to its end. From that journal `plan_files` writes the folder (`plan_folder`), counted by `plan_totals`, with
the page of `plan_page`.
`plan_options` has the options.

To apply a plan, `apply_plan` starts an import with the steps of `apply_steps`, once `apply_checks` has found that the
plan still fits. `start_plans` has both as functions for programs.
"""
