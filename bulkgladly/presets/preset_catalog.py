"""What the presets of the package say: the files of a system's export, and the steps that import them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from bulkgladly.choices import unsupported
from bulkgladly.errors import UsageError

__all__ = ("Preset", "PresetInput", "PresetStep", "load_preset", "preset_names")

_ORDER = ("zendesk", "kustomer", "freshdesk", "intercom", "gorgias", "salesforce", "shopify", "hubspot", "klaviyo")
_ROOT = files("bulkgladly.presets") / "systems"


@dataclass(frozen=True, slots=True)
class PresetInput:
    """One list of records in an export, such as its tickets, in one file or several.

    `names` are patterns of file names without suffix, `columns` what its rows have (with `|` between spellings), as
    paths if they are nested, and `where` a JMESPath that is true for them. `ignored` are columns that are not worth a
    custom attribute, and columns that match the pattern `custom` are custom fields. `get` says where people find it.
    """

    name: str
    names: tuple[str, ...]
    columns: tuple[str, ...]
    get: str
    where: str = ""
    ignored: tuple[str, ...] = ()
    custom: str = ""


@dataclass(frozen=True, slots=True)
class PresetStep:
    """One import: rows of `input` by `mapping`, if the inputs in `needs` are there, too, and those in `unless` are not.

    `has` is a JMESPath that must find something in a row, else there is nothing to import. `lost` says in a few words
    what is not carried over without the step.
    """

    name: str
    object: str
    mapping: str
    input: str
    lost: str
    needs: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    has: str = ""
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Preset:
    """The preset of one system. `name` is what `--from` takes, `title` what its maker calls it."""

    name: str
    title: str
    inputs: tuple[PresetInput, ...]
    steps: tuple[PresetStep, ...]

    def template(self, mapping: str) -> str:
        """Return the text of one of its mappings, before it is fitted to files."""
        return (_ROOT / self.name / mapping).read_text(encoding="utf-8")


def preset_names() -> tuple[str, ...]:
    """Return the systems that have a preset."""
    return _ORDER


@cache
def load_preset(name: str) -> Preset:
    """Return the preset of a system.

    Raises:
        UsageError: There is none of this name.
    """
    if name not in _ORDER:
        raise UsageError(f"--from: {unsupported(name, _ORDER)}")
    content = tomllib.loads((_ROOT / name / "preset.toml").read_text(encoding="utf-8"))
    return Preset(
        name=name,
        title=content["title"],
        inputs=tuple(PresetInput(name=key, **_tuples(given)) for key, given in content["inputs"].items()),
        steps=tuple(PresetStep(**_tuples(given)) for given in content["steps"]),
    )


def _tuples(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
