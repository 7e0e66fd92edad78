"""Customers: from a nested row to a draft, and the comparison of a payload with a profile. Pure."""

from collections.abc import Collection, Mapping
from typing import Any

from bulkgladly.gladly.change import is_equal
from bulkgladly.gladly.contacts import (
    ContactProblem,
    clean_emails,
    clean_phones,
    email_identity,
    phone_identity,
    unite,
)
from bulkgladly.gladly.identity import digest64, id_problem, key_in, key_of_content
from bulkgladly.gladly.owners import CONTACT_LISTS
from bulkgladly.gladly.plain_profiles import holds_plainly
from bulkgladly.gladly.preparation import draft_of
from bulkgladly.gladly.proofs import FieldDifference
from bulkgladly.gladly.spec import Draft, Policy
from bulkgladly.records import Claim, ColumnPlan, ListColumn, Problem, Row
from bulkgladly.source_keys import SourceKey

__all__ = (
    "CUSTOMER_COLUMNS",
    "SCALARS",
    "addresses_to_match",
    "as_given",
    "changes_to",
    "differing_parts_of",
    "gaps_in",
    "holds_email",
    "holds_mobile",
    "prepare_customer",
    "profile_of_line",
    "surplus_of",
    "union_for",
    "unique_addresses",
)

SCALARS = ("name", "image", "address", "externalCustomerId")

CUSTOMER_COLUMNS = ColumnPlan(
    scalars=("id", *SCALARS),
    lists=(
        ListColumn("emails", "email", "original", {"primary": "flag"}),
        ListColumn(
            "phones",
            "phone",
            "original",
            {
                "type": "choice",
                "regionCode": "choice",
                "extension": "text",
                "smsPreference": "choice",
                "primary": "flag",
            },
        ),
    ),
    open_map="customAttributes",
    open_prefix="customAttribute",
    read_only=("createdAt", "updatedAt", "externalCustomerIds"),
)


def prepare_customer(row: Row, nested: dict[str, Any], policy: Policy) -> Draft | Problem:
    """Return the draft of a nested row, or why it cannot be sent.

    The payload has only what is in the row: a missing field stays missing, a null is dropped
    (`null="keep"`) or kept to clear the field (`null="clear"`).
    """
    try:
        payload = _payload(nested, policy)
    except ContactProblem as error:
        return error.problem
    own_id = payload.pop("id", None)
    if own_id is not None and (reason := id_problem(own_id)):
        return Problem("id", reason, "id")
    key = _source_key(row, own_id, payload, policy)
    if isinstance(key, Problem):
        return key
    claims = _claims(key.text, own_id, payload)
    return draft_of(row, "customers", policy, key, own_id, payload=payload, claims=claims)


