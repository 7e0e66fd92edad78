"""`map init --from SYSTEM`: mappings for the export of a system that has a preset."""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

from bulkgladly.cli.output import tell

if TYPE_CHECKING:
    from bulkgladly.files.contract import ReadOptions

__all__ = ("init_from",)


def init_from(system: str, paths: list[str], out: Path | None, reading: "ReadOptions", rows: int) -> None:
    """Write the mappings of a preset for the export in a folder or file, and tell what was recognised.

    Raises:
        UsageError: There is no such preset or export, or a file exists already.
    """
    from bulkgladly.errors import UsageError
    from bulkgladly.local_paths import local_path
    from bulkgladly.presets.preset_folder import PROJECT_FILE, preset_folder, write_folder

    if len(paths) != 1:
        raise UsageError("--from: name one PATH, the folder or file of the export")
    if out is not None and str(out) == "-":
        raise UsageError("--from writes several files; name a folder with -o FOLDER")
    today = dt.datetime.now(dt.UTC).date()
    made = preset_folder(system, local_path(paths[0]), reading, folder=out, today=today, rows=rows)
    write_folder(made)
    for line in made.recognised:
        tell(line)
    for line in made.missing:
        tell(f"not carried over: {line}")
    if made.local_numbers:
        tell(f"{made.local_note}; set phone_region in {PROJECT_FILE}, or pass --phone-region to check and import")
    count = len(made.imports)
    written = f"{count} mapping{'' if count == 1 else 's'} and {PROJECT_FILE}"
    tell(f"wrote {written} in {made.folder}; review them, then run `{made.next_command}`")
