"""Inputs looked at offline: screens, the judge, what is found, and what must be unique in the whole input."""
