"""Which source key is which id in Gladly: written to files, read from them, and kept up with merges.

`crosswalk_export` writes it to files and `crosswalk_import` reads it from them; `crosswalk_repair` is a run that
follows merges of customers, with its work in `repair_work` and its options and report in `repair_report`;
`crosswalk_findings` reads what it found.
"""
