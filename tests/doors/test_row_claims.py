"""Which row holds which claim: told from memory, from the table, and by an index, always the same."""

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulkgladly.gladly.identity import digest64
from bulkgladly.journal.databases import open_journal
from bulkgladly.journal.entries import Admission, Clash
from bulkgladly.journal.row_claims import RowClaims, SeenDigests
from bulkgladly.records import Claim, Position

DIGESTS = st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(-3, 3) | st.integers(1, 9).map(lambda n: n << 40)
CLAIMS = "CREATE TABLE claims (digest INTEGER, seq INTEGER, content INTEGER, file INTEGER, number INTEGER)"
ROWS = st.lists(st.lists(DIGESTS, max_size=3), max_size=12)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Return an open journal."""
    connection = open_journal(tmp_path / "journal.sqlite")
    yield connection
    connection.close()


def admissions(rows: Iterable[Iterable[int]], first: int = 0) -> list[Admission]:
    """Return rows with these claims, of which the first is the key, each with another content."""
    return [
        Admission(
            seq,
            Position(0, seq * 10, seq + 1),
            "key",
            content=seq,
            claims=tuple(Claim("key" if nth == 0 else f"emails[{nth}]", one) for nth, one in enumerate(digests)),
        )
        for seq, digests in enumerate(rows, first)
    ]


def expected(held: dict[int, int], rows: Iterable[Admission]) -> dict[int, Clash]:
    """Return the clashes by the rule in one sentence: a claim belongs to the first row that has it."""
    clashes: dict[int, Clash] = {}
    for row in rows:
        for claim in row.claims:
            holder = held.setdefault(claim.digest, row.seq)
            if holder != row.seq and row.seq not in clashes:
                clashes[row.seq] = Clash(claim.attr, holder + 1, 0, is_equal=False)
    return clashes


@given(st.lists(ROWS, max_size=30), st.sampled_from([1, 16, 1 << 12]), st.sets(st.integers(0, 30)))
@example([[[number]] for number in [*range(12), *range(12)]], 1 << 12, set())
@example([[[0]], [[0]], [[0, 0]]], 1 << 12, set())
def test_a_claim_belongs_to_the_first_row_that_has_it(
    batches: list[list[list[int]]], slots: int, resumed: set[int]
) -> None:
    """Whatever is still in memory: after resumes, without room, and when an index had to be made."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute(CLAIMS)
    claims, held, seq = RowClaims(connection, most_slots=slots), dict[int, int](), 0
    for number, batch in enumerate(batches):
        rows = admissions(batch, seq)
        if number in resumed:
            # The rows of the last batch are admitted again, and hold what they hold.
            claims = RowClaims(connection, most_slots=slots)
            seq = max(0, seq - len(batches[number - 1]))
            rows = admissions([*batches[number - 1], *batch] if number else batch, seq)
        assert claims.take(rows) == expected(held, rows)
        seq += len(rows)
    assert dict(connection.execute("SELECT digest, seq FROM claims")) == held
    assert connection.execute("SELECT count(*) FROM claims").fetchone()[0] == len(held)
    connection.close()


def test_the_claims_of_an_older_version_count() -> None:
    """Its table was in the order of the digests."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE claims (digest INTEGER PRIMARY KEY, seq, content, file, number)")
    connection.execute("INSERT INTO claims VALUES (7, 0, 5, 0, 1)")

    clashes = RowClaims(connection).take(admissions([[7], [8]], first=1))

    assert clashes == {1: Clash("key", 1, 0, is_equal=False)}
    connection.close()


def test_only_new_claims_need_no_look(journal: sqlite3.Connection) -> None:
    """Which is why the table has no index: an index would be changed all over by each batch."""
    claims, asked = RowClaims(journal), list[str]()
    journal.set_trace_callback(asked.append)

    for first in range(0, 5_000, 250):
        rows = [[digest64("key", str(seq)), digest64("email", str(seq))] for seq in range(first, first + 250)]
        assert claims.take(admissions(rows, first)) == {}

    assert {one.split()[0] for one in asked} == {"INSERT"}


def test_many_claims_that_are_not_new_get_an_index(journal: sqlite3.Connection) -> None:
    """A file in which every second row is a duplicate does not read the whole table for each of them."""
    claims = RowClaims(journal)

    for seq in range(40):
        claims.take(admissions([[1]], seq))

    plan = journal.execute("EXPLAIN QUERY PLAN SELECT 1 FROM claims WHERE digest = 5").fetchall()
    assert "claims_by_digest" in str(plan)


@given(st.lists(DIGESTS, max_size=200), st.integers(1, 20))
def test_a_set_of_hashes_is_a_set(digests: list[int], size: int) -> None:
    """What was there already is told; only of 0 that is not known."""
    found, model = SeenDigests(1 << 10), set[int]()
    for at in range(0, len(digests), size):
        part = digests[at : at + size]
        met = [one for nth, one in enumerate(part) if one in model or one in part[:nth] or one == 0]
        model.update(part)
        assert found.add(part) == met


def test_a_full_set_says_so() -> None:
    """Then the table is asked."""
    found = SeenDigests(1 << 4)

    assert found.add(range(1, 11)) == []
    assert found.add([99]) is None
