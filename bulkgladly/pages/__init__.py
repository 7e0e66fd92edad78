"""The page of a run, `report.html`: one file without scripts, made from what the run's folder holds."""
