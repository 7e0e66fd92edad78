"""Emails and phones: checked, normalised, and united without ever losing one."""

import re
from typing import Any

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.gladly.contacts import (
    ContactProblem,
    clean_emails,
    clean_phones,
    email_identity,
    is_plain_number,
    phone_identity,
    unite,
)

LONDON = "+442079460018"


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        pytest.param([], [], id="none"),
        pytest.param(["ada@example.org"], [{"original": "ada@example.org"}], id="a text"),
        pytest.param([{"original": " ada@example.org "}], [{"original": "ada@example.org"}], id="white space goes"),
        pytest.param(["Ada.Sample@Example.ORG"], [{"original": "Ada.Sample@Example.ORG"}], id="spelling stays"),
        pytest.param(
            ["ada@example.org", "ADA@example.org"], [{"original": "ada@example.org"}], id="twice, the first spelling"
        ),
        pytest.param(
            ["ada@example.org", {"original": "ADA@example.org", "primary": True}],
            [{"original": "ada@example.org", "primary": True}],
            id="twice, primary once",
        ),
        pytest.param(
            [{"original": "ada@example.org", "primary": False}],
            [{"original": "ada@example.org", "primary": False}],
            id="not primary is said",
        ),
        pytest.param(["ada+tag@sub.example.org"], [{"original": "ada+tag@sub.example.org"}], id="plus"),
        pytest.param(["zoë@example.org"], [{"original": "zoë@example.org"}], id="letters beyond ASCII"),
        pytest.param(
            [{"original": "ada@example.org", "normalized": "x"}], [{"original": "ada@example.org"}], id="ours only"
        ),
    ],
)
def test_emails_are_brought_into_the_form_of_the_api(items: list[Any], expected: list[dict[str, Any]]) -> None:
    """Each address once, in the user's spelling."""
    assert clean_emails(items) == expected


@pytest.mark.parametrize(
    ("items", "code", "attr"),
    [
        (["ada"], "invalid_email", "emails[0]"),
        (["ada@"], "invalid_email", "emails[0]"),
        (["ada@example.org", "a b@example.org"], "invalid_email", "emails[1]"),
        (["ada@example..org"], "invalid_email", "emails[0]"),
        (["ada@example.org\n.evil"], "invalid_email", "emails[0]"),
        (["ada@" + "example." * 40 + "org"], "invalid_email", "emails[0]"),
        (["Ada <ada@example.org>"], "invalid_email", "emails[0]"),
        ([""], "no_value", "emails[0]"),
        ([None], "no_value", "emails[0]"),
        ([17], "no_value", "emails[0]"),
        ([{"original": None}], "no_value", "emails[0]"),
        ([{"address": "ada@example.org"}], "no_value", "emails[0]"),
        ([{"original": "ada@example.org", "primary": "yes"}], "not_a_flag", "emails[0].primary"),
        ([{"original": f"{n}@example.org", "primary": True} for n in "ab"], "two_primary", "emails"),
    ],
)
def test_emails_that_cannot_be_sent_name_their_place(items: list[Any], code: str, attr: str) -> None:
    """A stable code and the entry at fault; the address itself stays out of the text."""
    with pytest.raises(ContactProblem) as caught:
        clean_emails(items)

    assert (caught.value.problem.code, caught.value.problem.attr) == (code, attr)
    assert "example" not in caught.value.problem.detail


