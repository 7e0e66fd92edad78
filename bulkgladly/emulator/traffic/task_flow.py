"""The course of a task: it is created, perhaps put off or commented, becomes due, and is closed."""

import random
from functools import partial
from typing import Any

from bulkgladly.emulator.application import Application
from bulkgladly.emulator.operations.tasks import log_task_event
from bulkgladly.emulator.organisation.clock import timestamp
from bulkgladly.emulator.traffic.schedule import Schedule

__all__ = ("TaskFlow",)


class TaskFlow:
    """Moves tasks along. A task that others have closed or deleted is left alone."""

    def __init__(self, application: Application, schedule: Schedule, draw: random.Random) -> None:
        self._application, self._store = application, application.store
        self._schedule, self._draw = schedule, draw

    def start(self, customer_id: str) -> None:
        """Create a task for a customer that becomes due before it is closed."""
        if customer_id not in self._store.customers:
            return
        task_id = self._application.add_task(customer_id, body="Call back", dueAt=self._in(60))
        if self._draw.random() < 0.5:
            self._schedule.within(10, 30, partial(self._comment, task_id))
        if self._draw.random() < 0.3:
            self._schedule.within(30, 50, partial(self._change, task_id, "DUE_DATE_UPDATED", "dueAt", 90))
        # Most tasks are closed some time after they became due.
        self._schedule.within(90, 240, partial(self._change, task_id, "CLOSED", "status", 0))

    def _in(self, seconds: float) -> str:
        return timestamp(self._store.clock.wall() + self._schedule.scaled(seconds))

    def _comment(self, task_id: str) -> None:
        if task_id in self._store.tasks:
            self._application.add_task_comment(task_id, comment="No answer yet")

    def _change(self, task_id: str, name: str, field: str, due_in_s: float) -> None:
        task = self._store.tasks.get(task_id)
        if task is None or task["status"] == "CLOSED":
            return
        value = "CLOSED" if field == "status" else self._in(due_in_s)
        self._store.tasks[task_id] = task | {field: value}
        content: dict[str, Any] = {} if field == "status" else {field: value}
        log_task_event(self._store, f"TASK/{name}", task, **content)
