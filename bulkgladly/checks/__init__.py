"""Checking inputs offline: screens, the judge, the findings, and what must be unique in the whole input.

`run_check` opens what a check needs, and `row_checker` reads the input in two passes (`two_pass`). In the first, a
screen (`customer_screen`, `field_screen`) clears most rows and `judge` looks at the rest; `value_screen` notes what
spreadsheets leave in values, and `date_screen` dates that can be read in two ways; `claims` and `digests` keep what
must be unique and what is referred to, `key_spellings` which keys are nearly the same, `known_parents` what exists,
and `planned_keys` what an earlier import will create. In the second pass the rows that may clash are compared.
`check_report` has the findings. `map_check` tries a mapping on samples.
"""