@pytest.mark.parametrize(
    ("item", "region", "expected"),
    [
        pytest.param("+1 650 555 0100", None, {"original": "+16505550100"}, id="international"),
        pytest.param("+44 (0)20 7946 0018", None, {"original": LONDON}, id="with a trunk zero"),
        pytest.param("020 7946 0018", "GB", {"original": LONDON}, id="national, region given"),
        pytest.param("020 7946 0018", "gb", {"original": LONDON}, id="region in small letters"),
        pytest.param(
            {"original": "020 7946 0018", "regionCode": "gb"},
            "US",
            {"original": LONDON, "regionCode": "GB"},
            id="the entry's own region wins",
        ),
        pytest.param("(650) 555-0100", "US", {"original": "+16505550100"}, id="US spelling"),
        pytest.param("+44 20 7946 0018", "US", {"original": LONDON}, id="a plus sign needs no region"),
        pytest.param(
            "+1 650 555 0100 ext. 12", None, {"original": "+16505550100", "extension": "12"}, id="extension in the text"
        ),
        pytest.param(
            {"original": "+1 650 555 0100 x12", "extension": "7"},
            None,
            {"original": "+16505550100", "extension": "7"},
            id="the extension's own field wins",
        ),
        pytest.param(
            {"original": "+16505550100", "type": "mobile", "smsPreference": "on", "primary": True},
            None,
            {"original": "+16505550100", "type": "MOBILE", "smsPreference": "ON", "primary": True},
            id="choices in capitals",
        ),
        pytest.param("'+16505550100", None, {"original": "+16505550100"}, id="a spreadsheet's mark for text"),
        pytest.param("\u202a+1 650 555 0100\u202c", None, {"original": "+16505550100"}, id="what copying leaves"),
        pytest.param("tel:+1-650-555-0100", None, {"original": "+16505550100"}, id="a link"),
        pytest.param("15112345678", "DE", {"original": "+4915112345678"}, id="a spreadsheet took its zero"),
        pytest.param("442079460018", "GB", {"original": LONDON}, id="its own country without a plus"),
        pytest.param(
            "4722345678", "US", {"original": "+14722345678"}, id="as written there, whoever else could have it"
        ),
        pytest.param({"original": "+16505550100", "type": ""}, None, {"original": "+16505550100"}, id="no type"),
    ],
)
def test_phones_become_e164(item: Any, region: str | None, expected: dict[str, Any]) -> None:
    """One spelling for writing and for looking up."""
    assert clean_phones([item], region) == [expected]


def test_a_number_that_comes_twice_is_one_entry() -> None:
    """Later entries add what the first one lacks."""
    found = clean_phones(["+16505550100", {"original": "(650) 555-0100", "type": "HOME"}, "+16505550101"], "US")

    assert found == [{"original": "+16505550100", "type": "HOME"}, {"original": "+16505550101"}]


