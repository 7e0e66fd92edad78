"""Expressions over events, in JMESPath, and texts with expressions in them. Pure.

An expression sees one object with the members `event`, `object` and `customer`. The last two cost a request each, so
an expression says which of them it mentions, and which parts of it need the event alone.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import jmespath
import orjson
from jmespath.exceptions import JMESPathError
from jmespath.parser import ParsedResult

from bulkgladly.choices import one_of
from bulkgladly.json_paths import expression_mistake
from bulkgladly.times import to_milliseconds

__all__ = ("BadExpression", "Expression", "Inapplicable", "Template", "duration_of", "duration_words")

Node = Mapping[str, Any]
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"([1-9][0-9]{0,6})([smhd])", re.ASCII)
_LATER = re.compile(r"in +([1-9][0-9]{0,6}[smhd])", re.ASCII)
_ON_THE_LEFT = frozenset(
    {"subexpression", "index_expression", "projection", "value_projection", "filter_projection", "flatten", "pipe"}
)


class BadExpression(ValueError):
    """A text is not an expression, and the message says why."""


class Inapplicable(ValueError):
    """An expression cannot be applied to an event. The message never contains a value of it."""


def duration_of(text: object) -> float | None:
    """Return the seconds of a duration such as `90s`, `7m`, `2h` or `1d`; None if it is not one."""
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    return None if found is None else float(int(found[1]) * _UNITS[found[2]])


def duration_words(seconds: float) -> str:
    """Return a duration for people, such as `7 minutes`."""
    for size, noun in ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size and seconds % size == 0:
            number = int(seconds // size)
            return f"{number} {noun}" if number == 1 else f"{number:,} {noun}s"
    return f"{seconds:g} seconds"


@dataclass(frozen=True)
class Expression:
    """A compiled JMESPath. `needs` are the members that it mentions."""

    text: str
    needs: frozenset[str]
    _parsed: ParsedResult

    @classmethod
    def of(cls, text: str, known: Sequence[str]) -> "Expression":
        """Compile a text.

        Raises:
            BadExpression: It is not JMESPath, or begins with a member that is not known.
        """
        try:
            parsed = jmespath.compile(text)
        except JMESPathError as error:
            reason = expression_mistake(error)
            raise BadExpression(f"{text!r} is not valid JMESPath: {reason}") from None
        roots = frozenset(_roots(parsed.parsed))
        if unknown := sorted(roots - {*known}):
            raise BadExpression(f"{text!r} begins with {unknown[0]!r}; it must begin with {one_of(known)}")
        return cls(text, roots, parsed)

    def value(self, document: Mapping[str, Any]) -> Any:
        """Return what the expression finds; None if it finds nothing.

        Raises:
            Inapplicable: It cannot be applied.
        """
        try:
            return self._parsed.search(document)
        except (JMESPathError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
            # The message of the library is left out, since it quotes the value.
            raise Inapplicable(f"{self.text} cannot be applied to this event ({type(error).__name__})") from None

    def holds(self, document: Mapping[str, Any]) -> bool:
        """Tell whether the expression finds something that JMESPath counts as true."""
        found = self.value(document)
        # In JMESPath, 0 is true; null, false, and what is empty are not.
        return found is not None and found is not False and not (isinstance(found, str | list | dict) and not found)

    def parts(self) -> list["Expression"]:
        """Return the expressions that must all hold, in their order: those between `&&`, outside of parentheses."""
        return [
            Expression(self.text, frozenset(_roots(node)), ParsedResult(self.text, cast("Any", node)))
            for node in _ands(self._parsed.parsed)
        ]

    def literals(self) -> Iterator[str]:
        """Yield all texts that are written in the expression."""
        yield from _literals(self._parsed.parsed)

    def types(self) -> frozenset[str] | None:
        """Return the types of events that it can hold for, if it compares `event.type` with texts; else None."""
        found = [types for node in _ands(self._parsed.parsed) if (types := _types(node)) is not None]
        return frozenset.intersection(*found) if found else None


def _ands(node: Node) -> Iterator[Node]:
    if node["type"] == "and_expression":
        for child in node["children"]:
            yield from _ands(child)
    else:
        yield node


def _types(node: Node) -> frozenset[str] | None:
    """Return the types for which a node can hold; None if it does not say."""
    children = node.get("children", [])
    if node["type"] == "comparator" and node["value"] == "eq":
        texts = [child["value"] for child in children if child["type"] == "literal"]
        is_type = any(_is_type(child) for child in children)
        return frozenset(texts) if is_type and texts and isinstance(texts[0], str) else None
    if node["type"] == "or_expression":
        found = [_types(child) for child in children]
        return None if None in found else frozenset().union(*(types for types in found if types))
    return None


def _is_type(node: Node) -> bool:
    names = [child.get("value") for child in node.get("children", [])]
    return node["type"] == "subexpression" and names == ["event", "type"]


def _literals(node: Node) -> Iterator[str]:
    value = node.get("value")
    if node["type"] == "literal":
        yield from (each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str))
    for child in node.get("children", []):
        yield from _literals(child)


def _roots(node: Node) -> list[str]:
    """Return the members that an expression starts from; its right-hand parts are relative to them."""
    children = node.get("children", [])
    if node["type"] == "field":
        return [node["value"]]
    if node["type"] == "current":
        return ["@"]
    if node["type"] == "expref":
        return []  # relative to the elements of a list
    if node["type"] in _ON_THE_LEFT:
        return _roots(children[0])
    return [name for child in children for name in _roots(child)]


# --- texts with expressions in them ---


@dataclass(frozen=True)
class Template:
    """A text with expressions in braces, such as `Call {customer.name}`; `{{` stands for a brace.

    A text that is one expression gives its value, whatever it is; within a longer text it gives a text, and nothing
    if it finds nothing. `{in 2h}` is the moment two hours after the rule has fired.
    """

    text: str
    needs: frozenset[str]
    _pieces: tuple[str | Callable[[Mapping[str, Any], dt.datetime], Any], ...]

    @classmethod
    def of(cls, text: str, known: Sequence[str]) -> "Template":
        """Compile a text.

        Raises:
            BadExpression: A brace is not closed, or an expression is not valid.
        """
        pieces: list[str | Callable[[Mapping[str, Any], dt.datetime], Any]] = []
        needs: set[str] = set()
        for is_expression, piece in _split(text):
            if not is_expression:
                pieces.append(piece)
            elif (later := _LATER.fullmatch(piece.strip())) is not None:
                pieces.append(_moment_after(duration_of(later[1]) or 0.0))
            elif piece.strip().startswith("in "):
                raise BadExpression(f"'{{{piece}}}' is not a moment; write it such as {{in 2h}}, with s, m, h or d")
            else:
                expression = Expression.of(piece, known)
                needs |= expression.needs
                pieces.append(_reading(expression))
        return cls(text, frozenset(needs), tuple(pieces))

    @property
    def is_constant(self) -> bool:
        """Whether it has no expression."""
        return all(isinstance(piece, str) for piece in self._pieces)

    def fill(self, document: Mapping[str, Any], fired_at: dt.datetime) -> Any:
        """Return the value for an event; None if the text is one expression that finds nothing.

        Raises:
            Inapplicable: An expression cannot be applied.
        """
        values = [piece if isinstance(piece, str) else piece(document, fired_at) for piece in self._pieces]
        if len(self._pieces) == 1 and not isinstance(self._pieces[0], str):
            return values[0]
        return "".join(_as_text(value) for value in values)


def _reading(expression: Expression) -> Callable[[Mapping[str, Any], dt.datetime], Any]:
    return lambda document, _: expression.value(document)


def _moment_after(seconds: float) -> Callable[[Mapping[str, Any], dt.datetime], Any]:
    return lambda _, fired_at: to_milliseconds(fired_at + dt.timedelta(seconds=seconds))


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else orjson.dumps(value).decode()


def _split(text: str) -> Iterator[tuple[bool, str]]:
    """Yield the pieces of a template, and whether each is an expression."""
    plain, at = "", 0
    while at < len(text):
        if text.startswith(("{{", "}}"), at):
            plain, at = plain + text[at], at + 2
        elif text[at] == "{":
            end = _closing(text, at)
            if plain:
                yield False, plain
            yield True, text[at + 1 : end]
            plain, at = "", end + 1
        else:
            plain, at = plain + text[at], at + 1
    if plain or not text:
        yield False, plain


def _closing(text: str, at: int) -> int:
    """Return where the brace that opens at a place is closed. Braces in quotes do not count."""
    depth, quote = 0, ""
    for place in range(at, len(text)):
        character = text[place]
        if quote:
            quote = "" if character == quote and text[place - 1] != "\\" else quote
        elif character in "'\"`":
            quote = character
        else:
            depth += (character == "{") - (character == "}")
            if depth == 0:
                return place
    raise BadExpression(f"{text!r} has a brace that is not closed; write {{{{ for a brace that is meant as one")
