"""Know before, prove after, take back: verbs over the changes of an import.

A plan: `make_plan` makes one without a request, and `plan_run` with requests that read. `plan_records` plans each
record as one of the `planned_changes`, with what `plan_costs` says it takes; `plan_log` takes each row to its end. From
that journal `plan_files` writes the folder (`plan_folder`), counted by `plan_totals`, with the page of `plan_page`.
`plan_options` has the options. To apply one, `apply_plan` starts an import with the steps of `apply_steps`, once
`apply_checks` has found that the plan still fits.

Taking back: `run_undo` is an undo as a run, with the options in `undo_options`. `undo_plan` makes the plan
(`planned_objects`) from the journals, with what `later_writes` finds in other runs, and `undo_work` carries it out.
What becomes of one object is pure: `undo_images` says what the run did to it, `undo_decision` what is to be done, and
`undo_steps` in which requests. `undo_page` has the words, `undo_summary` the report.

`explain_run` tells what became of one record: `explain_target` finds it in the journal, `explain_story` puts together
what is known, with its row (`explain_row`), what earlier runs did (`explain_earlier`), what an undo has taken back
(`explain_undone`) and what Gladly holds now (`explain_now`), in the words of `explain_words`; `explain_lines` makes it
fit one screen.

Which source key is which id in Gladly is written to files by `crosswalk_export` and read from them by
`crosswalk_import`; `crosswalk_repair` is a run that follows merges of customers, and `crosswalk_findings` reads what
it found.

`verify_run` compares Gladly with an earlier run, a plan or files (`verify_options`): a run whose work is `verify_work`.
`verify_rows` reads the rows as an import would, `verify_sample` chooses among them, `verify_requests` looks, and
`verify_compare` makes the verdict. At the end `verify_summary` has the report, `verify_table` writes `verify.parquet`,
and `verify_page` says it to people; `verify_forget` lets the next import write what differs.

`start_verbs` has plan, apply, verify and explain as functions for programs.
"""
