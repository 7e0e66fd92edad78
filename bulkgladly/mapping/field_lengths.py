"""How long the value of a field may be, and what happens to longer ones. Pure."""

from dataclasses import dataclass
from typing import Any

from bulkgladly.mapping.lengths import cut_html, cut_text, split_html, split_text
from bulkgladly.mapping.row_values import Unmappable, text_of
from bulkgladly.mapping.tables import Table

__all__ = ("Length", "compile_length")


@dataclass(frozen=True, slots=True)
class Length:
    """How many characters a field takes, and what happens to longer values: reject, cut, or split.

    Each piece of a split becomes a record of its own. Their numbers are added to the field `number_in`.
    """

    most: int
    policy: str = "reject"
    is_html: bool = False
    number_in: str | None = None

    def fit(self, value: Any) -> Any:
        """Return a value that is short enough.

        Raises:
            Unmappable: It is too long and must not or cannot be cut.
        """
        if isinstance(value, list):
            return [self.fit(element) for element in value]
        if not isinstance(value, str) or len(value) <= self.most:
            return value
        if self.policy == "cut":
            return cut_html(value, self.most) if self.is_html else cut_text(value, self.most)
        raise Unmappable(
            f"has {len(value):,} characters, but max is {self.most:,}; shorten it, or choose too_long = cut or split"
        )

    def pieces(self, value: Any) -> list[str]:
        """Return a text as pieces that are short enough.

        Raises:
            Unmappable: It cannot be split, or is not a text.
        """
        return split_html(value, self.most) if self.is_html else split_text(text_of(value), self.most)


def compile_length(table: Table) -> Length | None:
    """Return what `max`, `too_long` and `number_in` of a table say, or None.

    Raises:
        UsageError: The table is not valid.
    """
    most, policy = table.number("max"), table.choice("too_long", ("reject", "cut", "split"))
    number_in = table.text("number_in")
    if most is None:
        if stray := table.given(("too_long", "number_in")):
            table.fail(stray[0], "needs max, the number of characters that fit")
        return None
    if most < 1:
        table.fail("max", "must be at least 1")
    if number_in is not None and policy != "split":
        table.fail("number_in", 'can only be used with too_long = "split"')
    return Length(most, policy or "reject", table.value("html") in ("clean", "from_text"), number_in)
