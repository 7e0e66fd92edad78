"""Source keys: one form for all spellings, for ever the same."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly.placeholders import NEVER_KEYS
from bulkgladly.source_keys import NotAKey, SourceKey, is_plain, normal_key, oddities, read_key

SEEN = [
    "K1",
    '="',
    '"',
    "=",
    "4711",
    ".0",
    ".00",
    "0",
    "1",
    "-",
    "'",
    "#",
    ".",
    "+",
    "E",
    "e\u0301",
    "\u00e9",
    "\u212b",
    "\u00c5",
]
UNSEEN = [" ", "\t", "\xa0", "\ufeff", "\u200b", "\u2060", "\u00ad", "\u202e", "\u0301", "\u3000", "\u180e", "\x1f"]
PIECES = st.sampled_from([*SEEN, *UNSEEN])
TEXTS = st.text(max_size=12) | st.lists(PIECES, max_size=6).map("".join)


@pytest.mark.parametrize("written", ["#N/A", "NULL", "nan", "\\N", " N/A ", "'null", "#REF!"])
def test_a_word_for_no_value_is_no_key(written: str) -> None:
    """All its rows would be one customer; but people and topics may be called None, or -."""
    with pytest.raises(NotAKey) as refused:
        read_key(written)

    assert refused.value.code == "key_missing"
    assert not is_plain(written)
    assert read_key("None").text == "None"
    assert read_key("-").text == "-"


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("K1", "K1"),
        ("K1 ", "K1"),
        (" K1", "K1"),
        ("\tK1\r", "K1"),
        ("K1\xa0", "K1"),
        ("\ufeffK1", "K1"),
        ("K1\u200b", "K1"),
        ("K\u200b1", "K1"),
        ("K\u00ad1", "K1"),
        ("\u202aK1\u202c", "K1"),
        ("\u200b \ufeffK1 \u200b", "K1"),
        ("K 1", "K 1"),
        ("'K1", "K1"),
        (" '4711", "4711"),
        ("K1'", "K1'"),
        ("O'Hara", "O'Hara"),
        ('="4711"', "4711"),
        (' ="4711.0"', "4711"),
        ('="\'K1 "', "K1"),
        ("=A1", "=A1"),
        ('a="1"', 'a="1"'),
        ("4711.0", "4711"),
        ("4711.00", "4711"),
        ("'4711.0 ", "4711"),
        ("-1.0", "-1"),
        ("0.0", "0"),
        ("4711.5", "4711.5"),
        ("4711.10", "4711.10"),
        ("007.0", "007.0"),
        ("1.0.0", "1.0.0"),
        ("v1.0", "v1.0"),
        ("1e3", "1e3"),
        ("Zoe\u0308", "Zo\u00eb"),
        ("\u0664.0", "\u0664.0"),
        ("ada.b@example.org", "ada.b@example.org"),
    ],
)
def test_one_customer_has_one_key_however_it_is_spelled(written: str, text: str) -> None:
    """One customer does not become two by invisible characters, a spreadsheet's mark, or an empty cell in a column."""
    key = read_key(written)

    assert key.text == text
    assert key.former == (written if written != text else None)
    assert key.is_odd is (written != text)
    assert bool(list(oddities(written))) is (written != text)


@pytest.mark.parametrize("value", [4711, 4711.0, "4711", "4711.0", "4711.00", "'4711", " 4711"])
def test_a_number_is_one_key_in_every_type(value: object) -> None:
    """A whole number of a typed file, a decimal, and the text of either."""
    assert read_key(value).text == "4711"


@pytest.mark.parametrize("value", [None, "", " ", "\xa0\u200b", "'", "\ufeff"])
def test_what_shows_nothing_is_no_key(value: object) -> None:
    """Two rows with different blanks would else be two customers without a key."""
    with pytest.raises(NotAKey) as caught:
        read_key(value)

    assert caught.value.code == "key_missing"


@pytest.mark.parametrize("value", [True, 1.5, float("nan"), float("inf"), 1e300, 2.0**53, [], {}, b"K1"])
def test_what_is_no_whole_number_is_no_key(value: object) -> None:
    """A number that may have lost digits would be somebody else's key."""
    with pytest.raises(NotAKey) as caught:
        read_key(value)

    assert caught.value.code == "key_type"


@given(TEXTS)
def test_the_form_of_a_key_is_its_own_form(text: str) -> None:
    """Brought into its form twice is brought into its form once; what is plain stays."""
    once = normal_key(text)

    assert normal_key(once) == once
    if is_plain(text):
        assert once == text
        assert not list(oddities(text))


@given(TEXTS, TEXTS)
def test_two_keys_are_the_same_only_by_their_form(one: str, other: str) -> None:
    """Identity is the form and nothing else: no third text comes between."""
    try:
        first, second = read_key(one), read_key(other)
    except NotAKey:
        assert {normal_key(one), normal_key(other)} & {"", *NEVER_KEYS}
        return

    assert (first.text == second.text) is (normal_key(one) == normal_key(other))
    assert first.text == unicodedata.normalize("NFC", first.text)


@given(TEXTS.filter(lambda text: text != normal_key(text)))
def test_whatever_is_changed_is_told(text: str) -> None:
    """No key is read otherwise than it stands without a word in `check`."""
    assert list(oddities(text))
    if normal_key(text):
        assert read_key(text) == SourceKey(normal_key(text), text, is_odd=True)


def test_a_number_that_a_spreadsheet_has_rounded_is_told() -> None:
    """It stays what it is, but must not be relied on."""
    assert read_key("4.71E+12") == SourceKey("4.71E+12", None, is_odd=True)
    assert [code for code, _ in oddities("4.71E+12")] == ["key_rounded"]
