"""Options that are numbers take plain digits alone, whatever the parser of the command line would take."""

from collections.abc import Callable, Mapping
from typing import Any, get_args, get_type_hints

from bulkgladly.errors import UsageError
from bulkgladly.plain_numbers import decimal_number, whole_number

__all__ = ("take_plain_numbers",)

_READERS: Mapping[type, tuple[Callable[[str], float | None], str]] = {
    int: (whole_number, "a whole number"),
    float: (decimal_number, "a number, such as 5 or 0.5"),
}


def take_plain_numbers(command: Any) -> None:
    """Let the options of a command that are numbers refuse everything but digits, a sign and a point.

    The texts of the command line, of the environment and of the settings file are checked before they are converted.
    """
    hints = get_type_hints(command.callback) if command.callback is not None else {}
    for one in command.params:
        hint = hints.get(one.name)
        kind = next((each for each in (hint, *get_args(hint)) if each in (int, float)), None)
        if kind is not None:
            # Typer's classes of types differ between its versions; this step of a parameter does not.
            one.process_value = _checked_first(one, *_READERS[kind])


def _checked_first(parameter: Any, number: Callable[[str], float | None], words: str) -> Callable[[Any, Any], Any]:
    convert = parameter.process_value

    def process_value(context: Any, value: Any) -> Any:
        is_wrong = isinstance(value, str) and number(value.removeprefix("-")) is None
        if is_wrong and not context.resilient_parsing:
            raise UsageError(f"{parameter.opts[0]} {value!r} is not {words}")
        return convert(context, value)

    return process_value
