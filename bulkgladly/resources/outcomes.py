"""How a reply ends a record, in the same words for every kind of object. Pure."""

from collections.abc import Generator

from bulkgladly.errors import WrongOrganisation
from bulkgladly.messages import GET_ORGANIZATION, ApiProblem, Reply, Request
from bulkgladly.records import Outcome, Problem, Stage, Word

__all__ = ("check_organisation", "first_problem", "is_unclear", "refused", "unknown", "unread")


def check_organisation(reply: Reply) -> Generator[Request, Reply, None]:
    """After a 404 or redirect on a path that always exists: is this a Gladly organisation at all?

    Raises:
        WrongOrganisation: It is not; no record is to blame.
    """
    organisation = yield GET_ORGANIZATION
    if organisation.status == 404 or 300 <= organisation.status < 400:
        raise WrongOrganisation(
            f"the host answers {reply.status} for every path; check GLADLY_HOST: it must be the organisation's own host"
        )


def first_problem(reply: Reply) -> ApiProblem:
    """Return the first error of a reply; an empty one where it names none."""
    return next(iter(reply.problems()), ApiProblem())


def is_unclear(reply: Reply) -> bool:
    """True where the request may have been executed although it was not confirmed."""
    return reply.status == 0 or reply.status >= 500


def refused(reply: Reply, gladly_id: str | None) -> Outcome:
    """Return the reject of a record whose request was refused or never answered."""
    problem = first_problem(reply)
    if reply.status == 0:
        detail = f"no answer in {reply.attempts} attempts; `retry` the run later"
    elif reply.status >= 500:
        detail = problem.detail or f"Gladly failed {reply.attempts} times; `retry` the run later"
    else:
        detail = problem.detail or "Gladly refused the request and gave no reason"
    code = problem.code or (f"http_{reply.status}" if reply.status else "no_answer")
    return Outcome.rejected(
        Problem(code, detail, problem.attr, Stage.API), status=reply.status or None, gladly_id=gladly_id
    )


def unread(reply: Reply | None, gladly_id: str | None) -> Outcome:
    """Looking it up failed, and nothing was written: a reject that names the look-up."""
    if reply is None or reply.status == 200:
        return Outcome.rejected(
            Problem("unreadable", "the look-up's answer was not what the API promises", None, Stage.API),
            gladly_id=gladly_id,
        )
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
