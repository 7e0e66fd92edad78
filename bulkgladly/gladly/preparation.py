"""From a nested row to a draft, for every object that is declared by its fields (all but customers). Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from bulkgladly.gladly.contacts import ContactProblem, clean_emails, clean_phones
from bulkgladly.gladly.directory import Directory
from bulkgladly.gladly.fields import MAX_ID, Field, FieldProblem, Kind, Link
from bulkgladly.gladly.fingerprints import fingerprints_of, refreshed
from bulkgladly.gladly.identity import derive_id, digest64, key_in, key_of_content
from bulkgladly.gladly.reading import read_fields
from bulkgladly.gladly.spec import Draft, ImportSpec, Policy, Rule
from bulkgladly.records import Claim, Mode, Problem, Row
from bulkgladly.source_keys import SourceKey

__all__ = (
    "CUSTOMER_FIELDS",
    "Preparation",
    "complete",
    "draft_of",
    "for_customer",
    "problems_of",
    "segment",
    "unknown_key",
)

CUSTOMER_FIELDS = (
    Field("customerId", Kind.ID, most=MAX_ID, help="the customer, by the id in Gladly"),
    Field("customerKey", into="customerId", key_of="customers", help="the customer, by the source key of its import"),
    Field("customerEmail", into="customer.emailAddress", help="the customer, by email; created if nobody has it"),
    Field(
        "customerMobile", into="customer.mobilePhone", help="the customer, by mobile number; created if nobody has it"
    ),
    Field("customer", Kind.OBJECT, help="the same as an object with emailAddress or mobilePhone"),
)
"""The ways to name the customer; a row uses one of them."""

Payload = dict[str, Any]


class Preparation:
    """Turns rows into drafts by the fields and rules of one kind of object.

    `natural_key` returns the source key of a record that has neither a key column nor an id; by
    default it is derived from the content. `unwrap` turns Gladly's own form of a row into that
    of the fields. `clean` turns the payload into the form that is compared and sent.
    """

    def __init__(
        self,
        resource: str,
        fields: Sequence[Field],
        *,
        rules: Sequence[Rule] = (),
        natural_key: Callable[[Mapping[str, Any]], str | None] = lambda _: None,
        unwrap: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda nested: nested,
        clean: Callable[[Payload, Policy], Payload] = lambda payload, _: payload,
    ) -> None:
        self._resource, self._fields, self._rules = resource, tuple(fields), tuple(rules)
        self._natural_key, self._unwrap, self._clean = natural_key, unwrap, clean

    def __call__(self, row: Row, nested: dict[str, Any], policy: Policy) -> Draft | Problem:
        """Return the draft of a nested row, or why it cannot be sent.

        It still holds names and source keys: `complete` replaces them by ids.
        """
        found = self.read(nested, policy)
        if isinstance(found, Problem):
            return found
        payload, links = found
        identity = self._identify(row, payload, links, policy)
        if isinstance(identity, Problem):
            return identity
        key, own_id, claims, payload = identity
        return draft_of(row, self._resource, policy, key, own_id, payload=payload, claims=claims, links=links)

    def claims_of(
        self, row: Row, payload: Payload, links: tuple[Link, ...], policy: Policy
    ) -> tuple[Payload, tuple[Claim, ...]] | Problem | None:
        """Return the payload and the claims of a record, from what `read_fields` returned for its row.

        A check needs no more than this, and drafts take time. Returns None if the key needs
        cleaning, so that the row has to be read closely.
        """
        try:
            payload = self._clean(payload, policy)
        except (FieldProblem, ContactProblem) as error:
            return error.problem
        identity = self._identify(row, payload, links, policy)
        if isinstance(identity, Problem):
            return identity
        key, _, claims, payload = identity
        return None if key.is_odd else (payload, claims)

    def read(self, nested: Mapping[str, Any], policy: Policy) -> tuple[Payload, tuple[Link, ...]] | Problem:
        """Return the payload of a nested row and the links in it, or what is wrong with a field."""
        try:
            payload, links = read_fields(self._unwrap(nested), self._fields, policy.mode, null=policy.null)
            return self._clean(payload, policy), links
        except (FieldProblem, ContactProblem) as error:
            return error.problem

    def _identify(
        self, row: Row, payload: Payload, links: tuple[Link, ...], policy: Policy
    ) -> tuple[SourceKey, str | None, tuple[Claim, ...], Payload] | Problem:
        """Return key, own id, claims and the payload without its id, or the first rule that it breaks."""
        for rule in self._rules:
            for problem in rule(payload, policy):
                return problem
        own_id = payload.get("id")
        if "id" in payload:
            payload = {name: value for name, value in payload.items() if name != "id"}
        key = key_in(row, policy.key) if policy.key is not None else self._key(own_id, payload)
        if isinstance(key, Problem):
            return key
        claims = [Claim("key", digest64("key", key.text))]
        # An id that is given by a name is not known yet; `complete` adds its claim.
        if own_id is not None and own_id != key.text and not any(link.place == "id" for link in links):
            claims.append(Claim("id", digest64("id", own_id)))
        return key, own_id, tuple(claims), payload

    def _key(self, own_id: str | None, payload: Payload) -> SourceKey:
        return SourceKey(own_id or self._natural_key(payload) or key_of_content(payload))


def draft_of(
    row: Row,
    name: str,
    policy: Policy,
    key: SourceKey,
    own_id: str | None,
    *,
    payload: Mapping[str, Any],
    claims: tuple[Claim, ...],
    links: tuple[Link, ...] = (),
) -> Draft:
    """Return the draft of a row, with its id: its own, or the one derived from its source key."""
    # Earlier versions derived the id from the key as it was written. Only for a key that was cleaned does that
    # differ, and then the object may exist under the former id.
    former = key.former if own_id is None else None
    former_id = derive_id(policy.host, name, policy.namespace, former) if former is not None else None
    gladly_id = own_id or derive_id(policy.host, name, policy.namespace, key.text)
    prints = fingerprints_of(payload, policy.owners)
    # By position, as in `ready`: this is called for every row.
    return Draft(
        row, key.text, gladly_id, own_id is not None, payload, prints, claims, links, (), key.former, former_id
    )


def problems_of(spec: ImportSpec, nested: Mapping[str, Any], policy: Policy) -> list[Problem]:
    """Return everything that is wrong with a nested row, offline; an import rejects it for the first."""
    if not isinstance(spec.prepare, Preparation):
        return []
    found = spec.prepare.read(nested, policy)
    if isinstance(found, Problem):
        return [found]
    return [problem for rule in spec.rules for problem in rule(found[0], policy)]


def complete(
    draft: Draft,
    spec: ImportSpec,
    directory: Directory,
    known: Mapping[tuple[str, str], str],
    *,
    is_last: bool = False,
) -> Draft | Problem:
    """Return a draft with its names and keys replaced by ids, or why one has none.

    `known` has the ids of source keys, by object and key. A key of the same kind of object that
    is not known yet stays in `links`, because its record may be in flight. With `is_last`, no
    such record is left, and an unknown key is a problem.
    """
    if not draft.links:
        return draft._replace(lanes=_lanes((), draft.payload, spec)) if spec.lanes else draft
    found: list[tuple[Link, str]] = []
    open_links: list[Link] = []
    for link in draft.links:
        identity = _identity_of(link, directory, known, is_last=is_last)
        if identity is None and (is_last or link.kind != spec.name):
            identity = unknown_key(link)
        if isinstance(identity, Problem):
            return identity
        if identity is None:
            open_links.append(link)
        else:
            found.append((link, identity))
    payload = _linked(draft.payload, [(link, identity) for link, identity in found if link.place != "id"])
    linked = draft._replace(
        payload=payload,
        links=tuple(open_links),
        fingerprints=refreshed(draft.fingerprints, payload),
        lanes=_lanes(open_links, payload, spec),
    )
    # An id in the row says which object is meant, and is not written.
    own_id = next((identity for link, identity in found if link.place == "id"), None)
    if own_id is None:
        return linked
    claims = (*draft.claims, Claim("id", digest64("id", own_id)))
    return linked._replace(id=own_id, has_own_id=True, former_id=None, claims=claims)


def unknown_key(link: Link) -> Problem:
    """Return the problem of a source key that no known import has imported."""
    return Problem(
        "unknown_key",
        f"{link.attr}: no {link.kind} were imported with this source key; import them first, or pass --after RUN",
        link.attr,
    )


def for_customer(payload: Payload, policy: Policy) -> Payload:
    """Return a payload with the address of its customer cleaned; only a new object needs a customer.

    Raises:
        ContactProblem: The address is not valid.
        FieldProblem: None or several of the ways to name the customer are used.
    """
    customer = payload.get("customer")
    if customer is None and policy.mode in (Mode.UPDATE, Mode.DELETE):
        return payload
    if (customer is None) == ("customerId" not in payload):
        others = "customerKey, customerEmail, customerMobile"
        if customer is None:
            raise FieldProblem("customer", "customerId", f"is empty, and so are {others}; one of them is required")
        raise FieldProblem("customer", "customerId", f"is given beside one of {others}; keep only one of them")
    if customer is None:
        return payload
    named = {name: value for name, value in customer.items() if value not in (None, "")}
    if len(named) != 1 or not named.keys() <= {"emailAddress", "mobilePhone"}:
        raise FieldProblem("customer", "customer", "must have exactly one of emailAddress and mobilePhone")
    [(name, value)] = named.items()
    cleaned = clean_emails([value]) if name == "emailAddress" else clean_phones([value], policy.phone_region)
    return {**payload, "customer": {name: cleaned[0]["original"]}}


def segment(identity: str) -> str:
    """Return an id as one segment of a path, with its special characters encoded."""
    return quote(identity, safe="")


def _identity_of(
    link: Link, directory: Directory, known: Mapping[tuple[str, str], str], *, is_last: bool
) -> str | Problem | None:
    """Return the id that a link stands for; None if its key is not known."""
    if not link.is_key:
        return directory.resolve(link.kind, link.text, link.attr)
    identity = known.get((link.kind, link.text))
    if identity is None and is_last and link.or_name is not None:
        return directory.resolve("topic", link.or_name, link.attr)
    return identity


def _linked(payload: Mapping[str, Any], found: Iterable[tuple[Link, str]]) -> Mapping[str, Any]:
    """Return a payload with the links replaced by ids."""
    linked = dict(payload)
    for link, identity in found:
        head, _, part = link.place.partition(".")
        if part:
            linked[head] = {**linked[head], part: identity}
        elif link.index is None:
            linked[head] = identity
        else:
            linked[head] = [identity if at == link.index else value for at, value in enumerate(linked[head])]
    return linked


def _lanes(links: Iterable[Link], payload: Mapping[str, Any], spec: ImportSpec) -> tuple[int, ...]:
    # A record waits for the one that creates its parent, and for earlier ones with the same values.
    parents = tuple(digest64("key", link.text) for link in links)
    values = ((place, payload.get(place)) for place in spec.lanes)
    return parents + tuple(digest64(place, str(value)) for place, value in values if value is not None)
