"""One promise in two lengths: a few examples in every run of the tests, and many with `make soak`."""

import pytest

__all__ = ("few_or_many",)


def few_or_many(few: int, many: int, *, name: str = "examples") -> pytest.MarkDecorator:
    """Give a test `few` of something in the default suite, and `many` of it with `make soak`."""
    long = pytest.param(many, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])
    return pytest.mark.parametrize(name, [few, long])
