"""The page of a run, `report.html`: one file without scripts, made from what the run's folder holds.

`run_page` makes it. `run_facts` reads the folder; `page_view` says what the page tells, with `page_head` for its top,
`outcome_words` for what became of the rows and `pace_plot` for the picture, which has `plot_shapes` and `plot_marks` on
a `time_axis`; `page_template` makes HTML of it. Nothing here draws with a library of charts: their text shrinks with
the picture on a phone, and one of 600 points is 190 kB.
"""
