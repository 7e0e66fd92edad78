"""Know before, prove after, take back: verbs over the changes of an import.

`explain_run` tells what became of one record: `explain_target` finds it in the journal, `explain_story` puts together
what is known, with its row (`explain_row`), what earlier runs did (`explain_earlier`) and what Gladly holds now
(`explain_now`), in the words of `explain_words`; `explain_lines` makes it fit one screen.

Which source key is which id in Gladly is written to files by `crosswalk_export` and read from them by
`crosswalk_import`; `crosswalk_repair` is a run that follows merges of customers, and `crosswalk_findings` reads what
it found.
"""
