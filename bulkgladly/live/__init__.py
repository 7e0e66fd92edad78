"""Live state: who is available, who waits and what is due, from events alone, and the page that shows it.

`live_state` folds events. It reads each with `event_fields` into `agent_states`, `open_contacts` and `dated_tasks`,
which `live_facts` holds together; `view_making` makes a `live_view` of them. `live_feed` sends views to browsers,
`live_page` is the page that shows them, and `live_routes` puts both into a server.
"""

__all__: tuple[str, ...] = ()
