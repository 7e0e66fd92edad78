"""What fires: from the timestamps of events alone, whatever the order in which they come."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from sqlite3 import Connection
from typing import NamedTuple

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkgladly.inbox.rule_memory import QueuedAction, RuleMemory, forgetful_memory
from bulkgladly.workflows.event_rule import EventRule, RuleAction
from bulkgladly.workflows.rule_engine import LATE_MS, Firing, Match, look, take

SETTLE_MS = 20_000
MINUTE = 60_000
SAY = (RuleAction(1, to="-"),)
WAITING = EventRule(
    "waiting",
    SAY,
    types=frozenset({"CONTACT/STARTED"}),
    key="contact",
    after_s=420,
    unless=frozenset({"CONTACT/ENDED"}),
)
TOGGLED = EventRule("toggled", SAY, types=frozenset({"AGENT_AVAILABILITY/UPDATED"}), key="agent", count=3, within_s=300)
LATER = EventRule("later", SAY, types=frozenset({"CONTACT/STARTED"}), after_s=60)
AT_ONCE = EventRule("at-once", SAY, types=frozenset({"CONTACT/STARTED"}))


class Happening(NamedTuple):
    """An event of a test: what it is to a rule, and when."""

    id: str
    key: str
    time_ms: int
    cancels: bool = False
    delay_ms: int = 0
    api_ids: tuple[str, ...] = ()

    @property
    def arrives_ms(self) -> int:
        return self.time_ms + self.delay_ms


def match(rule: EventRule, one: Happening) -> Match:
    return Match(rule, one.id, one.key, one.time_ms, orjson.dumps({"event": {}}), one.cancels, one.api_ids)


@contextmanager
def a_memory() -> Iterator[RuleMemory]:
    connection, memory = forgetful_memory()
    yield memory
    connection.close()


def play(rule: EventRule, happenings: Sequence[Happening], *, end_ms: int = 1 << 50) -> list[Firing]:
    """What fires if timers are looked at whenever an event comes, and at the end."""
    with a_memory() as memory:
        fired: list[Firing] = []
        rules = {rule.name: rule}
        for one in sorted(happenings, key=lambda each: each.arrives_ms):
            now_ms = one.arrives_ms
            fired += look(memory, rules, now_ms=now_ms, settle_ms=SETTLE_MS)
            fired += take(memory, [match(rule, one)], now_ms=now_ms, settle_ms=SETTLE_MS)
        return fired + look(memory, rules, now_ms=end_ms, settle_ms=SETTLE_MS)


def ids(fired: Sequence[Firing]) -> list[str]:
    return [one.event_id for one in fired]


# --- tables ---


@pytest.mark.parametrize(
    ("happenings", "expected"),
    [
        ([Happening("a", "k", 0)], ["a"]),
        ([Happening("a", "k", 0), Happening("e", "k", 6 * MINUTE, cancels=True)], []),
        ([Happening("a", "k", 0), Happening("e", "k", 7 * MINUTE, cancels=True)], []),
        ([Happening("a", "k", 0), Happening("e", "k", 7 * MINUTE + 1, cancels=True)], ["a"]),
        ([Happening("a", "k", 0), Happening("e", "other", MINUTE, cancels=True)], ["a"]),
        ([Happening("e", "k", 0, cancels=True), Happening("a", "k", 1)], ["a"]),
        ([Happening("a", "k", 0, delay_ms=9_000), Happening("e", "k", 1_000, cancels=True)], []),
        ([Happening("a", "k", 0), Happening("b", "k", MINUTE)], ["a"]),
        ([Happening("a", "k", 0), Happening("b", "k", 8 * MINUTE)], ["a", "b"]),
        ([Happening("b", "k", MINUTE), Happening("a", "k", 0, delay_ms=61_000)], ["a"]),
        ([Happening("a", "k", 0), Happening("b", "other", MINUTE)], ["a", "b"]),
        (
            [
                Happening("a", "k", 0),
                Happening("e", "k", MINUTE, cancels=True),
                Happening("b", "k", 2 * MINUTE),
            ],
            ["b"],
        ),
        ([Happening("a", "k", 0, delay_ms=7 * MINUTE), Happening("e", "k", 7 * MINUTE - 1, cancels=True)], []),
    ],
    ids=[
        "nothing ends it",
        "ended before",
        "ended at the last moment",
        "ended too late",
        "another contact ended",
        "ended before it began",
        "the end arrives first",
        "one spell is told once",
        "a second spell",
        "the first event arrives last",
        "two contacts",
        "ended, then begun again",
        "both arrive after the end",
    ],
)
def test_timers(happenings: list[Happening], expected: list[str]) -> None:
    """A timer fires once for each time that a key waits, by the timestamps."""
    assert ids(play(WAITING, happenings)) == expected


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        ([0, 1, 2], ["2"]),
        ([0, 1], []),
        ([0, 3, 6], []),
        ([0, 3, 5], ["5"]),
        ([0, 1, 2, 3, 4], ["2"]),
        ([0, 1, 2, 3, 4, 5], ["2", "5"]),
        ([0, 4, 7, 8], ["8"]),
    ],
)
def test_counts(minutes: list[int], expected: list[str]) -> None:
    """A rule fires at the last of so many events within its time, which then do not count again."""
    assert ids(play(TOGGLED, [Happening(str(each), "k", each * MINUTE) for each in minutes])) == expected


def test_counted_events_of_several_keys_are_kept_apart() -> None:
    """Three agents who toggle once each are nothing to tell of."""
    happenings = [Happening(key, key, 0) for key in "abc"]

    assert play(TOGGLED, happenings) == []
    assert len(play(EventRule("any", SAY, count=3, within_s=60), [one._replace(key="") for one in happenings])) == 1


def test_an_event_that_arrives_long_after_the_others_counts_all_the_same() -> None:
    """The window of a later event is looked at again."""
    happenings = [
        Happening("a", "k", 0),
        Happening("c", "k", 2 * MINUTE),
        Happening("b", "k", MINUTE, delay_ms=3 * MINUTE),
    ]

    assert ids(play(TOGGLED, happenings)) == ["c"]


def test_a_timer_waits_for_the_settle_window() -> None:
    """Only then have all events arrived that can cancel it; a plain delay waits for none."""
    for rule, due_ms in ((WAITING, 7 * MINUTE + SETTLE_MS), (LATER, MINUTE), (AT_ONCE, 0)):
        assert ids(play(rule, [Happening("a", "k", 0)], end_ms=due_ms)) == ["a"]
        assert due_ms == 0 or play(rule, [Happening("a", "k", 0)], end_ms=due_ms - 1) == []


def test_a_plain_delay_fires_for_each_event() -> None:
    """Nothing ends it, so there are no spells."""
    assert ids(play(LATER, [Happening("a", "", 0), Happening("b", "", 1)])) == ["a", "b"]


@pytest.mark.parametrize(("stopped_ms", "expected"), [(MINUTE, ["a"]), (60 * MINUTE, [])])
def test_after_a_long_stop_an_end_counts_although_it_came_after_the_timer(stopped_ms: int, expected: list[str]) -> None:
    """Nobody needs to hear of a contact that has ended long ago; after a short stop nothing changes."""
    ended = Happening("e", "k", 7 * MINUTE + 30_000, cancels=True)
    with a_memory() as memory:
        take(memory, [match(WAITING, Happening("a", "k", 0))], now_ms=0, settle_ms=SETTLE_MS)
        now_ms = 7 * MINUTE + SETTLE_MS + stopped_ms

        take(memory, [match(WAITING, ended)], now_ms=now_ms, settle_ms=SETTLE_MS)

        assert ids(look(memory, {"waiting": WAITING}, now_ms=now_ms, settle_ms=SETTLE_MS)) == expected


def test_events_of_a_stop_that_arrive_in_any_order_end_alike() -> None:
    """The end of the contact comes first from the feed, and its begin an hour late from a webhook."""
    now_ms = 7 * MINUTE + SETTLE_MS + LATE_MS + 1
    with a_memory() as memory:
        for one in (Happening("e", "k", 7 * MINUTE + 30_000, cancels=True), Happening("a", "k", 0)):
            take(memory, [match(WAITING, one)], now_ms=now_ms, settle_ms=SETTLE_MS)

        assert look(memory, {"waiting": WAITING}, now_ms=now_ms, settle_ms=SETTLE_MS) == []


def test_the_limit_of_an_hour() -> None:
    """Beyond it a rule does nothing until the next hour, and says so once."""
    rule = EventRule("at-once", SAY, most_per_hour=2)
    with a_memory() as memory:

        def fire(name: str, now_ms: int) -> Firing:
            (fired,) = take(memory, [match(rule, Happening(name, "", now_ms))], now_ms=now_ms, settle_ms=SETTLE_MS)
            return fired

        told = [fire(str(number), number) for number in range(4)]
        next_hour = fire("later", 3_600_000)

        assert [one.is_over for one in told] == [False, False, True, True]
        assert [one.is_first_over for one in told] == [False, False, True, False]
        assert not next_hour.is_over
        assert [one.event_id for one in memory.actions("-", 1 << 50, 9)] == ["0", "1", "later"]


def test_a_rule_does_not_fire_for_what_its_own_actions_caused() -> None:
    """Nor for what followed from them through another rule; the other rule may fire once."""
    first, second = EventRule("first", SAY), EventRule("second", SAY)
    with a_memory() as memory:

        def fire(rule: EventRule, name: str, api_ids: tuple[str, ...] = ()) -> list[QueuedAction]:
            happening = Happening(name, "", 0, api_ids=api_ids)
            take(memory, [match(rule, happening)], now_ms=0, settle_ms=SETTLE_MS)
            return [one for one in memory.actions("-", 0, 99) if one.event_id == name and one.rule == rule.name]

        (action,) = fire(first, "a")
        memory.add_effects(action, ["talk"], 0, 10)

        assert fire(first, "b", ("talk",)) == []
        assert fire(first, "c", ("other",)) != []
        (following,) = fire(second, "d", ("talk",))
        memory.add_effects(following, ["task"], 0, 10)
        assert fire(first, "e", ("task",)) == []
        assert fire(second, "f", ("task",)) == []


def test_what_is_old_is_forgotten() -> None:
    """The memory does not grow with the events that have gone by."""
    with a_memory() as memory:
        rules = {WAITING.name: WAITING, TOGGLED.name: TOGGLED}
        for number in range(50):
            one = Happening(str(number), "k", number)
            matches = [match(WAITING, one), match(TOGGLED, one), match(WAITING, one._replace(cancels=True, id="e"))]
            take(memory, matches, now_ms=number, settle_ms=SETTLE_MS)
        days = 3 * 24 * 60 * MINUTE
        look(memory, rules, now_ms=days, settle_ms=SETTLE_MS)
        look(memory, rules, now_ms=days + MINUTE * 10, settle_ms=SETTLE_MS)
        memory.forget(days)

        assert memory.next_look() is None
        assert memory.takes_in(WAITING.name, "0", days)


# --- properties ---

MARKS = st.tuples(st.sampled_from("kl"), st.integers(0, 30 * MINUTE), st.integers(0, SETTLE_MS - 1), st.booleans())


def happenings_of(marks: Sequence[tuple[str, int, int, bool]], *, cancelling: bool) -> list[Happening]:
    return [
        Happening(f"{number:03}", key, time_ms, cancelling and cancels, delay_ms)
        for number, (key, time_ms, delay_ms, cancels) in enumerate(marks)
    ]


def timers_by_hand(happenings: Sequence[Happening]) -> set[str]:
    """Which events the timer of `WAITING` fires for, from the whole history."""
    fired: set[str] = set()
    told_until: dict[str, int] = {}
    for one in sorted((each for each in happenings if not each.cancels), key=lambda each: (each.time_ms, each.id)):
        due_ms = one.time_ms + 7 * MINUTE
        is_ended = any(
            each.cancels and each.key == one.key and one.time_ms <= each.time_ms <= due_ms for each in happenings
        )
        if not is_ended and one.time_ms > told_until.get(one.key, -1):
            fired.add(one.id)
            told_until[one.key] = due_ms
    return fired


def counts_by_hand(happenings: Sequence[Happening]) -> set[str]:
    """Which events `TOGGLED` fires for, from the whole history."""
    fired: set[str] = set()
    open_: dict[str, list[int]] = {}
    for one in sorted(happenings, key=lambda each: (each.time_ms, each.id)):
        times = [time for time in open_.get(one.key, []) if time >= one.time_ms - 5 * MINUTE] + [one.time_ms]
        if len(times) == 3:
            fired.add(one.id)
            times = []
        open_[one.key] = times
    return fired


@settings(deadline=None)
@given(st.lists(MARKS, max_size=12))
def test_timers_fire_as_the_history_says(marks: list[tuple[str, int, int, bool]]) -> None:
    """In whatever order the events come within the settle window."""
    happenings = happenings_of(marks, cancelling=True)

    fired = ids(play(WAITING, happenings))

    assert sorted(fired) == sorted(timers_by_hand(happenings))


@settings(deadline=None)
@given(st.lists(MARKS, max_size=14))
def test_counts_fire_as_the_history_says(marks: list[tuple[str, int, int, bool]]) -> None:
    """In whatever order the events come within the settle window."""
    happenings = happenings_of(marks, cancelling=False)

    fired = ids(play(TOGGLED, happenings))

    assert sorted(fired) == sorted(counts_by_hand(happenings))


@settings(max_examples=50, deadline=None)
@given(st.lists(MARKS, max_size=10), st.data())
def test_duplicates_change_nothing(marks: list[tuple[str, int, int, bool]], data: st.DataObject) -> None:
    """A copy may come at any time, also after the rule has fired."""
    for rule in (WAITING, TOGGLED, LATER, AT_ONCE):
        happenings = happenings_of(marks, cancelling=rule is WAITING)
        copies = [
            one._replace(delay_ms=one.delay_ms + data.draw(st.integers(0, 40 * MINUTE)))
            for one in happenings
            if data.draw(st.booleans())
        ]

        assert sorted(ids(play(rule, [*happenings, *copies]))) == sorted(ids(play(rule, happenings)))


@settings(max_examples=50, deadline=None)
@given(st.lists(MARKS, max_size=10), st.lists(st.booleans(), min_size=40, max_size=40))
def test_a_kill_at_any_commit_changes_nothing(marks: list[tuple[str, int, int, bool]], is_killed: list[bool]) -> None:
    """What was not committed is done again by the next process, a little later, and each action is there once."""
    for rule in (WAITING, TOGGLED):
        happenings = happenings_of(marks, cancelling=rule is WAITING)
        kills = iter(is_killed)
        connection, memory = forgetful_memory()

        def step(work: Callable[[], object], kills: Iterator[bool] = kills, on: Connection = connection) -> None:
            """Do work in a transaction, after processes that die before its commit."""
            while next(kills, False):
                on.execute("BEGIN")
                work()
                on.execute("ROLLBACK")
            on.execute("BEGIN")
            work()
            on.execute("COMMIT")

        for one in sorted(happenings, key=lambda each: each.arrives_ms):
            now_ms = one.arrives_ms
            step(partial(look, memory, {rule.name: rule}, now_ms=now_ms, settle_ms=SETTLE_MS))
            step(partial(take, memory, [match(rule, one)], now_ms=now_ms, settle_ms=SETTLE_MS))
        step(partial(look, memory, {rule.name: rule}, now_ms=1 << 50, settle_ms=SETTLE_MS))

        done = [action.event_id for action in memory.actions("-", 1 << 60, 999)]
        connection.close()
        assert sorted(done) == sorted(ids(play(rule, happenings)))
