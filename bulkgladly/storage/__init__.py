"""The disk: files that are whole or absent, locks between processes, and what errors of the disk mean.

`durable` writes files, `lock` keeps other processes out, `write_ahead` lets others read an
SQLite file beside its writer, and `failures` says what an error of the system or of SQLite means for a run.
"""
