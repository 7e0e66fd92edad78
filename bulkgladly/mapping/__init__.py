"""From the user's columns to Gladly's fields: mapping files, their operations, and their tests.

A mapping file is read and checked by `mapping` (with `tables` and `field_rules`), and applied to a row by the `mapper`:
`row_values` finds what a field is made from, `value_operations` change it (`dates`, `html`, `lengths`). A user's own
function is called by `transform`. `draft` proposes a mapping for files (with `column_shapes`), `check` compares what
one makes of rows with what was expected. `read_paths` says which values a path looks at.
"""
