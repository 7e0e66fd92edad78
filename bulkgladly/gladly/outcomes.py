"""How a reply ends a record, in the same words for every kind of object. Pure."""

from bulkgladly.judging import claims_success, is_server_error
from bulkgladly.messages import ApiProblem, Reply
from bulkgladly.records import Outcome, Problem, Stage, Word

__all__ = ("first_problem", "refused", "undone", "unknown", "unread", "with_hint")


def first_problem(reply: Reply) -> ApiProblem:
    """Return the first error of a reply; an empty one where it names none."""
    return next(iter(reply.problems), ApiProblem())


def refused(reply: Reply, gladly_id: str | None) -> Outcome:
    """Return the reject of a record whose request was refused or never answered."""
    problem = first_problem(reply)
    if not reply.status:
        detail = f"no reply in {reply.attempts} attempts; `retry` the run later"
    elif is_server_error(reply.status):
        failed = f"the server failed {reply.attempts} times (HTTP {reply.status}); `retry` the run later"
        detail = problem.detail or failed
    elif reply.is_unclear:
        detail = f"{_odd(reply)}, and Gladly shows that it was not done; `retry` the run later"
    else:
        detail = problem.detail or "Gladly refused the request and gave no reason"
    code = problem.code or (f"http_{reply.status}" if reply.status else "no_answer")
    return Outcome.rejected(
        Problem(code, detail, problem.attr, Stage.API), status=reply.status or None, gladly_id=gladly_id
    )


def undone(reply: Reply, gladly_id: str | None) -> Outcome:
    """Return the end of a record whose request was answered unclearly, where Gladly then shows that it is not there.

    A reply that claims success is believed so far that nothing may be sent again by itself: Gladly
    may have made the object under another id, or shows it late.
    """
    if not claims_success(reply.status):
        return refused(reply, gladly_id)
    return unknown(reply, gladly_id)._replace(
        detail=f"{_odd(reply)}, and Gladly does not show what was sent; look for it in Gladly, then `retry` the run"
    )


def unread(reply: Reply | None, gladly_id: str | None) -> Outcome:
    """Looking it up failed, and nothing was written: a reject that names the look-up."""
    if reply is None or (reply.status and reply.is_unclear and not is_server_error(reply.status)):
        said = "the look-up's answer was not what the API promises" if reply is None else f"the look-up: {_odd(reply)}"
        problem = Problem("unreadable", f"{said}; nothing was written", None, Stage.API)
        return Outcome.rejected(problem, gladly_id=gladly_id)
    return refused(reply, gladly_id)


def unknown(reply: Reply | None, gladly_id: str | None) -> Outcome:
    """Return the end of a record that may have been done, where asking gave no usable answer."""
    status = reply.status if reply is not None else None
    return Outcome(
        Word.UNKNOWN,
        gladly_id=gladly_id,
        stage=Stage.API,
        status=status or None,
        code="unsettled",
        detail="it may have happened, and asking gave no usable answer; `retry` the run to ask again",
    )


def with_hint(outcome: Outcome, hint: str | None) -> Outcome:
    """Return an outcome whose detail ends with what to do, if there is something to do."""
    return outcome._replace(detail=f"{outcome.detail}; {hint}") if hint else outcome


def _odd(reply: Reply) -> str:
    return f"HTTP {reply.status} with a body that is not Gladly's"
