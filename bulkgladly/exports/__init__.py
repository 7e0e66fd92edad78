"""From Gladly into a data set: what to fetch, unit by unit, and the run around it."""
