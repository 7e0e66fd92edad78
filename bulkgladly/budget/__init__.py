"""An organisation's budget, shared by all processes of a user on this machine, with nothing to set up.

`machine_budget` is what a run uses, with a `budget_line` for each class of requests. It asks in a thread of its own,
so that no disk delays the requests. `presence` tells who else is there, by locks that end with their process. The
`reservations` are in one SQLite file (`budget_database`), and `budget_files` says where it is and what its times mean.
"""
