"""Names and source keys in rows: what they stand for, asked of the organisation and of the state."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import anyio.to_thread

from bulkgladly.api.client import Client
from bulkgladly.errors import TransportError, UsageError
from bulkgladly.files.inputs import Inputs
from bulkgladly.gladly.directory import Directory
from bulkgladly.gladly.preparation import complete
from bulkgladly.gladly.spec import Draft, Policy, ResourceSpec
from bulkgladly.gladly.table import NAME_LISTS
from bulkgladly.journal.ledger import Ledger
from bulkgladly.records import Mark, Problem, Row
from bulkgladly.runs.environment import Bounds

__all__ = ("Linker", "Names", "check_names", "fetch_directory", "names_in", "too_many_to_arrange", "whole")

Prepare = Callable[[Row], Draft | Problem]

_SCAN_ROWS = 1000
_TOLD_NAMES = 20


class Linker:
    """Puts ids in the place of names and keys, a batch at a time."""

    def __init__(self, spec: ResourceSpec, policy: Policy, ledger: Ledger, directory: Directory | None = None) -> None:
        self._spec, self._policy, self._ledger = spec, policy, ledger
        self.directory = directory or Directory()

    async def link(self, items: Sequence[Draft | Problem | None]) -> list[Draft | Problem | None]:
        """Return the items with ids in place of what they refer to, each where it was.

        An item whose reference leads nowhere becomes a problem. Those that refer to a record
        of the same kind which is not known yet come out with open links, for `link_last`.
        """
        if not self._spec.fields:
            return list(items)
        drafts = [item for item in items if isinstance(item, Draft)]
        if self._spec.arrange is not None:
            drafts = self._spec.arrange(drafts)
        known = await self._known(drafts)
        linked = {draft.row.seq: complete(draft, self._spec, self.directory, known) for draft in drafts}
        return [linked[item.row.seq] if isinstance(item, Draft) else item for item in items]

    async def link_last(self, draft: Draft) -> Draft | Problem:
        """Return a draft with ids in the place of what it left open, now that all before it are settled."""
        return complete(draft, self._spec, self.directory, await self._known([draft]), is_last=True)

    async def _known(self, drafts: Iterable[Draft]) -> Mapping[tuple[str, str], str]:
        wanted: dict[str, dict[str, dict[str, None]]] = {}
        for draft in drafts:
            for link in draft.links:
                if link.is_key:
                    formers = wanted.setdefault(link.kind, {}).setdefault(link.text, {})
                    if link.former is not None:
                        formers[link.former] = None
        found: dict[tuple[str, str], str] = {}
        for resource, keys in wanted.items():
            namespace = self._policy.namespace_of(resource)
            asked = [*keys, *(former for formers in keys.values() for former in formers)]
            ids = await self._ledger.known_in(self._policy.host, resource, namespace, asked)
            for key, formers in keys.items():
                if gladly_id := next(filter(None, (ids.get(one) for one in (key, *formers))), None):
                    found[resource, key] = gladly_id
        return found


async def fetch_directory(client: Client, kinds: Iterable[str]) -> Directory:
    """Return the names of an organisation; 1 request for each kind.

    Raises:
        TransportError: A list could not be had. Nothing was written.
    """
    lists: dict[str, list[Mapping[str, object]]] = {}
    for kind in kinds:
        reply = await client.send(NAME_LISTS[kind])
        if not reply.is_confirmed:
            raise TransportError(
                f"{NAME_LISTS[kind].operation}, which lists the names of each {kind}, was answered {reply.status}, not "
                "in a form of Gladly's; resume later"
            )
        lists[kind] = list(reply.objects)
    return Directory(lists)


def check_names(names: Mapping[str, Counter[str]], directory: Directory, *, are_rejected: bool) -> tuple[str, ...]:
    """Compare the names that an input uses with those there are; return what is wrong with them, a line each.

    Raises:
        UsageError: Some lead nowhere, or to several things, and their rows shall not be rejected.
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
            f"nothing was written: {told}. Correct the names, make what is missing, or reject these rows: "
            "--missing-names reject"
        )
    return tuple(lines)


class Names(NamedTuple):
    """The names that an input uses: by kind, with the number of rows that use each.

    `kinds` are those whose lists are needed; a kind may be needed in case only.
    """

    used: Mapping[str, Counter[str]]
    kinds: tuple[str, ...]


async def names_in(spec: ResourceSpec, inputs: Inputs, mark: Mark, prepare: Prepare, bounds: Bounds) -> Names:
    """Return the names that the rows from a mark on use. Rows beyond the first `bounds.rows_scanned` may use any.

    Raises:
        InputError: A file cannot be read on.
    """
    return await anyio.to_thread.run_sync(_names_in, spec, inputs, mark, prepare, bounds)


def whole(batches: Iterator[list[Row]], resource: str, most: int) -> Iterator[list[Row]]:
    """Yield all rows as one batch, as an input needs that has to be put in order.

    Raises:
        UsageError: There are more than `most`.
    """
    rows: list[Row] = []
    for batch in batches:
        rows += batch
        if len(rows) > most:
            raise too_many_to_arrange(resource, most)
    if rows:
        yield rows


def too_many_to_arrange(resource: str, most: int) -> UsageError:
    """Return the error about an input that has to be put in order and is too large for it."""
    return UsageError(
        f"the input has more than {most:,} {resource}, which are put in order before they are sent; "
        "split it, parents first"
    )


def _names_in(spec: ResourceSpec, inputs: Inputs, mark: Mark, prepare: Prepare, bounds: Bounds) -> Names:
    used: dict[str, Counter[str]] = {}
    kinds: dict[str, None] = {}
    seen = 0
    batches = inputs.batches(mark, size=min(_SCAN_ROWS, bounds.rows_scanned))
    for rows in whole(batches, spec.name, bounds.rows_in_order) if spec.arrange is not None else batches:
        drafts = [item for row in rows if isinstance(item := prepare(row), Draft)]
        if spec.arrange is not None:
            drafts = spec.arrange(drafts)
        for link in (link for draft in drafts for link in draft.links):
            if not link.is_key:
                kinds[link.kind] = None
                used.setdefault(link.kind, Counter())[link.text] += 1
            elif link.or_name is not None:
                kinds["topic"] = None
        seen += len(rows)
        if seen >= bounds.rows_scanned:
            return Names(used, spec.directories)
    return Names(used, tuple(kinds))
