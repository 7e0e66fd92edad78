"""What Gladly looks like, as data and pure functions: nothing is awaited or opened.

What is declared of an object: `fields`, `data_sets`, `exports`, `metric_sets`, `endpoints`, `rules`, and the `spec`
that holds them together. Each object does so in its own module in `objects`; `table` collects them.

How a row becomes a draft: `reading` and `preparation`, `contacts` (by the `numbering_plans` of the countries) and
`customer_rows` (with `plain_profiles`) for customers, `identity` for its id, `fingerprints` for what is remembered of
it, `directory` for the names in it. `phone_regions` guesses the country of local numbers.

How a record gets its outcome: `change` is the value, `decisions` make it, by the `owners` of fields, `upserts` and
`once_steps` look and write, `conflicts` decides about values that another object holds, `outcomes` has the words.
`earlier_attempts` tells what a killed process has done. `reversal` says how a record is taken back. How it is found
out later whether Gladly holds what a row says: `proofs`, and before a deletion whether it is `left_as_sent`.
`baseline_plan` says how a data set can stand in for a look. For a plan, `foresight` finds out by reading what a change
would come to.

How a report is requested: `report_queries`, `report_windows`. What every event has: `event_envelopes`, and which
object it is about: `event_objects`. How webhooks are requested outside of an import: `webhook_requests`.
"""
