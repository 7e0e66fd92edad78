"""Whatever happens in whatever order, what must be true of an organisation and of our words about it stays true.

A state machine of hypothesis imports customers and notes, crashes at a request or a commit, resumes, retries, runs a
second import beside the first, lets other people edit, merge and delete, and exports; after every step the
emulator is compared with a plain model: each customer once, no list of addresses shortened, what others wrote
kept, a note at most once, sums that hold, and words that are so.
"""

import asyncio
import itertools
import shutil
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import orjson
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from bulkgladly import ImportOptions, Pace, Report, RunFolder, UsageError, list_runs
from bulkgladly.emulator import Emulator, Fault, drop_reply, rate_limited, reset, status
from bulkgladly.exports.export_options import ExportOptions
from bulkgladly.lake.folder import DataFolder
from bulkgladly.lake.verify import verify
from tests.flows.conftest import TOKEN, World, lines
from tests.flows.quickly import dump
from tests.flows.test_kill_points import POINTS, Crash, Plug
from tests.folders import new_in_memory
from tests.planted import PEOPLE, traces

T = TypeVar("T")

_Result = TypeVar("_Result")

KEYS = st.lists(st.integers(0, 4), min_size=1, max_size=5, unique=True)
NAMES = st.sampled_from(["Ada Ashby", "Bela Birch", f"{PEOPLE[0]}"])
FAULTS: st.SearchStrategy[Fault | None] = st.sampled_from(
    [
        *(None, None, None, drop_reply(), reset(), reset(executes=True), rate_limited()),
        *(status(503), status(503, executes=True, body="html")),
    ]
)
# "before commit" needs more records than there are here: without a crash it would swallow the last outcomes.
MOMENTS = sorted(set(POINTS) - {"before commit"})
WHICH = st.integers(0, 59)
"""One of what is there: drawn as a number, since what is there may depend on which of two runs was faster."""
CRASHES = st.one_of(st.none(), st.tuples(st.sampled_from(MOMENTS), st.integers(1, 4)))


@dataclass
class Held:
    """What must be true of one customer, by the id that it was seen under last."""

    emails: set[str] = field(default_factory=set[str])
    attributes: dict[str, str] = field(default_factory=dict[str, str])


def _pick(of: Sequence[T], which: int) -> T | None:
    """Return one of some things by a number of any size; None where there are none."""
    return of[which % len(of)] if of else None


