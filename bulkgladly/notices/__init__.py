"""Calls for help: what is told to other machines and programs when a command begins, while it works, and at its end.

The command line makes one `night_watch` for a command that runs unattended, whatever the command does. It sends the
`ping`, runs the `finish_command`, sends `chat_notices`, and keeps `run_metrics`, which `metric_outlets` write to a file
or serve. `notice_options` has what a user decides, and `call_end` how the command ended, in words without values.

Nothing here changes how a command ends, and nothing here raises: what cannot be told elsewhere is told in one line.
"""

__all__: tuple[str, ...] = ()
