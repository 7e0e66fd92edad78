"""Which source key is which id in Gladly: written to files, read from them, and kept up with merges.

`crosswalk_export` writes it to files and `crosswalk_import` reads it from them; `crosswalk_repair` is a run that
follows merges of customers, and `crosswalk_findings` reads what it found.
"""
