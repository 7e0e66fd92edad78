"""Who a record is: the derivation of ids and fingerprints, which must never change."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.gladly.identity import derive_id, digest64, fingerprint, id_problem, key_of_content

HOST = "https://example.gladly.com"
URL_SAFE_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]{21}")


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ((HOST, "customers", "default", "1"), "NQJ4bV_XFi0LcCBEmGwBXQ"),
        ((HOST, "customers", "default", "crm-000042"), "OwahM9uRyF6u-vT0xQbqFw"),
        ((HOST, "customers", "legacy", "crm-000042"), "KwC8Afp6kRcVZ7POFDCt6A"),
        (("https://example.gladly.qa", "customers", "default", "crm-000042"), "sMpHF94vWTXeVzYAEgB0nQ"),
        ((HOST, "customers", "default", "Zoë 北京"), "RQj3qh5ZWr8ypqEqHfSbpg"),
    ],
)
def test_derived_ids_are_the_same_for_ever(inputs: tuple[str, str, str, str], expected: str) -> None:
    """Another derivation would create a second customer for each one that was imported before."""
    assert derive_id(*inputs) == expected


@given(st.text(), st.text(), st.text())
def test_ids_have_the_form_that_gladly_takes(host: str, namespace: str, key: str) -> None:
    """22 URL-safe characters that begin with a letter, for any key."""
    found = derive_id(host, "customers", namespace, key)

    assert URL_SAFE_ID.fullmatch(found)
    assert id_problem(found) is None


@given(st.sets(st.text(max_size=20), min_size=2, max_size=50))
def test_distinct_keys_have_distinct_ids(keys: set[str]) -> None:
    """Two records never share an id."""
    assert len({derive_id(HOST, "customers", "default", key) for key in keys}) == len(keys)


def test_sequential_keys_have_distinct_ids() -> None:
    """The mapping of the first character to a letter costs no more than a few bits."""
    assert len({derive_id(HOST, "customers", "default", str(number)) for number in range(20_000)}) == 20_000


@pytest.mark.parametrize("changed", [0, 1, 2, 3])
def test_each_input_counts(changed: int) -> None:
    """Another host, resource, namespace or key gives another id."""
    inputs = [HOST, "customers", "default", "1"]
    other = [*inputs]
    other[changed] += "x"

    assert derive_id(*inputs) != derive_id(*other)


def test_content_keys_are_the_same_for_ever() -> None:
    """Rows without a key of their own must find their customer again with the next version."""
    payload = {"name": "Ada Sample", "emails": [{"original": "ada@example.org"}]}

    assert key_of_content(payload) == "content:2fbe7bf9f5619e992a12d49a6a31349b"


def test_content_keys_depend_on_content_alone() -> None:
    """The order of the fields does not matter; a changed value does."""
    one = key_of_content({"name": "Ada", "address": "1 Test Lane"})

    assert one == key_of_content({"address": "1 Test Lane", "name": "Ada"})
    assert one != key_of_content({"address": "2 Test Lane", "name": "Ada"})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(string.printable, max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(string.ascii_letters, max_size=4), inner),
    max_leaves=6,
)


@given(json_values, json_values)
def test_fingerprints_differ_as_values_do(one: object, other: object) -> None:
    """Equal values have equal fingerprints, different ones different."""
    same = repr(_sorted(one)) == repr(_sorted(other))

    assert (fingerprint(one) == fingerprint(other)) is same


def test_fingerprints_are_the_same_for_ever() -> None:
    """The state of earlier versions is compared with them."""
    assert fingerprint("Ada Sample") == "7eb03dbf8d01b936"
    assert fingerprint({"b": 1, "a": None}) == fingerprint({"a": None, "b": 1}) == "95a48d2904a62510"


@given(st.text(), st.text())
def test_digests_fit_the_column_of_a_database(kind: str, value: str) -> None:
    """Signed, 64 bits."""
    assert -(2**63) <= digest64(kind, value) < 2**63


def test_digests_tell_kinds_apart() -> None:
    """An email address and a key with the same text are different claims."""
    assert digest64("email", "ada@example.org") != digest64("key", "ada@example.org")


@pytest.mark.parametrize("text", ["a", "A-1_b", "x" * 49, "-leading", "0"])
def test_ids_that_gladly_takes(text: str) -> None:
    """URL-safe and under 50 characters."""
    assert id_problem(text) is None


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "letters, digits"),
        ("x" * 50, "50 characters"),
        ("a b", "letters, digits"),
        ("a/b", "letters, digits"),
        ("../organization", "letters, digits"),
        ("zoë", "letters, digits"),
        ("line\n", "letters, digits"),
    ],
)
def test_ids_that_gladly_refuses_say_why(text: str, part: str) -> None:
    """The reason names the rule that is broken."""
    assert part in (id_problem(text) or "")


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return value
