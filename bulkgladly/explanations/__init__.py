"""The story of one record: its row, what it became, what was sent, and what Gladly holds now.

`explain_run` tells it: `explain_target` finds the record in the journal, `explain_story` puts together what is known
(`record_story`), with its row (`explain_row`), where its key and id come from (`explain_identity`), what earlier runs
did (`explain_earlier`), what an undo has taken back (`explain_undone`) and what Gladly holds now (`explain_now`), in
the words of `explain_words`; `explain_lines` makes it fit one screen (`explain_columns`).
`explain_for_programs` has it as a function.
"""
