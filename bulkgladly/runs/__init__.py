"""The life of a run, whatever it moves: begun, worked on, stopped, ended, told. Imports and exports are work for it.

`session` is the engine, and says what a work must offer. A run begins in `beginning`, keeps its `options`, talks to
Gladly through its `connection`, works in `stages`, tells an `observer`, and ends with a `summary`. `quiet_notes` tell
what happens again and again only when it is news, and `when_writable` waits while the disk is full. `shared_replies`
keeps responses that are about many items. What comes from
outside, such as clock and chance, is its `environment`. `diagnosis` checks what a run needs without making one.

A `recorder` makes the samples of a session, from which the page of its run is drawn.

A person steers a run from another process: `steer_run` gives the order, and the session's `steering` obeys it, and the
rates of a schedule. `finish_by` says whether a run is done in time.
"""
