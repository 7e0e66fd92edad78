"""Take back: what a run has changed in Gladly goes back to what it was, and what people did since stays.

`run_undo` is an undo as a run, with the options in `undo_options`. `undo_plan` makes the plan (`planned_objects`) from
the journals, with what `later_writes` finds in other runs, and `undo_work` carries it out. What becomes of one object
is pure: `undo_images` says what the run did to it, `undo_decision` what is to be done, and `undo_steps` in which
requests. `undo_page` has the words, `undo_summary` the report.
"""
