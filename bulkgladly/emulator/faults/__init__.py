"""Scripted faults: what can go wrong with a request, and at which request it does."""
