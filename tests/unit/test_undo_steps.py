"""The words of an undo whose write had no usable response are those of what Gladly holds afterwards."""

from collections.abc import Mapping, Sequence
from typing import Any

from bulkgladly.gladly.reversal import Reversal
from bulkgladly.gladly.table import IMPORTS
from bulkgladly.messages import Reply
from bulkgladly.records import Word
from bulkgladly.undo.undo_images import images_of
from bulkgladly.undo.undo_steps import Undone, UndoTask, undo_steps
from tests.unit.stepping import DONE, GONE, LOST, completed, judged, refusal, reply
from tests.unit.test_undo_decision import CUSTOMERS, Write

CONVERSATIONS: Reversal = IMPORTS["conversations"].reversal  # type: ignore[assignment]
BEFORE: Mapping[str, Any] = {"id": "p-1", "name": "Before", "address": "1 Test Lane"}
AFTER: Mapping[str, Any] = {**BEFORE, "name": "After", "address": "2 Test Lane"}
WRITE = Write("update", BEFORE, {"name": "After", "address": "2 Test Lane"})


def played(replies: Sequence[Reply], *, write: Write = WRITE, reversal: Reversal = CUSTOMERS) -> Undone:
    """The end of an object after these replies; all must be asked for, and no more."""
    steps = undo_steps(UndoTask(str((write.before or {})["id"]), images_of([write], reversal), reversal))
    left = list(replies)
    try:
        request = next(steps)
        while True:
            request = steps.send(judged(request, completed(request, left.pop(0))))
    except StopIteration as end:
        assert not left
        found: Undone = end.value
        return found


def held(**fields: Any) -> Reply:
    return reply(200, {**AFTER, **fields})


def test_what_somebody_has_changed_after_a_lost_response_is_not_called_restored() -> None:
    """All of it, a part of it, and nothing of it."""
    before = {"name": "Before", "address": "1 Test Lane"}
    whole = played([held(), LOST, held(**before)])
    assert (whole.outcome.word, whole.outcome.code) == (Word.UPDATED, None)
    part = played([held(), LOST, held(name="By a person", address="1 Test Lane")])
    assert (part.outcome.word, part.outcome.code, part.as_before) == (Word.UPDATED, "partly", ("address",))
    assert part.outcome.detail == "restored address; left as it is: name changed since"
    nothing = played([held(), LOST, held(name="By a person", address="By another")])
    assert (nothing.outcome.word, nothing.outcome.code, nothing.as_before) == (Word.SKIPPED, "changed_since", ())


def test_a_refusal_after_a_lost_attempt_is_looked_at() -> None:
    """The lost attempt may have restored it."""
    refused = refusal(409, "taken", lost=1)
    assert played([held(), refused, held(name="Before", address="1 Test Lane")]).outcome.word is Word.UPDATED
    assert played([held(), refused, held()]).outcome.word is Word.REJECTED
    assert played([held(), refused, GONE]).outcome.code == "gone"


def test_an_undo_is_never_told_to_be_retried() -> None:
    """`retry` is for imports: an undo is repeated by `undo`."""
    details = [
        played([LOST]).outcome.detail,
        played([held(), LOST, held()]).outcome.detail,
        played([held(), LOST, LOST]).outcome.detail,
    ]
    assert [str(detail).partition("; ")[2] for detail in details] == [
        "undo the run again later",
        "undo the run again later",
        "undo the run again to look again",
    ]


def test_a_merge_after_a_lost_response_does_not_say_that_nothing_was_changed() -> None:
    """Only before anything was sent is that certain."""
    merged = refusal(301, "merged", newId="p-2")._replace(headers={"Location": "/api/v1/customer-profiles/p-2"})
    before, after = played([merged]).outcome, played([held(), LOST, merged]).outcome
    assert (before.code, after.code) == ("merged", "merged")
    assert str(before.detail).endswith("; nothing was changed")
    assert str(after.detail).endswith("; it may have been restored before")


def test_the_first_of_two_requests_is_told_if_the_second_is_refused() -> None:
    """The topics are as before, so the next import has to send them again; the status is not."""
    first = {"id": "c-1", "status": "OPEN", "topicIds": ["t-1"], "inboxId": "i", "agentId": None}
    write = Write("update", first, {"topicIds": ["t-2"], "status": "CLOSED"})
    after = {**first, "status": "CLOSED", "topicIds": ["t-1", "t-2"]}
    replies = [reply(200, after), DONE, refusal(400, "invalid_state"), reply(200, {**after, "topicIds": ["t-1"]})]

    done = played(replies, write=write, reversal=CONVERSATIONS)

    assert (done.outcome.word, done.outcome.code, done.as_before) == (Word.UPDATED, "partly", ("topicIds",))
    assert done.outcome.detail == ("restored topicIds; left as it is: status could not be restored (as the API says)")
