"""Know before, prove after, take back: verbs over the changes of an import.

A plan: `make_plan` makes one without a request, and `plan_run` with requests that read. `plan_records` plans each
record as one of the `planned_changes`, with what `plan_costs` says it takes; `plan_log` takes each row to its end. From
that journal `plan_files` writes the folder (`plan_folder`), counted by `plan_totals`, with the page of `plan_page`.
`plan_options` has the options. To apply one, `apply_plan` starts an import with the steps of `apply_steps`, once
`apply_checks` has found that the plan still fits.
"""
