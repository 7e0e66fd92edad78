"""`runs open`: the page of a run, made from its folder and shown in the browser."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from bulkgladly.cli import flags
from bulkgladly.cli.output import print_json, print_lines, tell
from bulkgladly.cli.run_arguments import AnyRun, meant_run

__all__ = ("open_",)


def open_(
    run: AnyRun = None,
    print_: Annotated[bool, typer.Option("--print", help="Print where the page is, and open nothing.")] = False,
    state_dir: flags.StateDir = Path(".bulkgladly"),
    json: flags.Json = False,
) -> None:
    """Open the page of a run in the browser: its pace, outcomes, rejects with their fixes, and what to do next.

    The page is rebuilt from the run's folder, so it can be opened while the run is in progress and after it was killed.
    It is one file, report.html, without scripts, so it can be sent by email.
    """
    from bulkgladly.pages.run_page import write_page

    folder = meant_run(state_dir, run)
    page = write_page(folder.path, reasons=_reasons(folder)).absolute()
    is_open = not print_ and not json and _is_opened(page)
    if json:
        print_json({"run": folder.name, "page": str(page)})
        return
    print_lines(str(page))
    if not print_ and not is_open:
        tell("no browser found; open this file in one, or copy it to a machine that has one")


def _reasons(folder: Any) -> Sequence[Mapping[str, Any]]:
    """Return why rows did not arrive and what to do, by the journal; nothing if the run is no import."""
    from bulkgladly.imports.run_findings import reasons_in

    if not folder.has_records():
        return ()
    return [asdict(each) for each in reasons_in(folder.path, [item.path for item in folder.header().inputs])]


def _is_opened(page: Path) -> bool:
    """Open a file in the user's browser, if there is one. A browser in a terminal would take it over, and is none."""
    import webbrowser

    has_screen = sys.platform == "darwin" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")))
    try:
        return has_screen and webbrowser.open(page.as_uri())
    except (OSError, webbrowser.Error):
        return False