@pytest.mark.parametrize(
    ("item", "region", "code", "attr"),
    [
        pytest.param("020 7946 0018", None, "phone_region", "phones[0]", id="national without region"),
        pytest.param("650 555 0100", None, "phone_region", "phones[0]", id="never taken for a US number"),
        pytest.param("12345", "GB", "invalid_phone", "phones[0]", id="too short"),
        pytest.param("555-0100", "US", "invalid_phone", "phones[0]", id="without its area code"),
        pytest.param("4915112345678.0", "DE", "invalid_phone", "phones[0]", id="a decimal gains no digit"),
        pytest.param("015112345679.0", "DE", "invalid_phone", "phones[0]", id="a national decimal"),
        pytest.param("+4915112345678.0", None, "invalid_phone", "phones[0]", id="a decimal with a plus"),
        pytest.param("4.91511E+12", "DE", "invalid_phone", "phones[0]", id="rounded"),
        pytest.param("16505550105", "DE", "invalid_phone", "phones[0]", id="a US number does not become German"),
        pytest.param("33612345678", "DE", "phone_region", "phones[0]", id="French or German"),
        pytest.param("4915112345678", "DE", "phone_region", "phones[0]", id="its own country, or a town's code"),
        pytest.param("1-800-GO-GLADLY", "US", "invalid_phone", "phones[0]", id="letters"),
        pytest.param("650 555 0100 (Ada)", "US", "invalid_phone", "phones[0]", id="words behind it"),
        pytest.param("office 650 555 0100", "US", "invalid_phone", "phones[0]", id="words before it"),
        pytest.param("+16505550100 / +16505550101", None, "invalid_phone", "phones[0]", id="two numbers"),
        pytest.param("650 555 0100, 0101", "US", "invalid_phone", "phones[0]", id="two endings"),
        pytest.param("650 155 0100", "US", "invalid_phone", "phones[0]", id="possible, but not valid"),
        pytest.param("+16501550100", None, "invalid_phone", "phones[0]", id="possible with its plus, but not valid"),
        pytest.param("+15550100123", None, "invalid_phone", "phones[0]", id="no such area"),
        pytest.param("011 15 2345 6789 1", "AR", "invalid_phone", "phones[0]", id="a digit too many"),
        pytest.param("15 2345 6789", "AR", "invalid_phone", "phones[0]", id="digits that change from abroad"),
        pytest.param("ask Jon 12", None, "invalid_phone", "phones[0]", id="words, and no region would help"),
        pytest.param("+1 650 555 01000000", None, "invalid_phone", "phones[0]", id="too long"),
        pytest.param("not a number", "GB", "invalid_phone", "phones[0]", id="words"),
        pytest.param("+999 1234567", None, "invalid_phone", "phones[0]", id="no such country"),
        pytest.param("", "GB", "no_value", "phones[0]", id="empty"),
        pytest.param({"type": "HOME"}, "GB", "no_value", "phones[0]", id="no number"),
        pytest.param({"original": "+16505550100", "type": "WORK"}, None, "invalid_choice", "phones[0].type", id="type"),
        pytest.param(
            {"original": "+16505550100", "smsPreference": "MAYBE"},
            None,
            "invalid_choice",
            "phones[0].smsPreference",
            id="sms",
        ),
        pytest.param({"original": "+16505550100", "primary": 1}, None, "not_a_flag", "phones[0].primary", id="flag"),
        pytest.param(
            {"original": "020 7946 0018", "regionCode": "QQ"}, "GB", "invalid_phone", "phones[0]", id="no such region"
        ),
    ],
)
def test_phones_that_cannot_be_sent_name_their_place(item: Any, region: str | None, code: str, attr: str) -> None:
    """A stable code and the field at fault; the number itself stays out of the text."""
    with pytest.raises(ContactProblem) as caught:
        clean_phones([item], region)

    assert (caught.value.problem.code, caught.value.problem.attr) == (code, attr)
    assert "555" not in caught.value.problem.detail
    assert "7946" not in caught.value.problem.detail


@given(
    st.sampled_from(
        [
            phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
            for region in sorted(phonenumbers.SUPPORTED_REGIONS)
            for kind in range(11)
            if (number := phonenumbers.example_number_for_type(region, kind)) is not None
        ]
    ),
    st.integers(2, 14),
    st.sampled_from("0123456789"),
)
def test_the_short_way_takes_valid_numbers_only(number: str, at: int, digit: str) -> None:
    """It stands for the full parser, which is ten times as slow; what it does not take, the parser looks at."""
    text = number[:at] + digit + number[at + 1 :]

    if is_plain_number(text):
        parsed = phonenumbers.parse(text)
        assert phonenumbers.is_valid_number(parsed)
        assert phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) == text


def test_only_one_phone_can_be_primary() -> None:
    """Gladly refuses two; so do we, before a request is spent."""
    with pytest.raises(ContactProblem, match="only one"):
        clean_phones([{"original": f"+1650555010{n}", "primary": True} for n in (0, 1)], None)


@pytest.mark.parametrize(
    ("entry", "identity"),
    [
        ({"original": "Ada@Example.org", "normalized": "ada@example.org"}, "ada@example.org"),
        ({"normalized": "ada@example.org"}, "ada@example.org"),
        ({"original": " ADA@example.org"}, "ada@example.org"),
        ({}, ""),
    ],
)
def test_emails_are_the_same_in_any_case(entry: dict[str, Any], identity: str) -> None:
    """Gladly compares addresses in lower case, and so do we."""
    assert email_identity(entry) == identity


@pytest.mark.parametrize(
    ("entry", "identity"),
    [
        ({"original": "(650) 555-0100", "normalized": "+16505550100"}, "+16505550100"),
        ({"original": "+16505550100"}, "+16505550100"),
        ({"original": "(650) 555-0100"}, "+16505550100"),
        ({"original": "020 7946 0018", "regionCode": "GB"}, LONDON),
        ({"original": "020 7946 0018", "normalized": "not E.164", "regionCode": "GB"}, LONDON),
        ({"original": "front desk"}, "front desk"),
        ({}, ""),
    ],
)
def test_phones_are_the_same_by_their_number(entry: dict[str, Any], identity: str) -> None:
    """In any form that Gladly may keep: normalised, or as it was typed."""
    assert phone_identity(entry) == identity


