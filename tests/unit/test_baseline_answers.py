"""What an index says of rows is what the object's own comparison says of the newest profile, for any rows."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkgladly.gladly.baseline_plan import BaselinePlan
from bulkgladly.gladly.customer_rows import changes_to
from bulkgladly.gladly.spec import Draft, Policy
from bulkgladly.gladly.table import IMPORTS
from bulkgladly.imports.baseline import Baseline
from bulkgladly.imports.baseline_index import BaselineIndex, IndexBuilder, IndexedRow, id_digest
from bulkgladly.imports.drafts import Preparer
from bulkgladly.records import Position, Row

SPEC = IMPORTS["customers"]
POLICY = Policy(host="https://example.gladly.com")
IDS = st.sampled_from(["a", "b", "c", "d"])
EMAILS = st.lists(
    st.fixed_dictionaries(
        {"original": st.sampled_from(["ada@example.org", "Ada@example.org", "bo@example.org", "cy@example.org"])},
        optional={"primary": st.just(False)},
    ),
    max_size=2,
)
PHONES = st.lists(
    st.fixed_dictionaries(
        {"original": st.sampled_from(["+16505550100", "+16505550101"])},
        optional={"type": st.sampled_from(["HOME", "MOBILE"]), "smsPreference": st.just("ON")},
    ),
    max_size=2,
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "name": st.sampled_from(["Ada", "Bo", ""]),
    "address": st.sampled_from(["1 Lane", "2 Lane"]),
    "emails": EMAILS,
    "phones": PHONES,
    "customAttributes": st.dictionaries(st.sampled_from(["x", "y"]), st.sampled_from(["1", "2"]), max_size=2),
}
PROFILES = st.lists(st.fixed_dictionaries({"id": IDS}, optional=FIELDS), max_size=8)
ROWS = st.lists(st.fixed_dictionaries({"id": IDS}, optional=FIELDS), min_size=1, max_size=6)


def plan() -> BaselinePlan:
    """That of customers."""
    assert SPEC.baseline is not None
    return SPEC.baseline


def index_of(folder: str, profiles: list[dict[str, Any]], *, is_whole: bool = True) -> BaselineIndex:
    """An index of profiles, the newest last."""
    path = Path(folder) / "index.sqlite"
    builder = IndexBuilder(path)
    rows = [
        IndexedRow([id_digest(one["id"])], is_whole, at, 0, orjson.dumps(one)) for at, one in enumerate(profiles, 1)
    ]
    builder.add(rows)
    builder.finish(
        {"lake": "lake", "data_sets": ["profiles"], "rows": len(rows), "oldest": 1, "newest": 2, "empty": []}
    )
    return BaselineIndex(path)


def drafts_of(rows: list[dict[str, Any]]) -> list[Draft]:
    """The rows that can be sent, as an import reads them."""
    preparer = Preparer(SPEC, POLICY)
    found = [preparer.draft_of(Row(Position(0, at, at), row, seq=at)) for at, row in enumerate(rows)]
    return [one for one in found if isinstance(one, Draft)]


@settings(max_examples=60, deadline=None)
@given(PROFILES, ROWS, st.booleans())
def test_it_says_what_the_comparison_of_the_object_says(
    profiles: list[dict[str, Any]], rows: list[dict[str, Any]], is_whole: bool
) -> None:
    """Field by field; of a row that is not whole, an absent field is unknown."""
    newest = {one["id"]: one for one in profiles}
    drafts = drafts_of(rows)
    with TemporaryDirectory() as folder:
        index = index_of(folder, profiles, is_whole=is_whole)
        try:
            answers = Baseline(index, plan(), POLICY).add(drafts, [None] * len(drafts))
        finally:
            index.close()

    for draft, known in zip(drafts, answers, strict=True):
        held = newest.get(draft.id)
        assert (known is None) == (held is None)
        if held is not None and known is not None:
            unread = set() if is_whole else {name for name in draft.payload if held.get(name) is None}
            equal = draft.payload.keys() - changes_to(held, draft.payload).keys() - unread
            assert known.accepted == {name: draft.fingerprints[name] for name in equal}
            assert set(known.unread) == unread
            assert known.held == ({} if known.accepted == draft.fingerprints and not unread else held)
