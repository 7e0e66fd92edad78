"""Pure: what becomes of two customers, and of their open conversations, when they are merged."""

from collections.abc import Mapping
from typing import Any

__all__ = ("united_conversation", "united_profile")


def united_profile(loser: Mapping[str, Any], winner: Mapping[str, Any]) -> dict[str, Any]:
    """The winner with the addresses, fields and attributes of the loser that it lacks."""
    united = {**loser, **winner}
    for name in ("emails", "phones"):
        kept = winner.get(name, [])
        known = {entry["normalized"] for entry in kept}
        # A second primary address would break the rule of at most one.
        gained = [{**e, "primary": False} for e in loser.get(name, []) if e["normalized"] not in known]
        if kept or gained:
            united[name] = [*kept, *gained]
    attributes = {**loser.get("customAttributes", {}), **winner.get("customAttributes", {})}
    if attributes:
        united["customAttributes"] = attributes
    return united


def united_conversation(source: Mapping[str, Any], destination: Mapping[str, Any]) -> dict[str, Any]:
    """The destination with the topics of both."""
    united = dict(destination)
    for name in ("topicIds", "customAttributes"):
        kept = destination.get(name, [])
        gained = [entry for entry in source.get(name, []) if entry not in kept]
        if gained:
            united[name] = [*kept, *gained]
    return united
