"""When a failed attempt is made again."""

import pytest

from bulkgladly.api.health import Health, Trouble
from bulkgladly.api.retry import AskHost, Failure, GiveUp, RetryPolicy, Verdict, Wait, backoff, decide
from bulkgladly.messages import Repeat

POLICY = RetryPolicy(max_failures=5, base_s=1.0, cap_s=30.0)


def verdict(
    failure: Failure,
    *,
    failures: int = 1,
    repeat: Repeat = Repeat.HARMLESS,
    is_host_well: bool = True,
    retry_after_s: float | None = None,
) -> Verdict:
    return decide(
        POLICY,
        failure=failure,
        failures=failures,
        repeat=repeat,
        is_host_well=is_host_well,
        random=lambda: 0.5,
        retry_after_s=retry_after_s,
    )


@pytest.mark.parametrize("repeat", list(Repeat))
@pytest.mark.parametrize("failure", [Failure.THROTTLED, Failure.UNREACHABLE])
@pytest.mark.parametrize("failures", [0, 1, 5, 1000])
def test_what_was_not_executed_is_always_repeated(failure: Failure, repeat: Repeat, failures: int) -> None:
    """A 429 and an unreachable host are waited out for ever, also for unsafe requests."""
    assert verdict(failure, failures=failures, repeat=repeat) == Wait(0.0)


@pytest.mark.parametrize("failure", [Failure.LOST, Failure.UNCLEAR])
@pytest.mark.parametrize("is_host_well", [True, False])
def test_an_unsafe_request_that_may_have_landed_is_never_repeated(failure: Failure, is_host_well: bool) -> None:
    """At most once: the first doubt ends it."""
    assert verdict(failure, repeat=Repeat.UNSAFE, is_host_well=is_host_well) == GiveUp()


@pytest.mark.parametrize("repeat", [Repeat.HARMLESS, Repeat.DETECTED])
@pytest.mark.parametrize(
    ("failures", "is_host_well", "expected"),
    [
        (1, True, Wait(0.5)),
        (2, True, Wait(1.0)),
        (4, False, Wait(4.0)),
        (5, True, GiveUp()),
        (5, False, AskHost()),
        (9, False, AskHost()),
    ],
)
def test_a_record_that_keeps_failing_is_given_back_once_the_host_is_well(
    repeat: Repeat, failures: int, is_host_well: bool, expected: Verdict
) -> None:
    """The wait doubles; after five failures the record is to blame, unless it is the host."""
    assert verdict(Failure.LOST, failures=failures, repeat=repeat, is_host_well=is_host_well) == expected


@pytest.mark.parametrize(("retry_after_s", "seconds"), [(0.0, 0.5), (7.0, 7.0), (100_000.0, 300.0)])
def test_a_server_error_may_name_the_wait(retry_after_s: float, seconds: float) -> None:
    """Retry-After lengthens the wait, within reason, and never shortens it."""
    assert verdict(Failure.UNCLEAR, retry_after_s=retry_after_s) == Wait(seconds)


@pytest.mark.parametrize(("attempt", "most_s"), [(1, 0.5), (2, 1.0), (7, 32.0), (8, 60.0), (10_000, 60.0)])
def test_backoff_is_full_jitter_below_a_doubling_bound(attempt: int, most_s: float) -> None:
    """Chance spreads the wait from nothing to the bound, and no attempt number overflows it."""
    for chance in (0.0, 0.25, 1.0):
        assert backoff(attempt, base_s=0.5, cap_s=60.0, random=iter((chance,)).__next__) == chance * most_s


def test_one_failed_connection_takes_the_host_down_and_an_answer_brings_it_back() -> None:
    """Nothing but probes should go to a host that cannot be reached."""
    health = Health(first_contact_s=30, give_up_after_s=3600)

    health.failed(10.0, unreachable=Trouble.CONNECT, answered=False)
    assert health.is_down()
    assert health.trouble is Trouble.CONNECT

    health.good()
    assert not health.is_down()
    assert health.good_answers == 1


def test_three_lost_answers_in_a_row_take_the_host_down() -> None:
    """In a row over all requests; a good reply in between restarts the count."""
    health = Health(first_contact_s=30, give_up_after_s=3600)
    states = []
    for event in "xxgxxx":
        if event == "g":
            health.good()
        else:
            health.failed(0.0, unreachable=None, answered=False)
        states.append(health.is_down())

    assert states == [False, False, False, False, False, True]


@pytest.mark.parametrize(
    ("was_known", "answered", "expected"),
    [(False, False, 30.0), (False, True, 3600.0), (True, False, 3600.0)],
)
def test_patience_depends_on_whether_the_host_ever_answered(was_known: bool, answered: bool, expected: float) -> None:
    """It counts from the first failure, not from the last good reply an idle hour ago."""
    health = Health(first_contact_s=30, give_up_after_s=3600)
    if was_known:
        health.good()

    for at in (5000.0, 5010.0):
        health.failed(at, unreachable=None, answered=answered)

    assert health.patience_s(5000.0) == expected
    assert health.patience_s(5000.0 + expected) == 0
    assert health.is_known == (was_known or answered)
