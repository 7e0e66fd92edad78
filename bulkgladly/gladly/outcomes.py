"""How a record ends after a reply, in the same words for every kind of object. Pure."""

from bulkgladly.judging import claims_success, is_server_error
from bulkgladly.messages import ApiProblem, Reply
from bulkgladly.records import Outcome, Problem, Stage, Word

__all__ = ("first_problem", "refused", "undone", "unknown", "unread", "with_hint")


def first_problem(reply: Reply) -> ApiProblem:
    """Return the first error of a reply; an empty one if it has none."""
    return next(iter(reply.problems), ApiProblem())


def refused(reply: Reply, gladly_id: str | None) -> Outcome:
    """Return the reject of a record whose request was refused, or never got a response."""
    # Status 0 is no response at all. A 5xx may come from a gateway, and its body says nothing about the record.
    problem = first_problem(reply)
    if not reply.status:
        detail = f"no response in {reply.attempts} attempts; `retry` the run later"
    elif is_server_error(reply.status):
        failed = f"the server failed {reply.attempts} times (HTTP {reply.status}); `retry` the run later"
        detail = problem.detail or failed
    elif reply.is_unclear:
        detail = f"{_odd(reply)}, and a lookup in Gladly shows that nothing was written; `retry` the run later"
    else:
        detail = problem.detail or "Gladly refused the request and gave no reason"
    code = problem.code or (f"http_{reply.status}" if reply.status else "no_answer")
    return Outcome.rejected(
        Problem(code, detail, problem.attr, Stage.API), status=reply.status or None, gladly_id=gladly_id
    )


def undone(reply: Reply, gladly_id: str | None) -> Outcome:
    """Return the end of a record whose response was unclear, and which a look then did not find.

    If the response claimed success, nothing may be sent again automatically: Gladly may have
    created the object under another id, or may show it late.
    """
    if not claims_success(reply.status):
        return refused(reply, gladly_id)
    return unknown(reply, gladly_id)._replace(
        detail=f"{_odd(reply)}, and a lookup in Gladly did not find it; check in Gladly, then `retry` the run"
    )


def unread(reply: Reply | None, gladly_id: str | None) -> Outcome:
    """Return the reject of a record that could not be looked up, and for which nothing was written."""
    if reply is None or (reply.status and reply.is_unclear and not is_server_error(reply.status)):
        failed = (
            "the look-up failed: the response is not in Gladly's form"
            if reply is None
            else f"the look-up failed: {_odd(reply)}"
        )
        problem = Problem("unreadable", f"{failed}; nothing was written", None, Stage.API)
        return Outcome.rejected(problem, gladly_id=gladly_id)
    return refused(reply, gladly_id)


def unknown(reply: Reply | None, gladly_id: str | None) -> Outcome:
    """Return the end of a record that may have been written, if the look-up gave no usable response."""
    status = reply.status if reply is not None else None
    return Outcome(
        Word.UNKNOWN,
        gladly_id=gladly_id,
        stage=Stage.API,
        status=status or None,
        code="unsettled",
        detail="it may have been written, and the look-up gave no usable response; `retry` the run to look again",
    )


def with_hint(outcome: Outcome, hint: str | None) -> Outcome:
    """Return an outcome whose detail ends with what to do, if there is something to do."""
    return outcome._replace(detail=f"{outcome.detail}; {hint}") if hint else outcome


def _odd(reply: Reply) -> str:
    return f"HTTP {reply.status} with a body that is not Gladly's"
