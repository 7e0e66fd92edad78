"""Automated workflows: rules that say what is done on which events.

`rule_file` reads `rules.toml` (`rule_actions_file` what a rule does) into `event_rule`, with `event_expressions` in it.
`rule_matching` finds the rules that an event concerns, `rule_engine` decides what fires, `rule_performing` does it, and
`rule_runner` runs the three beside each other, with their memory in `rule_store`. `rule_ports` gives them the sinks,
the objects of events, and the time. `rule_trial` tries rules out on recorded events.
"""

__all__: tuple[str, ...] = ()
