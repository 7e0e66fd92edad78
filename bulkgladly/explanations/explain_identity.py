"""Where the key and the id of a record come from, and which row of the run holds what must be unique."""

from collections.abc import Sequence

from bulkgladly.explanations.explain_target import input_names
from bulkgladly.gladly.identity import derive_id
from bulkgladly.gladly.spec import Draft, ImportSpec
from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.journal.record_lookup import RecordLookup, SettledRecord
from bulkgladly.journal.run_folder import RunFolder
from bulkgladly.journal.run_header import RunHeader
from bulkgladly.journal.run_writes import TrailStep
from bulkgladly.messages import Meaning
from bulkgladly.records import place_of_row

__all__ = ("IdentityTeller",)


class IdentityTeller:
    """Says what identifies the records of one run. Of a run that is no import only the id is told."""

    def __init__(
        self,
        run: RunFolder,
        header: RunHeader,
        lookup: RecordLookup,
        spec: ImportSpec | None,
        options: ImportOptions | None,
    ) -> None:
        self._header, self._lookup = header, lookup
        self._names = input_names(run, header)
        self._spec, self._options = spec, options

    def key_from(self, key: str | None) -> str:
        """Return where the key comes from; nothing if there is none."""
        if key is None or self._options is None:
            return ""
        if key.startswith("content:"):
            return "of its content: no key column was named"
        if self._options.key is not None:
            return f"column {self._options.key}"
        has_key = self._options.mapping is not None and self._options.mapping.has_key
        return "the key of the mapping" if has_key else "its own id"

    def id_from(self, record: SettledRecord, draft: Draft | None, trail: Sequence[TrailStep]) -> str:
        """Return where the id comes from; `trail` are the requests of the record."""
        if record.gladly_id is None:
            return ""
        if any(step.meaning == Meaning.MOVED.value for step in trail):
            return "of the customer that remains after a merge"
        if draft is not None and draft.has_own_id and draft.id == record.gladly_id:
            return "the row's own id"
        if record.key is not None and record.gladly_id == self._derived_id(record.key):
            return "derived from the key"
        if any(step.operation == "findCustomers" for step in trail):
            return "of the customer that holds its email or phone"
        if self._spec is not None and self._spec.is_at_most_once:
            return "given by Gladly"
        return "" if draft is None else "known from before"

    def _derived_id(self, key: str) -> str | None:
        if self._options is None:
            return None
        return derive_id(self._header.host, self._header.resource, self._options.namespace, key)

    def claims(self, seq: int, draft: Draft | None) -> list[str]:
        """Return what must be unique in the run, and which earlier row has it."""
        told: list[str] = []
        for claim in draft.claims if draft is not None else ():
            held = self._lookup.claim(claim.digest)
            name = _claim_words(claim.attr)
            if held is None or held.seq == seq:
                told.append(name)
            else:
                file = self._names[held.file] if held.file < len(self._names) else ""
                told.append(f"{name} (held by {place_of_row(file, held.number)})")
        return told

    def same_row(self, record: SettledRecord, draft: Draft | None) -> str | None:
        """Return the place of the row that holds the key, if that is another one."""
        if draft is None or not draft.claims:
            return None
        held = self._lookup.claim(draft.claims[0].digest)
        if held is None or held.seq == record.seq or held.file >= len(self._names):
            return None
        return place_of_row(self._names[held.file], held.number)


def _claim_words(attr: str) -> str:
    name, bracket, rest = attr.partition("[")
    if not bracket:
        return attr
    kind = "email" if name == "emails" else "mobile" if name == "phones" else name
    return f"{kind} {int(rest.rstrip(']')) + 1}"
