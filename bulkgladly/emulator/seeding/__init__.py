"""Invented data that an organisation starts with."""
