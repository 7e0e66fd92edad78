"""What the emulated organization holds: its objects, ids, addresses, export jobs and events, and the clock."""
