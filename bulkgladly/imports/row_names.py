"""The names that rows use instead of ids (inboxes, agents, topics), compared with those of the organisation."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import anyio.to_thread

from bulkgladly.api.client import Client
from bulkgladly.errors import TransportError, UsageError
from bulkgladly.gladly.directory import Directory
from bulkgladly.gladly.spec import Draft, ImportSpec
from bulkgladly.gladly.table import NAME_LISTS
from bulkgladly.imports.drafts import DraftReader
from bulkgladly.records import Mark, Problem

__all__ = ("Names", "check_names", "fetch_directory", "names_in")

_SCAN_ROWS = 1000
_TOLD_NAMES = 20


async def fetch_directory(client: Client, kinds: Iterable[str]) -> Directory:
    """Return the names of an organisation, with one request for each kind.

    Raises:
        TransportError: A list could not be fetched. Nothing was written.
    """
    lists: dict[str, list[Mapping[str, object]]] = {}
    for kind in kinds:
        reply = await client.send(NAME_LISTS[kind])
        if not reply.is_confirmed:
            said = f"HTTP {reply.status}, in a form that is not Gladly's" if reply.status else "no response"
            raise TransportError(
                f"the list of {kind} names ({NAME_LISTS[kind].operation}) could not be read: {said}; resume later"
            )
        lists[kind] = list(reply.objects)
    return Directory(lists)


def check_names(names: Mapping[str, Counter[str]], directory: Directory, *, are_rejected: bool) -> tuple[str, ...]:
    """Compare the names in an input with those of the organisation; return a line for each that cannot be used.

    Raises:
        UsageError: Some are unknown or ambiguous, and their rows are not to be rejected.
    """
    lines = [
        f"{kind} {name!r}: {problem.code}, {count:,} row{'' if count == 1 else 's'}"
        for kind, counts in names.items()
        for name, count in counts.most_common()
        if isinstance(problem := directory.resolve(kind, name, kind), Problem)
    ]
    if lines and not are_rejected:
        told = "; ".join(lines[:_TOLD_NAMES]) + (
            f"; and {len(lines) - _TOLD_NAMES} more" if lines[_TOLD_NAMES:] else ""
        )
        raise UsageError(
            f"nothing was written: {told}. Correct the names, create what is missing, or reject these rows: "
            '--missing-names reject, or missing_names = "reject" in a project file'
        )
    return tuple(lines)


class Names(NamedTuple):
    """The names that an input uses: by kind, with the number of rows that use each.

    `kinds` are the kinds whose lists have to be fetched. A list may be needed although no name was seen.
    """

    used: Mapping[str, Counter[str]]
    kinds: tuple[str, ...]


async def names_in(reader: DraftReader, spec: ImportSpec, start: Mark, most: int) -> Names:
    """Return the names that the rows from a mark on use; after `most` rows, the kinds that any row may use.

    Raises:
        InputError: A file cannot be read further.
    """
    return await anyio.to_thread.run_sync(_names_in, reader, spec, start, most)


def _names_in(reader: DraftReader, spec: ImportSpec, start: Mark, most: int) -> Names:
    used: dict[str, Counter[str]] = {}
    kinds: dict[str, None] = {}
    seen = 0
    with reader.rows(start, min(_SCAN_ROWS, most)) as batches:
        for rows in batches:
            drafts = [item for row in rows if isinstance(item := reader.preparer.draft_of(row), Draft)]
            if spec.arrange is not None:
                drafts = spec.arrange(drafts)
            for link in (link for draft in drafts for link in draft.links):
                if not link.is_key:
                    kinds[link.kind] = None
                    used.setdefault(link.kind, Counter())[link.text] += 1
                elif link.or_name is not None:
                    kinds["topic"] = None
            seen += len(rows)
            if seen >= most:
                return Names(used, spec.directories)
    return Names(used, tuple(kinds))
