"""Events as they come, and what is shown of them.

`live_state` folds events into who is available, who waits and what is due. It reads each event with `event_fields`
into `agent_states`, `open_contacts` and `dated_tasks`, which `live_facts` holds together; `view_making` makes a
`live_view` of them. `live_feed` sends views to browsers, `live_page` is the page that shows them, and `live_routes`
puts both into a server.
"""

__all__: tuple[str, ...] = ()
