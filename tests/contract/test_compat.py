"""What the metadata claims is what `make compat` tries."""

import re
import tomllib
from pathlib import Path

import pytest

from benchmarks.try_compat import CASES, lowest_of, requirements

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_every_python_of_the_metadata_is_tried() -> None:
    """A classifier that nothing checks is a guess."""
    claimed = {found[1] for each in PROJECT["classifiers"] if (found := re.fullmatch(r".*:: (3\.\d+)", each))}

    assert claimed == {case.python for case in CASES}


def test_every_package_is_tried_at_its_lowest_version() -> None:
    """Without exception, beside the newest tools of the tests."""
    lowest = list(requirements("lowest"))

    assert {line.partition("==")[0] for line in lowest if "==" in line} == {
        line.partition(">=")[0] for line in PROJECT["dependencies"]
    }
    assert not [line for line in lowest if line.startswith(("mypy", "pyright", "ruff", "build", "types-"))]


def test_a_package_without_a_lowest_version_is_named() -> None:
    """Rather than tried at whatever comes."""
    assert lowest_of("anyio>=4.9") == "anyio==4.9"
    with pytest.raises(SystemExit, match="orjson has no lowest version"):
        lowest_of("orjson")
