"""Whether Gladly still holds an object as imports have left it, by the fingerprints of what was sent last. Pure.

Before a deletion that nobody can take back, an object that holds more or something else is not ours any more: people
have changed it, or have merged another one into it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Any

from bulkgladly.gladly.change import Held
from bulkgladly.gladly.contacts import email_identity
from bulkgladly.gladly.fingerprints import claims_less, held_fingerprints, value_of
from bulkgladly.gladly.identity import digest64, fingerprint

__all__ = ("SentForm", "address_digests", "digests_in_word", "field_not_as_sent")

_MOST_REORDERED = 4
"""Longer lists are only compared in the order in which Gladly shows them."""
_FLAG = "primary"
_DIGITS = 8
"""How many digits at the end of a number are compared, if nobody knows its country."""


@dataclass(frozen=True, slots=True)
class SentForm:
    """In which forms a row may have had what Gladly holds of an object.

    `scalars` are fields with one value. `lists` are contact lists, each with the parts that an entry may have besides
    `original`. `unique` returns what only one object can have, each with its kind in front (`email:...`).
    """

    scalars: Sequence[str]
    lists: Mapping[str, Sequence[str]]
    unique: Callable[[Held], Iterable[str]]


def field_not_as_sent(form: SentForm, held: Held, accepted: Mapping[str, str]) -> str | None:
    """Return the first field that does not hold what was sent last, and nothing else; None if all do.

    `accepted` are the fingerprints of that. A single value that was never sent is anybody's, but an address that was
    never sent may be another person's.
    """
    for name in form.scalars:
        print_ = accepted.get(name)
        if print_ is not None and not claims_less(print_) and print_ not in held_fingerprints(held.get(name)):
            return name
    for name, parts in form.lists.items():
        entries = [one for one in held.get(name) or () if isinstance(one, Mapping)]
        print_ = accepted.get(name)
        if entries and (print_ is None or not _is_list_as_sent(entries, parts, value_of(print_))):
            return name
        if not entries and print_ is not None:
            return name
    return None


def _is_list_as_sent(entries: Sequence[Held], parts: Sequence[str], print_: str) -> bool:
    orders = permutations(entries) if len(entries) <= _MOST_REORDERED else [tuple(entries)]
    return any(fingerprint(form) == print_ for order in orders for form in _forms(order, parts))


def _forms(entries: Sequence[Held], parts: Sequence[str]) -> Iterator[list[dict[str, Any]]]:
    """Yield a list as a row may have had it: with some of the parts that Gladly shows, which may be its own."""
    for number in range(len(parts) + 1):
        for chosen in combinations(parts, number):
            base = [_entry(one, chosen) for one in entries]
            yield base
            # A row says of one entry that it is primary, or says yes or no of each.
            yield [{**kept, _FLAG: True} if one.get(_FLAG) else kept for kept, one in zip(base, entries, strict=True)]
            yield [{**kept, _FLAG: bool(one.get(_FLAG))} for kept, one in zip(base, entries, strict=True)]


def _entry(held: Held, parts: Iterable[str]) -> dict[str, Any]:
    return {name: held[name] for name in ("original", *parts) if held.get(name) not in (None, "")}


# --- the same address, in a row ---


def address_digests(address: str) -> list[int]:
    """Return the hashes under which a row may have an address that `unique` has returned."""
    kind, _, text = address.partition(":")
    return [digest64(kind, text), *(_digits_in(text) if kind == "phone" else ())]


def digests_in_word(word: str) -> list[int]:
    """Return the hashes of the address that a word of a row may be, whatever else is wrong with the row."""
    return [digest64("email", email_identity({"original": word}))] if "@" in word else _digits_in(word)


def _digits_in(text: str) -> list[int]:
    digits = "".join(one for one in text if one.isdecimal())
    return [digest64("digits", digits[-_DIGITS:])] if len(digits) >= _DIGITS else []
