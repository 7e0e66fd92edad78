"""From the user's columns to Gladly's fields: mapping files, their operations, and their tests.

A mapping file is read and checked by `mapping` (with `tables` and `field_rules`), and applied to a row by the `mapper`:
`row_values` finds what a field is made from, `value_operations` change it (`dates`, `html`, `lengths`). A user's own
function is called by `transform`. `check` compares what a mapping makes of rows with what was expected.

`draft` proposes a mapping for files. What their columns hold: `column_profiles` (with `column_shapes`), and by values
`date_evidence`, `number_evidence` and `placeholders`. What each could fill: `draft_targets` has the fields with their
usual names, `draft_keys` finds what identifies a row, `draft_contacts` the parts of a person, `draft_fields` all other
fields, `draft_attributes` what is left, and `draft_lists` what becomes several records. `draft_lines` writes it.
"""
