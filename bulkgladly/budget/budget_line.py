"""One class of requests of a machine's budget, as a pacer uses it."""

from typing import TYPE_CHECKING, Literal

from bulkgladly.budget.presence import Presence
from bulkgladly.budget.reservations import News, Reservations
from bulkgladly.messages import PaceNews

if TYPE_CHECKING:
    from bulkgladly.budget.machine_budget import MachineBudget

__all__ = ("BudgetLine", "Standing")

_LEAST_WAIT_S = 0.001

Standing = Literal["alone", "company", "away", "unknown"]


class BudgetLine:
    """One class of requests of a budget."""

    def __init__(self, budget: "MachineBudget", name: str) -> None:
        self.budget, self._name = budget, name
        self.latest = News()
        """What was told last, as of the last look."""

    def open(self) -> None:
        """Join those who use the budget. Each call needs a `close`."""
        self.budget.open()

    def close(self) -> None:
        """Leave."""
        self.budget.close()

    def standing(self) -> Standing:
        """Return whether others use the budget now: alone, company, away (that cannot be found out) or unknown."""
        self.budget.look_soon()
        return self.budget.standing()

    async def look(self) -> None:
        """Find out who is there and what was told; then the standing is known."""
        await self.budget.look()

    def news(self) -> PaceNews:
        """Return what was told last, as of the last look."""
        told, now = self.latest, self.budget.clock()
        return PaceNews(
            told.number, max(0.0, told.paused_until - now), told.limit, told.ease, max(0.0, now - told.eased_at)
        )

    def tell(self, *, paused_for_s: float, limit: int | None, ease: float) -> None:
        """Tell all others of a pause, of the server's limit, and of the eased pace; nobody waits for it."""
        self.budget.post(lambda file, _: file.tell(self._name, paused_for_s=paused_for_s, limit=limit, ease=ease))

    async def reserve(self, gap_s: float, n: int = 1) -> float | None:
        """Reserve the next `n` moments of the line, `gap_s` apart; return in how many seconds the first is.

        None if the budget cannot be used. Cancelled: the moments may be lost.
        """
        at = await self.budget.ask(lambda file, _: file.reserve(self._name, gap_s, n))
        return None if at is None else max(0.0, at - self.budget.clock())

    async def enter(self, gap_s: float, places: int) -> float | None:
        """Take one of the places of the line if its next moment has come. Each needs a `leave`.

        Returns 0.0 if it was taken, else in how many seconds to ask again; None if the budget cannot be used.
        Cancelled: none is taken.
        """
        owner, taken = self.budget.owner, False

        def take(file: Reservations, presence: Presence) -> tuple[bool, float]:
            nonlocal taken
            held = presence.others() | {presence.seat}
            found = file.enter(self._name, gap_s, places=places, seat=presence.seat, owner=owner, held=held)
            taken = found[0]
            return found

        found = None
        try:
            found = await self.budget.ask(take)
        finally:
            if found is None:
                # It may still be taken, or just have been.
                self.budget.post(lambda file, _: file.leave(self._name, owner=owner, number=int(taken)))
        if found is None:
            return None
        is_taken, at = found
        return 0.0 if is_taken else max(_LEAST_WAIT_S, at - self.budget.clock())

    def leave(self) -> None:
        """Give one place back."""
        self.budget.post(lambda file, _: file.leave(self._name, owner=self.budget.owner))
