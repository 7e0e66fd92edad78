"""Files into Gladly: rows into records, each brought to its end, and the run around it."""
