"""Paths as people give them: text or `Path` everywhere, and a URL never becomes a local folder."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkgladly import ExportOptions, ImportOptions, UsageError, choose_mapping, find_run, list_runs
from bulkgladly.files.inputs import Inputs
from bulkgladly.lake.folder import DataFolder
from bulkgladly.local_paths import AnyPath, local_path
from bulkgladly.runs.options import restored
from bulkgladly.runs.options import stored as stored_form
from bulkgladly.settings import load_toml

URLS = [
    "s3://bucket/lake",
    "gs://bucket/lake",
    "https://example.org/customers.csv",
    "file:///srv/lake",
    "abfss://c@a/x",
]
TAKERS: dict[str, Callable[[AnyPath], object]] = {
    "export --out": lambda path: ExportOptions(path, ("items",)),
    "--ids": lambda path: ExportOptions("lake", ("profiles",), ids=path),
    "--emails": lambda path: ExportOptions("lake", ("profiles",), emails=path),
    "--from-dataset": lambda path: ExportOptions("lake", ("profiles",), from_dataset=path),
    "export --state-dir": lambda path: ExportOptions("lake", ("items",), state_dir=path),
    "import --state-dir": lambda path: ImportOptions(state_dir=path),
    "dataset": lambda path: DataFolder.open(path, create=True),
    "runs list": lambda path: list(list_runs(path)),
    "runs show": lambda path: find_run(path, "x"),
    "--map": lambda path: choose_mapping(path, None),
    "--config": lambda path: load_toml(Path(path)),
}


@pytest.mark.parametrize("taker", TAKERS)
@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("made", [str, Path])
def test_no_night_is_written_to_a_local_folder_that_is_called_like_a_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, taker: str, made: Callable[[str], AnyPath]
) -> None:
    """Refused with what to do, whether it comes as text or as a path, which has lost a slash."""
    monkeypatch.chdir(tmp_path)

    with pytest.raises(UsageError, match=r"is a URL.*local path") as caught:
        TAKERS[taker](made(url))

    assert "://" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_url_among_the_files_of_an_import_is_refused() -> None:
    with pytest.raises(UsageError, match="is a URL"):
        Inputs.open(["https://example.org/customers.csv"])


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_no_other_path_is_refused(text: str) -> None:
    """Names with colons and slashes in other places are names."""
    if "://" not in text:
        assert local_path(text) == Path(text)


@pytest.mark.parametrize("name", ["a:b/c", "/s3:/bucket", "C:/data", "lake:2026/x", "http:", "./x://y"])
def test_names_that_look_a_little_like_urls_are_names(name: str) -> None:
    assert local_path(name) == Path(name)


def test_options_take_text_and_hold_paths() -> None:
    """And are equal to those made of paths, also after a run has stored them."""
    plain = ExportOptions(out="lake", words=("profiles",), ids="ids.txt", state_dir="state")
    same = ExportOptions(Path("lake"), ("profiles",), ids=Path("ids.txt"), state_dir=Path("state"))

    assert plain == same
    assert (plain.out, plain.ids, plain.emails) == (Path("lake"), Path("ids.txt"), None)
    assert dataclasses.replace(plain, out="other").out == Path("other")
    assert ImportOptions(state_dir="state").state_dir == Path("state")
    assert (ImportOptions().state_dir, ExportOptions("x", ()).state_dir) == (Path(".bulkgladly"), Path(".bulkgladly"))
    stored = restored(ExportOptions, stored_form(plain), Path("state"))
    assert stored.out == Path("lake").absolute()
    with pytest.raises(dataclasses.FrozenInstanceError):
        plain.out = "x"  # type: ignore[misc]


def test_an_export_without_a_data_set_is_refused() -> None:
    """There is no default for it."""
    with pytest.raises(TypeError, match="out"):
        ExportOptions(words=("items",))


def test_data_folders_and_runs_take_text(tmp_path: Path) -> None:
    assert DataFolder.open(str(tmp_path / "lake"), create=True).path == tmp_path / "lake"
    assert list(list_runs(str(tmp_path))) == []
    assert find_run(str(tmp_path), None) is None
