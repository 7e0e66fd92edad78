"""From the user's columns to Gladly's fields: mapping files, their operations, and their tests.

A mapping file is read and checked by `mapping` (table by table, with `tables`), and applied to a row by the `mapper`.
What it defines for all of its fields is in `definitions` (`variables`, `lookups`). Each field has a rule
(`field_rules`, `key_rules`): where its value comes from (`field_sources`, `row_values`, `templates`), which operations
change it (`value_operations`, `dates` with `date_periods`, `numbers`, `html`), what becomes of a list (`list_values`),
and how long it may be (`field_lengths`, `lengths`). A user's own function is called by `transform`. `check` compares
what a mapping makes of rows with what was expected.

`draft` proposes a mapping for files. What their columns hold: `column_profiles` (with `column_shapes`), and by values
`date_evidence` and `number_evidence`. What each could fill: `draft_targets` has the fields with their
usual names, `draft_keys` finds what identifies a row, `draft_contacts` the parts of a person, `draft_fields` all other
fields, `draft_attributes` what is left, and `draft_lists` what becomes several records. `draft_lines` writes it.

`read_paths` says which values a path looks at, and `watched_rows` which ones a function does.
"""
