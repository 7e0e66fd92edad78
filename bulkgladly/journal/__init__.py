"""What is settled: one SQLite file per run, one state file that outlives runs, and the result files."""
