"""Making the page of a run, `report.html`, from what its folder holds; also while it works, or after it was killed."""

import contextlib
import datetime as dt
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bulkgladly.storage.durable import partial_of

__all__ = ("PAGE", "write_page")

PAGE = "report.html"


def write_page(folder: Path, *, reasons: Sequence[Mapping[str, Any]] = ()) -> Path:
    """Write `report.html` into a run's folder, readable by its owner only, and return its path.

    `reasons` say why rows did not arrive, as `reasons` of a report does, for a run that was killed: its journal has
    the codes alone. The page is written whole or not at all. It is not waited for the disk: it can be made again.

    Raises:
        JournalDamaged: The run cannot be used.
        OSError: The page cannot be written.
    """
    # Only here: a command that makes no page does not load what draws it.
    from bulkgladly.pages.page_template import rendered  # noqa: PLC0415
    from bulkgladly.pages.page_view import view_of  # noqa: PLC0415
    from bulkgladly.pages.run_facts import facts_of  # noqa: PLC0415

    content = rendered(view_of(facts_of(folder, dt.datetime.now(dt.UTC), reasons)))
    path = folder / PAGE
    aside = partial_of(path)
    try:
        handle = os.open(aside, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        aside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
        raise
    return path
