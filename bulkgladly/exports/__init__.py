"""Gladly into a data set: what there is to fetch, unit by unit, and the run around it."""
