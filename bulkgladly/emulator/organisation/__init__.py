"""What the emulated organisation holds: its objects, ids, addresses, export jobs and events, and the clock."""