class Organisation(RuleBasedStateMachine):
    """Rules are what people and processes do; invariants are what nobody may find broken."""

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._folder = new_in_memory("model-")
        self._emulator = Emulator(rate=None, token=TOKEN)
        self._emulator.add_customer(id="desk", emails=[{"original": "desk@example.org"}])
        self._emulator.add_conversation("desk", id="talk", inboxId="inbox-1")
        self._do(self._emulator.start())
        options = ImportOptions(key="crm", pace=Pace(unlimited=True), state_dir=self._folder / "state-0")
        self._world = World(self._emulator, self._folder, options)
        self._numbers = itertools.count(1)
        self._held: dict[str, Held] = {}
        self._said_created: set[str] = set()
        self._jobs = 0

    def teardown(self) -> None:
        self._do(self._emulator.stop())
        self._runner.close()
        shutil.rmtree(self._folder)

    # What we do.

    @rule(keys=KEYS, name=NAMES, fault=FAULTS, at=st.integers(1, 6), crash=CRASHES, width=st.sampled_from([1, 4]))
    def import_customers(
        self, keys: list[int], name: str, fault: Fault | None, at: int, crash: tuple[str, int] | None, width: int
    ) -> None:
        """Some of five customers, under a name, while one answer is spoiled or the process dies."""
        path = self._customers(keys, name)
        self._spoil(fault, at)
        self._work(lambda: self._world.run(path, new_run=True, pace=Pace(unlimited=True, concurrency=width)), crash)

    @rule(keys=KEYS, name=NAMES, others=KEYS, other=NAMES)
    def import_customers_twice_at_once(self, keys: list[int], name: str, others: list[int], other: str) -> None:
        """Two runs, started together, that share customers."""
        paths = [self._customers(keys, name), self._customers(others, other)]
        self._both([self._world.run(path, new_run=True) for path in paths])

    @rule(keys=KEYS, fault=FAULTS, at=st.integers(1, 6), crash=CRASHES)
    def import_notes(self, keys: list[int], fault: Fault | None, at: int, crash: tuple[str, int] | None) -> None:
        """Some of five notes, while one answer is spoiled or the process dies."""
        path = self._notes(keys)
        self._spoil(fault, at)
        self._work(lambda: self._world.run(path, resource="notes"), crash)

    @rule(keys=KEYS, others=KEYS)
    def import_notes_twice_at_once(self, keys: list[int], others: list[int]) -> None:
        """Two runs, started together, that share notes."""
        self._both([self._world.run(self._notes(each), resource="notes") for each in (keys, others)])

    @rule(fault=FAULTS, at=st.integers(1, 4), crash=CRASHES)
    def resume(self, fault: Fault | None, at: int, crash: tuple[str, int] | None) -> None:
        """Go on with what died, if anything did; that may die as well."""
        if (run := next(iter(self._unfinished()), None)) is None:
            return
        self._spoil(fault, at)
        self._work(lambda: self._world.resume(run), crash, is_first=False)

    @rule(which=WHICH)
    def retry(self, which: int) -> None:
        """Try the rejects of a run again."""
        if (run := _pick(self._finished(), which)) is None:
            return
        try:
            report = self._do(self._world.retry(run))
        except UsageError:
            return
        self._check_words(report)

    @rule()
    def export(self) -> None:
        """A night passes, and everything that is new is fetched."""
        profiles = list(self._emulator.store.customers.values())
        content = b"".join(orjson.dumps(profile) + b"\n" for profile in profiles)
        self._jobs += 1
        job = self._emulator.exports.add_job({"customers.jsonl": content}, job_id=f"job-{self._jobs}")
        options = ExportOptions(
            out=self._folder / "lake",
            words=("customers",),
            pace=Pace(unlimited=True),
            state_dir=self._folder / "export-state",
        )
        report = self._do(dump(options, self._world.credentials))

        assert report.adds_up
        assert report.exit_code == 0, report.as_dict()
        folder = DataFolder.open(options.out)
        units = {unit.unit: unit.rows for unit in folder.manifests("customers")}
        assert len(units) == self._jobs
        assert next(rows for unit, rows in units.items() if job in unit) == len(profiles)
        assert verify(folder).findings == ()

    # What others do.

    @rule(which=WHICH)
    def somebody_adds_an_address_and_an_attribute(self, which: int) -> None:
        """In Gladly, beside everything of ours."""
        if (found := _pick(self._ids(), which)) is None:
            return
        number = next(self._numbers)
        profile = self._emulator.customer(found)
        address = f"added.{number}@example.org"
        emails = [*profile["emails"], {"original": address, "normalized": address}]
        attributes = {**profile.get("customAttributes", {}), f"theirs{number}": str(number)}
        self._emulator.store.replace_customer(profile | {"emails": emails, "customAttributes": attributes})
        held = self._held.setdefault(found, Held())
        held.emails.add(address)
        held.attributes[f"theirs{number}"] = str(number)

    @rule(which=WHICH)
    def somebody_deletes_a_customer(self, which: int) -> None:
        """For good; nothing that was said of it before is false for that."""
        if (found := _pick(self._ids(), which)) is None:
            return
        self._emulator.store.remove_customer(found)
        self._held.pop(found, None)

    @rule(which=WHICH, other=WHICH)
    def somebody_merges_two_customers(self, which: int, other: int) -> None:
        """The one that stays gains what it lacks."""
        old, new = _pick(self._ids(), which), _pick(self._ids(), other)
        if old is None or new is None or old == new:
            return
        self._emulator.store.merge(old, new)
        gone, stays = self._held.pop(old, Held()), self._held.setdefault(new, Held())
        stays.emails |= gone.emails
        stays.attributes = gone.attributes | stays.attributes

    @rule(number=st.integers(0, 4))
    def somebody_else_has_the_address(self, number: int) -> None:
        """A customer that is not ours holds the address of a row, if nobody has it yet."""
        if _address(number) not in self._addresses():
            found = self._emulator.add_customer(name="Theirs", emails=[{"original": _address(number)}])
            self._held[found] = Held({_address(number)})

    # What must be true.

    @invariant()
    def every_customer_is_there_once(self) -> None:
        addresses = self._addresses()
        assert not addresses or max(addresses.values()) == 1, addresses
        keys = Counter(
            profile["customAttributes"]["crm"]
            for profile in self._emulator.store.customers.values()
            if "crm" in profile.get("customAttributes", {})
        )
        assert not keys or max(keys.values()) == 1, keys

    @invariant()
    def nothing_of_others_is_lost(self) -> None:
        for found, held in self._held.items():
            profile = self._emulator.customer(found)
            assert held.emails <= {entry["normalized"] for entry in profile["emails"]}
            assert held.attributes.items() <= profile.get("customAttributes", {}).items()

    @invariant()
    def every_note_is_there_once_at_most(self) -> None:
        notes = self._noted()
        assert not notes or max(notes.values()) == 1, notes
        assert self._said_created <= notes.keys()

    @invariant()
    def no_secret_is_left_behind(self) -> None:
        given_to_us = self._folder.glob("input-*")
        assert traces([self._folder], inputs=given_to_us) == []

    # How it is done.

    def _do(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        return self._runner.run(work)

    def _work(
        self, make: Callable[[], Coroutine[Any, Any, Report]], crash: tuple[str, int] | None, *, is_first: bool = True
    ) -> None:
        """Run a session, which may die; the next one finds what was on the disk then."""
        plug = None
        if crash is not None:
            plug = Plug(self._world, f"state-{next(self._numbers)}")
            plug.at(*crash)
        try:
            report = self._do(make())
        except Crash:
            assert plug is not None
            self._world.options = self._world.choose({"state_dir": plug.after})
            return
        except UsageError:
            # Another run of the same notes has died, and is to be resumed first.
            assert self._unfinished()
            return
        finally:
            if plug is not None:
                plug.out()
            self._emulator.faults.clear()
        self._check_words(report, is_first=is_first)

    def _both(self, sessions: Sequence[Coroutine[Any, Any, Report]]) -> None:
        async def at_once() -> list[Report | BaseException]:
            return await asyncio.gather(*sessions, return_exceptions=True)

        for found in self._do(at_once()):
            if isinstance(found, Report):
                self._check_words(found, is_first=False)
            else:
                assert isinstance(found, UsageError), found

    def _check_words(self, report: Report, *, is_first: bool = True) -> None:
        """What ended well is there, as its row says; a name only if nobody else has written since.

        What was deleted meanwhile is passed over: that an equal row costs no request is promised, too.
        """
        assert report.status == "complete", (report.status, report.reason)
        success = self._world.result(report, "success")
        if report.resource == "notes":
            self._said_created |= {line["key"] for line in success}
            return
        inputs = RunFolder(Path(report.folder)).header().inputs
        sent = {row["crm"]: row for file in inputs for row in lines(Path(file.path))}
        rows = Counter(self._now(line["gladly_id"]) for line in success)
        for line in success:
            found, row = self._now(line["gladly_id"]), sent[line["key"]]
            if found not in self._emulator.store.customers:
                assert found in self._emulator.store.deleted
                continue
            profile = self._emulator.customer(found)
            assert row["email:1"] in {entry["normalized"] for entry in profile["emails"]}
            self._held.setdefault(found, Held()).emails.add(row["email:1"])
            if is_first and rows[found] == 1 and line["action"] in ("created", "updated"):
                assert profile["name"] == row["name"]

    def _now(self, customer_id: str) -> str:
        """The id of a customer after all merges."""
        return self._emulator.store.successor(customer_id, last=True) or customer_id

    def _customers(self, keys: Sequence[int], name: str) -> Path:
        rows = [
            {"crm": f"c-{key}", "name": name, "email:1": _address(key), "customAttribute:crm": f"c-{key}"}
            for key in keys
        ]
        return self._world.ndjson(rows, f"input-{next(self._numbers)}.ndjson")

    def _notes(self, keys: Sequence[int]) -> Path:
        rows = [{"crm": f"n-{key}", "conversationId": "talk", "body": f"n-{key} {PEOPLE[0]}"} for key in keys]
        return self._world.ndjson(rows, f"input-{next(self._numbers)}.ndjson")

    def _spoil(self, fault: Fault | None, at: int) -> None:
        if fault is not None:
            self._emulator.faults.at("* /api/v1/c*", [at], fault)

    def _unfinished(self) -> list[RunFolder]:
        return [run for run in list_runs(self._world.state) if run.status() != "complete"]

    def _finished(self) -> list[RunFolder]:
        return [run for run in list_runs(self._world.state) if run.status() == "complete"]

    def _ids(self) -> list[str]:
        return sorted(set(self._emulator.store.customers) - {"desk"})

    def _addresses(self) -> Counter[str]:
        return Counter(
            entry["normalized"] for one in self._emulator.store.customers.values() for entry in one["emails"]
        )

    def _noted(self) -> Counter[str]:
        bodies = [str(item["content"].get("body", "")) for item in self._emulator.store.items.values()]
        return Counter(body.split()[0] for body in bodies if body.endswith(PEOPLE[0]))


def _address(number: int) -> str:
    return f"{number}.{PEOPLE[1]}"


def search(*, examples: int, steps: int, is_repeatable: bool) -> None:
    """Play so many games of so many steps."""
    run_state_machine_as_test(
        Organisation,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=is_repeatable,
            database=None,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
            # A failure is told at once where the time is short, and made small where there is some.
            phases=(Phase.generate,) if is_repeatable else (Phase.generate, Phase.shrink),
            print_blob=False,
        ),
    )


@pytest.mark.timeout(120)
def test_nothing_that_happens_makes_a_word_wrong() -> None:
    """A few games, the same ones on every run."""
    search(examples=12, steps=10, is_repeatable=True)


@pytest.mark.soak
@pytest.mark.timeout(3000)
def test_nothing_that_happens_for_long_makes_a_word_wrong() -> None:
    """Many games, longer, and different ones each time."""
    search(examples=400, steps=30, is_repeatable=False)
