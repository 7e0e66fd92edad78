"""Checking inputs offline: screens, the judge, the findings, and what must be unique in the whole input."""
