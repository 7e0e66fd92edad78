"""Invented data that an organization starts with."""
