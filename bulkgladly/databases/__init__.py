"""Filling a database from a data set, exactly once.

Begin at `load_data`, which is what `dataset load` calls. It opens the database that a URL names (`database_url`,
`sql_database`; one module each for `postgresql_database`, `duckdb_database` and `sqlite_database`), compares what is
published with what is there (`loaded_units`, `published_state`), gives each data set its table (`loaded_tables`), and
writes what differs, one transaction each (`load_units`, `load_current`). `loaded_views` shows the newest rows.
"""

__all__: tuple[str, ...] = ()
