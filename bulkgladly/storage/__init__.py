"""The disk: files that are whole or absent, locks between processes, and what errors of the disk mean."""
