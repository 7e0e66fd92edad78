"""Know before, prove after, take back: verbs over the changes of an import.

Which source key is which id in Gladly is written to files by `crosswalk_export` and read from them by
`crosswalk_import`; `crosswalk_repair` is a run that follows merges of customers.
"""
