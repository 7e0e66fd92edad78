"""Tables and pages that are made from a data set, with no request: what `dataset build` writes.

`run_build` makes one of the tables, whose columns stand in `build_columns`. Each table is an iterator of rows in
their final order: `conversation_rows` (with `conversation_parts` for one conversation), `agent_intervals` and
`contact_lifecycles`, for which `event_gaps` says where events are missing. `sorted_rows` sorts on the disk what does
not fit into memory, and `built_names` has the names of agents, inboxes and topics. `conversation_pages` writes a page
for each conversation, and `missing_sets` says what would fill the columns that are null.
"""
