"""The command line in this process, in a folder and an environment of the test's own."""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from bulkgladly.cli.app import run
from bulkgladly.emulator import Emulator
from bulkgladly.runs.environment import Environment
from tests.flows.quickly import QUICK

__all__ = ("HeardProgram", "Program", "Told", "heard", "program_in")

Program = Callable[..., int]
"""Runs `bulkgladly` with these arguments, and returns its exit code; takes an `environment` by name."""


class Told(NamedTuple):
    """How the program ended, and what it said."""

    code: int
    out: str
    err: str


HeardProgram = Callable[..., Told]
"""The same, with what it printed."""


def program_in(
    folder: Path, monkeypatch: pytest.MonkeyPatch, emulator: Emulator | None = None, *, stdin: bytes | None = None
) -> Program:
    """The program in a folder, with credentials for an emulator or with none. Each call gets `stdin` from its start."""
    monkeypatch.chdir(folder)
    for name in ("GLADLY_HOST", "GLADLY_USERNAME", "GLADLY_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    if emulator is not None:
        for name, value in {
            "GLADLY_HOST": emulator.url,
            "GLADLY_USERNAME": emulator.options.username,
            "GLADLY_API_TOKEN": emulator.options.token,
            "BULKGLADLY_RATE": "unlimited",
            "BULKGLADLY_NAMESPACE": folder.name,
            "COLUMNS": "200",
        }.items():
            monkeypatch.setenv(name, value)

    def call(*arguments: str, environment: Environment = QUICK) -> int:
        monkeypatch.setattr(sys, "argv", ["bulkgladly", *arguments])
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        return run(environment)

    return call


def heard(program: Program, capsys: pytest.CaptureFixture[str]) -> HeardProgram:
    """The same program, which returns what it printed as well."""

    def call(*arguments: str, environment: Environment = QUICK) -> Told:
        code = program(*arguments, environment=environment)
        told = capsys.readouterr()
        return Told(code, told.out, told.err)

    return call
