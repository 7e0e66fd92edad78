"""Events on their way to the URLs of webhooks."""
