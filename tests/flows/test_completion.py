"""Completion as a shell asks for it: by the variables of its protocol, once from a real bash."""

import datetime as dt
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bulkgladly.cli.app import run
from bulkgladly.exports.chosen_kinds import EXPORT_WORDS
from bulkgladly.gladly.table import IMPORTS, METRIC_SETS
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.run_header import RunHeader
from bulkgladly.lake.schemas import DATA_SETS

Ask = Callable[..., list[str]]

SETTINGS = """\
state_dir = "kept"
[profiles.sandbox]
host = "https://sandbox.example.org"
username = "agent@example.org"
token_env = "GLADLY_API_TOKEN"
[profiles.production]
host = "https://acme.example.org"
username = "agent@example.org"
token_env = "GLADLY_API_TOKEN"
"""


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """What a shell gets for a line; the last word is the one that is being typed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BULKGLADLY_STATE_DIR", raising=False)

    def complete(*words: str, by: str = "bash") -> list[str]:
        line = ["bulkgladly", *words]
        monkeypatch.setenv("_BULKGLADLY_COMPLETE", f"complete_{by}")
        monkeypatch.setenv("COMP_WORDS", " ".join(line))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        monkeypatch.setenv("_TYPER_COMPLETE_ARGS", " ".join(line))
        monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
        monkeypatch.setattr(sys, "argv", ["bulkgladly"])
        with pytest.raises(SystemExit, match="0"):
            run()
        told = capsys.readouterr()
        assert told.err == ""
        return told.out.split("\n")[:-1] if told.out.strip() else []

    return complete


@pytest.mark.parametrize(
    ("words", "proposals"),
    [
        (("imp",), ["import"]),
        (("import", "cust"), ["customers"]),
        (("check", "task"), ["tasks", "task-comments"]),
        (("import", "customers", ""), []),  # the shell proposes files
        (("import", "customers", "f.csv", "--on-conflict", ""), ["quarantine", "skip", "update", "merge"]),
        (("import", "customers", "f.csv", "--invalid"), ["--invalid-contacts"]),
        (("map", "init", "f.csv", "--to", "note"), ["notes"]),
        (("schema", "show", "AgentSummaryV"), ["AgentSummaryV2"]),
        (("export", "agents-"), ["agents-list"]),
        (("export", "report", "ConversationE"), ["ConversationExportReport"]),
        (("export", "report", "X", "--aggregation", "d"), ["daily"]),
        (("dump", "lake", "--what", "agents,inb"), ["agents,inboxes"]),
        (("dump", "lake", "--reports", "AgentSummaryV2,ConversationE"), ["AgentSummaryV2,ConversationExportReport"]),
        (("follow", "--entities", "CONTACT,CONV"), ["CONTACT,CONVERSATION"]),
        (("help", "runs", ""), ["list", "show", "open", "pause", "continue", "rate", "stop", "purge"]),
    ],
)
def test_words_of_closed_lists_are_proposed(words: tuple[str, ...], proposals: list[str], ask: Ask) -> None:
    """Objects, reports, options, choices and commands; in a list none that it has already."""
    assert ask(*words) == proposals


def test_nothing_is_left_out(ask: Ask) -> None:
    """Every object that can be moved, and every report."""
    assert ask("import", "") == list(IMPORTS)
    assert sorted(ask("export", "")) == sorted([*EXPORT_WORDS, "reports"])
    assert sorted(ask("export", "report", "")) == sorted(METRIC_SETS)
    assert sorted(ask("schema", "show", "")) == sorted({*IMPORTS, *DATA_SETS, *METRIC_SETS})


def test_profiles_and_runs_are_those_of_the_settings_file(ask: Ask, tmp_path: Path) -> None:
    """Its state directory counts; `resume` proposes what can be resumed, `retry` no exports."""
    (tmp_path / "bulkgladly.toml").write_text(SETTINGS, encoding="utf-8")
    names = []
    for resource, mode in (("customers", "upsert"), ("dump", "export")):
        with RunFolder.create(tmp_path / "kept", resource, mode, dt.datetime(2026, 11, 27, tzinfo=dt.UTC)) as folder:
            folder.make_journal()
            folder.write_header(
                RunHeader(
                    folder.name, resource, mode, "https://x.example.org", (), {}, "2026-11-27T09:00:00+00:00", "1"
                )
            )
            names.append(folder.name)

    assert ask("doctor", "--profile", "") == ["sandbox", "production"]
    assert ask("import", "--profile", "p") == ["production"]
    assert sorted(ask("resume", "")) == sorted(ask("runs", "show", "")) == sorted(names)
    assert ask("retry", "") == names[:1]
    assert ask("resume", "--state-dir", "elsewhere", "") == []


def test_whatever_is_wrong_nothing_is_printed(ask: Ask, tmp_path: Path) -> None:
    """A person is typing a line: broken files have no proposals, and no message either."""
    (tmp_path / "bulkgladly.toml").write_text("not = [toml", encoding="utf-8")
    (tmp_path / ".bulkgladly").write_text("no folder", encoding="utf-8")

    assert ask("doctor", "--profile", "") == []
    assert ask("resume", "") == []
    assert ask("dataset", "compact", "nowhere", "") == []


def test_other_shells_get_what_a_word_means(ask: Ask) -> None:
    """Zsh and fish show it beside the word."""
    (line,) = ask("schema", "show", "AgentSummaryV", by="fish")
    assert line.startswith("AgentSummaryV2\t")
    assert '"agents-list"' in " ".join(ask("export", "agents-", by="zsh"))


def test_bash_completes_after_the_option_has_set_it_up(tmp_path: Path) -> None:
    """The option names the files that it has changed, and the script that it has written works."""
    program = tmp_path / "bulkgladly"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m bulkgladly "$@"\n', encoding="utf-8")
    program.chmod(0o700)
    script = f"""\
{program} --install-completion
source "$HOME/.bash_completions/bulkgladly.sh"
COMP_WORDS=(bulkgladly import cust) COMP_CWORD=2
_bulkgladly_completion {program}
echo "${{COMPREPLY[@]}}"
"""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": os.environ.get("PYTHONPATH", "")}

    done = subprocess.run(
        [shutil.which("bash") or "/bin/bash", "--norc", "-c", script],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.splitlines() == [
        f"wrote {tmp_path}/.bashrc",
        f"wrote {tmp_path}/.bash_completions/bulkgladly.sh",
        "completion for bash is set up; it works in the next terminal that you open",
        "customers",
    ]
    assert done.stderr == ""
