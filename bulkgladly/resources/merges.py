"""How far merged customers are followed. Facts: gladly-api, README, "Merged customers"."""

__all__ = ("MAX_MERGES",)

MAX_MERGES = 5
"""How many merges are followed; whether `meta.new` names the last profile of a chain is UNKNOWN."""
