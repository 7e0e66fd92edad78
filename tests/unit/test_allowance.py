"""How many requests are in flight, as a person sees it once a second."""

from bulkgladly.api.gates import Allowance


def test_the_most_in_flight_is_seen_even_if_all_have_ended() -> None:
    """A reply may take milliseconds: at most moments nothing is in flight. What is still out counts again."""
    allowance = Allowance()

    for change in (+1, +1, +1, -1, -1):
        allowance.in_flight += change
    seen = [allowance.most_in_flight()]
    allowance.in_flight -= 1
    seen += [allowance.most_in_flight(), allowance.most_in_flight()]

    assert seen == [3, 1, 0]
