"""The form of requests and replies: what every operation is given, and what it gives back."""
