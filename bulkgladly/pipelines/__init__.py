"""Where the doors meet: one module tells one direction's whole story."""
