"""An organisation's budget, shared by all processes of a user on this machine, with nothing to set up.

`machine_budget` is what a run uses: it asks in a thread of its own, so that no disk delays the requests. `presence`
tells who else is there, by locks that end with their process. The `reservations` are one SQLite file, and
`budget_files` says where it is and what its times mean.
"""
