"""Which steps the records of an import take: those of their object, or those that were planned before."""

from typing import Protocol

from bulkgladly.gladly.spec import ImportSpec, Policy, Record, Steps
from bulkgladly.records import Outcome
from bulkgladly.runs.observer import Estimate
from bulkgladly.settings import Foreseen

__all__ = ("FreeSteps", "StepChoice")


class StepChoice(Protocol):
    """Chooses the steps of each record."""

    def at_once(self, record: Record) -> Outcome | None:
        """Return the outcome of a record that certainly needs no request; None only means that its steps are needed."""
        ...

    def steps(self, record: Record) -> Steps:
        """Return the steps that bring a record to its end."""
        ...

    def queued(self, record: Record) -> Record:
        """Return the record with the lanes in which it waits for others."""
        ...

    def fits(self, organisation: str) -> None:
        """Check that the organisation, by its id, is the one that was meant. Nothing has been written yet.

        Raises:
            UsageError: It is another one.
        """
        ...

    def estimate(self, done: int, pace: Foreseen) -> Estimate | None:
        """Return what is left to do after `done` rows; None if the rows themselves have to tell it."""
        ...


class FreeSteps:
    """The steps of the object, in the mode of the policy."""

    def __init__(self, spec: ImportSpec, policy: Policy) -> None:
        self._spec, self._policy = spec, policy

    def at_once(self, record: Record) -> Outcome | None:
        """Return the outcome of a record that certainly needs no request."""
        return self._spec.at_once(record, self._policy)

    def steps(self, record: Record) -> Steps:
        """Return the steps that bring a record to its end."""
        return self._spec.steps(record, self._policy)

    def queued(self, record: Record) -> Record:
        """Return the record as it is."""
        return record

    def fits(self, organisation: str) -> None:
        """Accept any organisation: its credentials are those of the user."""

    def estimate(self, done: int, pace: Foreseen) -> None:
        """Return None: it depends on the rows."""
