"""Several mappings over one file: whether an earlier one gave its records the keys that this one would give."""

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from bulkgladly.errors import BulkgladlyError
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.imports.mapping_choice import mapping_of
from bulkgladly.journal.run_header import RunHeader
from bulkgladly.journal.runs import all_folders
from bulkgladly.mapping.mapping import Mapping
from bulkgladly.records import Mode
from bulkgladly.runs.options import restored

__all__ = ("notes_on_keys",)

_NAME = re.compile(r"[^{}\":$]+")


def notes_on_keys(spec: ImportSpec, host: str, options: ImportOptions, inputs: Collection[str]) -> list[str]:
    """Return a line for each other mapping that made records of the same object from the same input with equal keys.

    A newer version of a mapping has its name, and is meant to change the records of the older one. `inputs` are the
    paths and hashes of the input files.

    Raises:
        UsageError: The state directory cannot be read.
    """
    mapping = mapping_of(options.mapping)
    if mapping is None or not host or (keys := _keys_of(mapping, options.key)) is None:
        return []
    # Of several runs with one mapping, the last one is named.
    found: dict[str, str] = {}
    for header in _headers(options.state_dir):
        is_same = header.resource == spec.name and header.host == host and header.mode != Mode.DELETE.value
        if not is_same or not set(inputs) & {name for file in header.inputs for name in (file.path, file.digest)}:
            continue
        other = _other_mapping(header, options)
        if other is not None and _keys_of(other[0], other[1]) == keys:
            found[other[0].file] = header.run
    example = _example(mapping, options.key)
    return [
        f"run {run} made {spec.name} of the same input with another mapping ({Path(file).name}) and the same keys, and "
        f"records with equal keys are one record in Gladly; if these are others, use {example} in {mapping.file}"
        for file, run in found.items()
    ]


def _headers(state_dir: Path) -> Iterator[RunHeader]:
    for folder in all_folders(state_dir):
        try:
            yield folder.header()
        except BulkgladlyError:
            continue


def _other_mapping(header: RunHeader, options: ImportOptions) -> tuple[Mapping, str | None] | None:
    """Return the mapping and the key of a run if they are others than those of these options."""
    try:
        theirs = restored(ImportOptions, header.settings, options.state_dir)
        if theirs.namespace != options.namespace or theirs.mapping is None or options.mapping is None:
            return None
        # The same text in another place is no other mapping: the folder was moved or copied.
        if theirs.mapping.file == options.mapping.file or theirs.mapping.text == options.mapping.text:
            return None
        mapping = mapping_of(theirs.mapping)
    except BulkgladlyError:  # of another version, or damaged; told when that run is used
        return None
    return None if mapping is None else (mapping, theirs.key)


def _keys_of(mapping: Mapping, key: str | None) -> tuple[str, str | None] | None:
    """Return how a mapping makes keys, without the name by which it calls an element; None if it makes none."""
    row = key or (mapping.key.text if mapping.key else None)
    if row is None:
        return None
    if mapping.each is None:
        return row, None
    element = mapping.each.key
    return row, "" if element is None else element.text.replace(f"{mapping.each.name}.", "")


def _example(mapping: Mapping, key: str | None) -> str:
    text = key or (mapping.key.text if mapping.key else "")
    is_template = "{" in text
    place = text if is_template else f"{{{text}}}" if _NAME.fullmatch(text) else "{id}"
    return f"key = {{ template = '{Path(mapping.file).stem}-{place}' }}"
