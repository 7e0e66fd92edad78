"""What other rows need to know of a good row: what it claims, what it refers to, and its place in the order. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bulkgladly.gladly.fields import Kind, Link
from bulkgladly.gladly.identity import digest64
from bulkgladly.gladly.spec import Draft, ImportSpec, Screening
from bulkgladly.records import Claim, Problem

__all__ = (
    "CONTENT_KEY",
    "RowReference",
    "Traits",
    "arranged",
    "traits_of",
    "traits_of_payload",
)

CONTENT_KEY = "content:"
"""The prefix of the key of a record that is identified by its content alone."""


class RowReference(NamedTuple):
    """An object that a row refers to, by id or by source key; `former` is another spelling of the key in the file."""

    resource: str
    text: str
    is_key: bool
    attr: str
    former: str | None = None


class Traits(NamedTuple):
    """What a row has in common with rows that it may clash with, and what it refers to.

    `marks` are hashes: two rows that clash share one, and few other rows do. `names` are names of
    inboxes, agents, topics and the like, as (kind, name).
    """

    marks: tuple[int, ...]
    references: tuple[RowReference, ...] = ()
    names: tuple[tuple[str, str], ...] = ()


def traits_of(spec: ImportSpec, record: Draft) -> Traits:
    """Return the traits of a record."""
    traits = traits_of_payload(spec, record.payload, record.claims, record.links)
    return traits._replace(marks=(*traits.marks, *customer_mark(spec, record.key, record.payload)))


def customer_mark(spec: ImportSpec, key: str, payload: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the mark that stands in for the key of a customer without a key.

    Its key would be a hash of the content, and hashing it takes longer than all the rest of a
    check. Customers with equal content have the same first address, and an email is a mark already.
    """
    if spec.screening is not Screening.CONTACTS or not key.startswith(CONTENT_KEY) or payload.get("emails"):
        return ()
    phones = payload.get("phones")
    address = phones[0]["original"] if phones else payload.get("externalCustomerId")
    return (digest64("content", str(address)),)


def traits_of_payload(
    spec: ImportSpec, payload: Mapping[str, Any], claims: tuple[Claim, ...], links: tuple[Link, ...]
) -> Traits:
    """Return the traits of a payload with its claims, and the names and keys in it that are not ids yet."""
    marks = tuple([claim.digest for claim in claims])
    places = _id_places(spec)
    if not places and not links:
        return Traits(marks)
    if not links:  # the usual case, without the lists and sets that names and keys need
        return Traits(
            marks,
            tuple([RowReference(kind, payload[place], False, place) for place, kind in places if payload.get(place)]),
        )
    references = [RowReference(link.kind, link.text, True, link.attr, link.former) for link in links if link.is_key]
    # A place that a name or key is going to fill must not count as an id as well.
    named = {link.place for link in links}
    references += [
        RowReference(kind, payload[place], False, place)
        for place, kind in places
        if payload.get(place) and place not in named
    ]
    return Traits(marks, tuple(references), tuple([(link.kind, link.text) for link in links if not link.is_key]))


def _id_places(spec: ImportSpec) -> tuple[tuple[str, str], ...]:
    """Return the fields with the id of an object that another field may name by source key, each with the object."""
    found = _places.get(spec.name)
    if found is None:
        by_key = {field.place: field.key_of for field in spec.fields if field.key_of is not None}
        found = _places[spec.name] = tuple(
            (field.place, by_key[field.place])
            for field in spec.fields
            if field.kind is Kind.ID and field.place in by_key
        )
    return found


# By object. It is needed for every row, and looking through all fields each time would be slow.
_places: dict[str, tuple[tuple[str, str], ...]] = {}


def arranged(spec: ImportSpec, records: Sequence[Draft]) -> tuple[list[Draft], list[tuple[Draft, Problem]]]:
    """Return the records in the order of an import, and those that refer to each other in a circle."""
    if spec.arrange is None:
        return list(records), []
    good: list[Draft] = []
    circular: list[tuple[Draft, Problem]] = []
    keys = {record.key for record in records}
    done: set[str] = set()
    for record in spec.arrange(records):
        own = [link for link in record.links if link.is_key and link.kind == spec.name]
        ahead = next((link for link in own if link.text in keys and link.text not in done), None)
        if ahead is not None:
            detail = (
                f"{ahead.attr}: this row and the rows it refers to form a circle, so none of them can be created first"
            )
            circular.append((record, Problem("unknown_key", detail, ahead.attr)))
            continue
        done.add(record.key)
        good.append(record)
    return good, sorted(circular, key=lambda one: one[0].row.seq)