def changes_to(profile: Mapping[str, Any], payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields to PATCH so that a profile holds everything in the payload; empty if it does.

    What Gladly adds (`normalized`, `regionCode: US`, `type: ""`) does not count as a difference,
    nor does what others have added. Lists are merged, and attributes are sent together with
    those that the profile has, because PATCH replaces lists whole and whether it merges
    attributes is UNKNOWN [gladly-api, schemas 2.3].
    """
    if holds_plainly(profile, payload):
        return {}
    changes: dict[str, Any] = {}
    for name in SCALARS:
        if name in payload and (profile.get(name) or None) != (payload[name] or None):
            changes[name] = payload[name]
    changes.update(union_for(profile, payload))
    if attributes := payload.get("customAttributes"):
        held = _object(profile.get("customAttributes"))
        if not all(is_equal(held.get(key), one) for key, one in attributes.items()):
            changes["customAttributes"] = {**held, **attributes}
    return changes


def differing_parts_of(profile: Mapping[str, Any], payload: Mapping[str, Any], name: str) -> list[FieldDifference]:
    """Return how a field of a profile differs from that of a payload: each address and each attribute by itself.

    It follows the rules of `changes_to`: an address counts as held in any spelling, and what others have added is no
    difference. A missing address is a difference of the list, another type one of `phones.type`.
    """
    if name == "customAttributes":
        held = _object(profile.get(name))
        return [
            FieldDifference(f"{name}.{key}", value, held.get(key))
            for key, value in (payload.get(name) or {}).items()
            if not is_equal(held.get(key), value)
        ]
    if name not in CONTACT_LISTS:
        return [FieldDifference(name, payload.get(name), profile.get(name))]
    identity = email_identity if name == "emails" else phone_identity
    present: dict[str, dict[str, Any]] = {}
    for entry in _list(profile.get(name)):
        present.setdefault(identity(entry), entry)
    found: list[FieldDifference] = []
    for entry in payload.get(name) or ():
        have = present.get(identity(entry))
        if have is None:
            found.append(FieldDifference(name, entry["original"], None))
            continue
        found += [
            FieldDifference(f"{name}.{part}", value, have.get(part))
            for part, value in entry.items()
            if part != "original" and (have.get(part) or None) != (value or None)
        ]
    return found


def surplus_of(profile: Mapping[str, Any], payload: Mapping[str, Any], name: str) -> list[FieldDifference]:
    """Return the addresses of a profile that a payload with a list of this name does not have."""
    identity = email_identity if name == "emails" else phone_identity
    given = {identity(entry) for entry in payload.get(name) or ()}
    held = _list(profile.get(name)) if given else []
    return [FieldDifference(name, None, entry.get("original")) for entry in held if identity(entry) not in given]


def union_for(profile: Mapping[str, Any], payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the contact lists that must be extended so that the profile has every address of the payload."""
    lists: dict[str, Any] = {}
    # An entry counts as held in any spelling, or a PATCH would send the same address a second time.
    for name, identity in (("emails", email_identity), ("phones", phone_identity)):
        if wanted := payload.get(name):
            united = unite(_list(profile.get(name)), wanted, identity)
            if united is not None:
                lists[name] = united
    return lists


def as_given(profile: Mapping[str, Any], payload: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return the contact lists of these names that must change so that the profile has no address but the payload's."""
    lists: dict[str, Any] = {}
    for name, identity in (("emails", email_identity), ("phones", phone_identity)):
        if name not in names or not payload.get(name):
            continue
        held, given = _list(profile.get(name)), payload[name]
        wanted = {identity(entry) for entry in given}
        united = unite(held, given, identity)
        left = [entry for entry in (held if united is None else united) if identity(entry) in wanted]
        if united is not None or len(left) < len(held):
            lists[name] = left
    return lists


def gaps_in(profile: Mapping[str, Any], payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a payload for which the profile has nothing; what Gladly holds is kept."""
    held = _object(profile.get("customAttributes"))
    filling = {name: payload[name] for name in SCALARS if payload.get(name) and not profile.get(name)}
    attributes = {
        key: value for key, value in (payload.get("customAttributes") or {}).items() if held.get(key) in (None, "")
    }
    if attributes:
        filling["customAttributes"] = attributes
    for name, identity in (("emails", email_identity), ("phones", phone_identity)):
        present = {identity(entry) for entry in _list(profile.get(name))}
        missing = [entry for entry in payload.get(name) or () if identity(entry) not in present]
        if missing:
            # Which entry is primary stays as Gladly holds it.
            filling[name] = [{part: value for part, value in entry.items() if part != "primary"} for entry in missing]
    return filling


def holds_email(profile: Mapping[str, Any], address: str) -> bool:
    """Tell whether a profile holds an email address, in any spelling."""
    wanted = email_identity({"original": address})
    return any(email_identity(entry) == wanted for entry in _list(profile.get("emails")))


def holds_mobile(profile: Mapping[str, Any], number: str) -> bool:
    """Tell whether a profile holds an E.164 number as MOBILE; only one profile can."""
    return any(
        entry.get("type") == "MOBILE" and phone_identity(entry) == number for entry in _list(profile.get("phones"))
    )


# --- as data sets hold them ---


def unique_addresses(profile: Mapping[str, Any]) -> list[str]:
    """Return what only one profile can have: its email addresses, and its numbers that are MOBILE."""
    found = [f"email:{email_identity(entry)}" for entry in _list(profile.get("emails"))]
    mobile = (entry for entry in _list(profile.get("phones")) if entry.get("type") == "MOBILE")
    return [*found, *(f"phone:{phone_identity(entry)}" for entry in mobile)]


def addresses_to_match(payload: Mapping[str, Any]) -> list[list[str]]:
    """Return the addresses by which the customer of a payload may be found: emails, and then numbers."""
    emails = [f"email:{email_identity(entry)}" for entry in payload.get("emails") or ()]
    phones = [f"phone:{entry['original']}" for entry in payload.get("phones") or ()]
    return [group for group in (emails, phones) if group]


def profile_of_line(line: dict[str, Any]) -> dict[str, Any]:
    """Return the line of an export job, which has addresses as plain texts, in the form of a profile."""
    made = dict(line)
    for plain, name in (("emailAddresses", "emails"), ("phoneNumbers", "phones")):
        texts = made.pop(plain, None)
        if texts and not made.get(name):
            made[name] = [{"original": text} for text in texts if isinstance(text, str)]
    return made


def _payload(nested: dict[str, Any], policy: Policy) -> dict[str, Any]:
    payload: dict[str, Any] = {}
    for name in ("id", *SCALARS):
        value = nested.get(name)
        if isinstance(value, str):
            payload[name] = value
        elif name in nested and value is None:
            if policy.null == "clear" and name != "id":
                payload[name] = None
        elif name in nested:
            raise ContactProblem("type", name, f"{name} must be a text")
    for name in CONTACT_LISTS:
        if name in nested:
            _add_contacts(payload, name, nested[name], policy)
    if "customAttributes" in nested:
        _add_attributes(payload, nested["customAttributes"], policy)
    return payload


def _add_contacts(payload: dict[str, Any], name: str, items: Any, policy: Policy) -> None:
    if items is None:
        # An empty contact list may be a mistake, and imports never remove addresses.
        return
    if not isinstance(items, list):
        raise ContactProblem("type", name, f"{name} must be a list")
    cleaned = clean_emails(items) if name == "emails" else clean_phones(items, policy.phone_region)
    if cleaned:
        payload[name] = cleaned


def _add_attributes(payload: dict[str, Any], attributes: Any, policy: Policy) -> None:
    if attributes is None:
        return
    if not isinstance(attributes, dict):
        raise ContactProblem("type", "customAttributes", "customAttributes must be an object")
    if policy.null == "keep":
        attributes = {key: value for key, value in attributes.items() if value is not None}
    if attributes:
        payload["customAttributes"] = attributes


def _source_key(row: Row, own_id: str | None, payload: dict[str, Any], policy: Policy) -> SourceKey | Problem:
    if policy.key is not None:
        return key_in(row, policy.key)
    if own_id is not None:
        return SourceKey(own_id)
    if not payload.get("emails") and not payload.get("phones") and not payload.get("externalCustomerId"):
        return Problem(
            "no_identifier",
            "the row has no id, email, phone or externalCustomerId; add one, or pass the column that "
            "identifies a row with --key",
        )
    return SourceKey(key_of_content(payload))


def _claims(key: str, own_id: str | None, payload: Mapping[str, Any]) -> tuple[Claim, ...]:
    # Unique across profiles: id, every email, every phone of type MOBILE [gladly-api, schemas 2.4].
    claims = [Claim("key", digest64("key", key))]
    if own_id is not None and own_id != key:
        claims.append(Claim("id", digest64("id", own_id)))
    for index, entry in enumerate(payload.get("emails") or ()):
        claims.append(Claim(f"emails[{index}]", digest64("email", email_identity(entry))))
    for index, entry in enumerate(payload.get("phones") or ()):
        if entry.get("type") == "MOBILE":
            claims.append(Claim(f"phones[{index}]", digest64("phone", entry["original"])))
    return tuple(claims)


def _list(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