def example_numbers(region: str) -> list[str]:
    """Numbers of every kind that a region has, in E.164."""
    found = (phonenumbers.example_number_for_type(region, kind) for kind in range(11))
    e164 = phonenumbers.PhoneNumberFormat.E164
    return list(dict.fromkeys(phonenumbers.format_number(one, e164) for one in found if one is not None))


EXAMPLES = [number for region in sorted(phonenumbers.SUPPORTED_REGIONS) for number in example_numbers(region)]


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_numbers_of_every_region_are_kept(region: str) -> None:
    """E.164 stays unchanged, and a country's own spelling becomes E.164."""
    for number in example_numbers(region):
        parsed = phonenumbers.parse(number)
        national = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
        abroad = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)

        assert clean_phones([number], None) == [{"original": number}]
        assert clean_phones([abroad], "QQ") == [{"original": number}]
        assert clean_phones([national], region) == [{"original": number}]
        assert phone_identity({"original": national, "regionCode": region}) == number


@given(st.sampled_from(EXAMPLES), st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)), st.data())
def test_a_number_never_becomes_another_number(number: str, region: str, data: st.DataObject) -> None:
    """Without its plus, as a decimal, in any region: it is the same number, or refused."""
    written = number[1:] + data.draw(st.sampled_from(["", ".0", ".00"]))

    try:
        [found] = clean_phones([written], region)
    except ContactProblem:
        return

    national = phonenumbers.format_number(
        phonenumbers.parse(found["original"]), phonenumbers.PhoneNumberFormat.NATIONAL
    )
    assert found["original"] == number or re.sub(r"\D", "", national) == written or not is_valid("+" + written)


def is_valid(number: str) -> bool:
    return phonenumbers.is_valid_number(phonenumbers.parse(number))


LOCALS = ["ada", "ADA", "j\u00f6rg", "jo\u0308rg", "J\u00d6RG", "\u212a", "k", "\u0130", "\u03a3", "\u1e9b\u0323"]
DOMAINS = ["example.org", "b\u00fccher.example", "bu\u0308cher.example", "B\u00dcCHER.example", "\uff45xample.org"]
DOMAINS += ["XN--BCHER-KVA.Example", "stra\u00dfe.example", "strasse.example", "ab--\u00fc.example"]
ADDRESSES = st.builds(
    "{}@{}".format,
    st.sampled_from(LOCALS) | st.text(min_size=1, max_size=6),
    st.sampled_from(DOMAINS) | st.text(min_size=1, max_size=6),
)


@pytest.mark.parametrize(
    "spellings",
    [
        ("jo\u0308rg@example.org", "j\u00f6rg@example.org", "J\u00d6RG@EXAMPLE.ORG"),
        (
            "ada@b\u00fccher.example",
            "ada@bu\u0308cher.example",
            "Ada@xn--bcher-kva.example",
            "ada@XN--BCHER-KVA.example",
        ),
    ],
)
def test_one_person_does_not_become_two_by_the_spelling_of_an_address(spellings: tuple[str, ...]) -> None:
    """Composed or not, with an encoded domain or not: one entry, one claim, and a merged list that does not grow."""
    assert {email_identity({"original": one}) for one in spellings} == {email_identity({"original": spellings[0]})}
    assert clean_emails(spellings) == [{"original": spellings[0]}]
    assert unite([{"original": spellings[0]}], [{"original": one} for one in spellings], email_identity) is None


@given(ADDRESSES)
def test_the_identity_of_an_address_is_its_own_identity(address: str) -> None:
    """Normalising twice is the same as once, so that two addresses are either equal or not."""
    once = email_identity({"original": address})

    assert email_identity({"original": once}) == once


