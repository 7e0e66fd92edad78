"""Words to choose from: what was meant, and how another one is refused."""

import pytest

from bulkgladly.choices import closest, closest_few, one_of, unsupported


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [
        (("a",), "'x' is not supported; choose a"),
        (("a", "b"), "'x' is not supported; choose a or b"),
        (("a", "b", "c"), "'x' is not supported; choose a, b or c"),
    ],
)
def test_a_wrong_word_is_refused_with_those_there_are(choices: tuple[str, ...], sentence: str) -> None:
    """In a sentence that does not say the opposite."""
    assert unsupported("x", choices) == sentence
    assert sentence.endswith(one_of(choices))


def test_what_was_meant_is_found_in_whatever_case() -> None:
    """And as it is spelled; nothing, where nothing comes close."""
    assert closest("NMAE", ["id", "Name"]) == "Name"
    assert closest("zzz", ["id", "Name"]) is None
    assert closest_few("agent", ["Agents", "Agency", "Topics"], most=3) == ["Agents", "Agency"]
    assert closest("nmae", ["Name"], cutoff=0.9) is None
