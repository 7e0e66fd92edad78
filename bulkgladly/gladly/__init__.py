"""What Gladly looks like, as data and pure functions: no `await`, nothing opened."""