def emails(*names: str, **more: Any) -> list[dict[str, Any]]:
    return [{"original": f"{name}@example.org", **more} for name in names]


@pytest.mark.parametrize(
    ("held", "wanted", "expected"),
    [
        pytest.param([], [], None, id="nothing at all"),
        pytest.param(emails("ada"), [], None, id="nothing wanted"),
        pytest.param(emails("ada", "bela"), emails("bela"), None, id="held already"),
        pytest.param(emails("ada", normalized="n"), emails("ADA"), None, id="another spelling is no difference"),
        pytest.param([], emails("ada"), emails("ada"), id="the first"),
        pytest.param(emails("ada"), emails("bela"), emails("ada", "bela"), id="one more"),
        pytest.param(
            [{"original": "ada@example.org", "primary": True}],
            [{"original": "bela@example.org", "primary": True}],
            [{"original": "ada@example.org", "primary": False}, {"original": "bela@example.org", "primary": True}],
            id="a new primary demotes the old one",
        ),
        pytest.param(
            [{"original": "ada@example.org", "primary": True}],
            emails("bela"),
            [{"original": "ada@example.org", "primary": True}, {"original": "bela@example.org"}],
            id="the primary stays where nobody asks for another",
        ),
        pytest.param(
            emails("ada"), [{"original": "ada@example.org", "primary": False}], None, id="not primary, said or not"
        ),
    ],
)
def test_lists_are_united(
    held: list[dict[str, Any]], wanted: list[dict[str, Any]], expected: list[dict[str, Any]] | None
) -> None:
    """Entries that Gladly holds are sent back unchanged, wanted ones are added, and no request is sent for nothing."""
    assert unite(held, wanted, email_identity) == expected


def test_two_people_behind_one_number_both_stay() -> None:
    """Entries that differ only in the extension are two entries in Gladly, and both are sent back."""
    held = [{"original": "+16505550100", "extension": extension} for extension in ("1", "2")]

    united = unite(held, [{"original": "+16505550199"}], phone_identity)

    assert united == [*held, {"original": "+16505550199"}]


def test_entries_without_an_address_stay() -> None:
    """We do not drop what we do not understand."""
    held: list[dict[str, Any]] = [{"normalized": None}, {"label": "front desk"}]

    united = unite(held, emails("ada"), email_identity)

    assert united == [*held, *emails("ada")]


def test_held_entries_are_not_changed_in_place() -> None:
    """The profile that was read is not changed."""
    held = [{"original": "ada@example.org", "primary": True}]

    unite(held, [{"original": "bela@example.org", "primary": True}], email_identity)

    assert held == [{"original": "ada@example.org", "primary": True}]


entries = st.lists(
    st.fixed_dictionaries(
        {"original": st.sampled_from(["a@example.org", "A@example.org", "b@example.org", "c@example.org", ""])},
        optional={
            "primary": st.booleans(),
            "type": st.sampled_from(["HOME", "MOBILE"]),
            "extension": st.sampled_from("12"),
        },
    ),
    max_size=6,
)


@given(entries, entries)
def test_a_union_never_shortens(held: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
    """Every entry that Gladly holds is sent back, together with every wanted one."""
    united = unite(held, wanted, email_identity)

    sent = held if united is None else united
    assert len(sent) >= len(held)
    assert [entry["original"] or None for entry in sent[: len(held)] if entry.get("original")] == [
        entry["original"] for entry in held if entry["original"]
    ]
    named = {email_identity(entry) for entry in [*held, *wanted]} - {""}
    assert named == {email_identity(entry) for entry in sent} - {""}


@given(entries, entries)
def test_a_union_is_complete(held: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
    """Nothing is left to send afterwards, so a repeat costs no request."""
    once = {email_identity(entry): entry for entry in wanted}
    wanted = [entry for entry in once.values() if entry["original"]]
    primaries = [entry for entry in wanted if entry.get("primary")]
    wanted = [{**entry, "primary": False} if entry in primaries[1:] else entry for entry in wanted]

    united = unite(held, wanted, email_identity)

    assert united is None or unite(united, wanted, email_identity) is None
