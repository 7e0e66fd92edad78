"""The time by which a run must be done: whether it fits, whether it is still in time, and when it is over."""

import datetime as dt
import math
import re
from collections.abc import Callable

from bulkgladly.errors import UsageError
from bulkgladly.rate_schedule import instants_of, local_zone
from bulkgladly.runs.observer import Estimate, RunView, clock_text, counted, duration_text

__all__ = ("LOOK_S", "CannotFinish", "FinishBy", "finish_time_of")

LOOK_S = 1.0
_FIRST_VIEW_S = 60.0
_LEAST_DONE = 100
"""A forecast from less than this says little."""
_LATE_SHARE = 0.05
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})")
_EXAMPLES = "use a time such as 06:00, or a date and a time such as 2026-11-28T06:00"


def finish_time_of(flag: str, text: str, now: dt.datetime, *, zone: dt.tzinfo | None = None) -> dt.datetime:
    """Return the time that a text means, in UTC: the next 06:00 on this machine's clock, or an ISO date and time.

    In the night in which clocks go back, a time that comes twice means the next of both; in the night in which they go
    forward, a time that is skipped means the moment of the jump. `zone` is that of this machine, unless it is given.

    A date and time without an offset is in the time zone of this machine.

    Raises:
        UsageError: It is not a time, or it has passed.
    """
    zone = zone or local_zone()
    try:
        if (time := _clock_time(text.strip())) is not None:
            today = now.astimezone(zone).date()
            days = (today + dt.timedelta(days=number) for number in range(3))
            found = (each for day in days for each in instants_of(dt.datetime.combine(day, time), zone))
            return next(each for each in found if each > now)
        moment = dt.datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"{flag} {text} is not a time; {_EXAMPLES}") from None
    if len(text.strip()) <= len("2026-11-28"):
        raise UsageError(f"{flag} {text} has no time of day; {_EXAMPLES}")
    if moment.tzinfo is None:
        every = instants_of(moment, zone)
        moment = next((each for each in every if each > now), every[0])
    moment = moment.astimezone(dt.UTC)
    if moment <= now:
        raise UsageError(f"{flag} {text} has passed; name a later time")
    return moment


def _clock_time(text: str) -> dt.time | None:
    found = _CLOCK.fullmatch(text)
    return None if found is None else dt.time(int(found[1]), int(found[2]))


class CannotFinish(UsageError):
    """A run cannot be done by the time that was asked for. Nothing was sent."""


class FinishBy:
    """The time by which a run must be done, if there is one. `wall` is this machine's clock, and may be set."""

    def __init__(self, moment: dt.datetime | None, wall: Callable[[], dt.datetime]) -> None:
        self._moment, self._wall = moment, wall
        self._is_told = False

    def seconds_left(self) -> float:
        """Return the seconds until then; infinite without such a time."""
        return math.inf if self._moment is None else (self._moment - self._wall()).total_seconds()

    def judge(self, estimate: Estimate, *, part: str = "") -> str | None:
        """Return a warning if the most requests that a run may take do not fit; None if all is well.

        `part` is how to do only some of the rows, with their number as `{}`; empty if that is not possible.

        Raises:
            CannotFinish: Not even the fewest fit. Nothing was sent.
        """
        if self._moment is None:
            return None
        left_s, when = self.seconds_left(), clock_text(self._moment, self._wall())
        least_s, most_s = estimate.seconds_for(estimate.requests_low), estimate.seconds_for(estimate.requests_high)
        about = "" if estimate.rows_exact and not estimate.judged else "about "
        # A number of rows that is estimated may be a little too high.
        if least_s > left_s * (1 if not about else 1 + _LATE_SHARE):
            fewest = f"{about}{counted(estimate.requests_low, 'request')}"
            fitting = int(estimate.to_send * left_s / least_s) if math.isfinite(least_s) else 0
            some = f"{part.format(fitting)}, " if part and 0 < fitting < estimate.rows else ""
            needs = f"{estimate.requests_low / left_s:.1f} requests/s" if left_s > 0 else "more time"
            raise CannotFinish(
                f"this cannot be done by {when} (--finish-by): {fewest} {estimate.pace_text()} take "
                f"{_span_text(least_s)} and end at about {self._end_text(least_s)}; being done by then takes {needs}. "
                f"Choose a later time, {some}or omit --finish-by and use --max-duration"
            )
        if most_s > left_s:
            return (
                f"this may not be done by {when} (--finish-by): if all rows take the most requests, it ends at about "
                f"{self._end_text(most_s)}. It stops at {when}, and `resume` does the rest"
            )
        return None

    def doubt(self, estimate: Estimate) -> str | None:
        """Return a warning if not even the fewest requests fit, for a run that may still do a part."""
        try:
            return self.judge(estimate)
        except CannotFinish:
            when = clock_text(self._moment or self._wall(), self._wall())
            return f"this cannot be done by {when} (--finish-by): it stops then, and `resume` does the rest"

    def answer(self, estimate: Estimate) -> str | None:
        """Return for people whether a run that begins now would be done by then; None without such a time."""
        if self._moment is None:
            return None
        try:
            warning = self.judge(estimate)
        except CannotFinish as error:
            return str(error)
        return warning or f"this is done by {clock_text(self._moment, self._wall())} (--finish-by) if it begins now"

    def behind_text(self, view: RunView) -> str | None:
        """Return a line for people when a run begins to be late; None if it is in time, or that was told."""
        if self._moment is None or view.eta_s is None or view.seconds < _FIRST_VIEW_S or view.done < _LEAST_DONE:
            return None
        left_s = self.seconds_left()
        is_late = view.eta_s > left_s * (1 + _LATE_SHARE)
        if is_late == self._is_told:
            return None
        if not is_late and view.eta_s > left_s:
            return None  # between the two nothing is told, so that it does not flicker
        self._is_told = is_late
        when = clock_text(self._moment, self._wall())
        if not is_late:
            return f"in time again for {when} (--finish-by)"
        return (
            f"behind: at this pace it ends at about {self._end_text(view.eta_s)}, after {when} (--finish-by); it stops "
            f"at {when}, and `resume` does the rest"
        )

    def reached_text(self) -> str:
        """Return why the run stops now."""
        when = "" if self._moment is None else f" {self._moment.astimezone():%H:%M}"
        return f"the time of --finish-by,{when}, was reached"

    def _end_text(self, seconds: float) -> str:
        if not math.isfinite(seconds):
            return "no time at all"
        return clock_text(self._wall() + dt.timedelta(seconds=seconds), self._wall())


def _span_text(seconds: float) -> str:
    return duration_text(seconds) if math.isfinite(seconds) else "more than ten years"
