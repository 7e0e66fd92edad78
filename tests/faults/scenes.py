"""Kinds of requests, each in the flow that makes them: what is run, what its words say, what the organisation holds.

A scene can contradict the words of its report from what the emulator holds and the files hold. It knows nothing of
how replies are judged.
"""

import datetime as dt
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
import pyarrow.dataset as pads

from bulkgladly import (
    Credentials,
    ImportOptions,
    Limits,
    Pace,
    Report,
    RunFolder,
    list_runs,
    resume_import,
    retry_import,
    start_export,
    start_import,
)
from bulkgladly.emulator import Emulator
from bulkgladly.emulator.organisation.event_log import Event
from bulkgladly.errors import UsageError
from bulkgladly.exports.export_options import ExportOptions, ReportQuery
from bulkgladly.exports.export_summary import ExportReport
from bulkgladly.records import Mode
from bulkgladly.runs.environment import Environment

__all__ = ("KINDS", "Scene")

ROWS = 2
PATIENCE_S = 3600.0
ITEMS = "conversation_items.jsonl"
State = str
Words = Mapping[str, frozenset[State]]


def _words(**words: tuple[State, ...]) -> Words:
    """For each word the states of which it may be said; of what was not reached nothing is said."""
    return {word: frozenset(states) for word, states in words.items()}


class Scene(ABC):
    """One flow against an organisation of its own. Words and states are by row, or by the name of a unit."""

    operation: str
    """What is answered in another way."""
    is_once = False
    """Whether what is sent may never be sent again."""
    writes = True

    def __init__(self, emulator: Emulator, folder: Path, environment: Environment) -> None:
        self.emulator, self.folder, self.environment = emulator, folder, environment
        self.exit_code = 0

    @property
    def within(self) -> dict[str, Any]:
        """The surroundings, as the functions take them that work on a run."""
        return {"environment": self.environment}

    @property
    def credentials(self) -> Credentials:
        return Credentials(self.emulator.url, self.emulator.options.username, self.emulator.options.token)

    @abstractmethod
    async def prepare(self) -> None:
        """Bring the organisation, and what is known of it, to where the flow begins."""

    @abstractmethod
    async def run(self) -> dict[str, str]:
        """Run the flow, and return the word of each row or unit."""

    @abstractmethod
    async def go_on(self) -> dict[str, str]:
        """Do what a user is told to do, now that all is well, and return the last words."""

    @abstractmethod
    def contradictions(self, words: Mapping[str, str]) -> list[str]:
        """Return what is not so of the words."""

    @abstractmethod
    def losses(self, words: Mapping[str, str]) -> list[str]:
        """Return what is lost, doubled or shortened at the end, when all is well."""


@dataclass(frozen=True)
class Import:
    """An import of two rows. `seed` prepares, `state` tells of each row how the organisation holds it."""

    operation: str
    resource: str
    rows: Callable[[Emulator], list[dict[str, Any]]]
    state: Callable[[Emulator, dict[str, Any]], State]
    fits: Words
    good: State
    mode: Mode | None = None
    seed: Callable[[Emulator], None] | None = None
    before: Callable[[Emulator], list[dict[str, Any]]] | None = None
    """Rows that are imported first, so that they are known."""
    options: Mapping[str, Any] = field(default_factory=dict)
    is_once: bool = False


class ImportScene(Scene):
    """Plays an import."""

    def __init__(self, about: Import, emulator: Emulator, folder: Path, environment: Environment) -> None:
        super().__init__(emulator, folder, environment)
        self.about, self.operation, self.is_once = about, about.operation, about.is_once
        self.rows: list[dict[str, Any]] = []
        self.run_name = ""
        self.options = ImportOptions(
            key="ref",
            pace=Pace(unlimited=True, concurrency=2),
            limits=Limits(give_up_after_s=PATIENCE_S),
            state_dir=folder / "state",
            **about.options,
        )

    async def prepare(self) -> None:
        if self.about.seed is not None:
            self.about.seed(self.emulator)
        self.rows = self.about.rows(self.emulator)
        if self.about.before is not None:
            await self._import(self.about.before(self.emulator), "before", mode=None)

    async def run(self) -> dict[str, str]:
        return self._note(await self._import(self.rows, "rows", mode=self.about.mode))

    async def go_on(self) -> dict[str, str]:
        run = self._last_run()
        words = self._words_of(run.path)
        if run.status() != "complete":
            words = self._note(await resume_import(run, self.credentials, **self.within))
        if set(words.values()) & {"rejected", "unknown"}:
            changes: dict[str, Any] = {"contacts_people": True} if "contacts_people" in self.about.options else {}
            try:
                report = await retry_import(
                    run,
                    self.credentials,
                    change=lambda stored: replace(stored, **changes),
                    **self.within,
                )
            except UsageError:
                return words  # there is nothing that may be sent again
            words |= self._note(report)
            run = self._last_run()
            if run.status() != "complete":
                words |= self._note(await resume_import(run, self.credentials, **self.within))
        return words

    def contradictions(self, words: Mapping[str, str]) -> list[str]:
        found = []
        for row in self.rows:
            word, state = words.get(row["ref"], "unprocessed"), self.about.state(self.emulator, row)
            if state not in self.about.fits.get(word, frozenset([state])):
                found.append(f"{row['ref']} is told as {word}, and is {state}")
        return found

    def losses(self, words: Mapping[str, str]) -> list[str]:
        del words
        states = [self.about.state(self.emulator, row) for row in self.rows]
        allowed = {self.about.good, "absent"} if self.is_once else {self.about.good}
        return [
            f"{row['ref']} is {state}" for row, state in zip(self.rows, states, strict=True) if state not in allowed
        ]

    async def _import(self, rows: list[dict[str, Any]], name: str, *, mode: Mode | None) -> Report:
        path = self.folder / f"{name}.ndjson"
        path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
        options = replace(self.options, mode=mode) if mode else self.options
        return await start_import(self.about.resource, [path], self.credentials, options, new_run=True, **self.within)

    def _last_run(self) -> RunFolder:
        return next(run for run in list_runs(self.options.state_dir) if run.name == self.run_name)

    def _note(self, report: Report) -> dict[str, str]:
        self.run_name, self.exit_code = report.run, report.exit_code
        assert report.adds_up, report.counts
        return self._words_of(Path(report.folder))

    def _words_of(self, folder: Path) -> dict[str, str]:
        words = {}
        for name in ("success", "rejected"):
            path = folder / f"{name}.ndjson"
            for line in path.read_bytes().splitlines() if path.exists() else ():
                found = orjson.loads(line)
                if name == "success":
                    words[found["key"]] = found["action"]
                else:
                    words[found["ref"]] = found["_bulkgladly"]["outcome"]
        counts = (
            orjson.loads((folder / "report.json").read_bytes())["counts"] if (folder / "report.json").exists() else {}
        )
        if counts.get("unchanged"):
            words |= {row["ref"]: "unchanged" for row in self.rows if row["ref"] not in words}
        return words


def _person(number: int, **more: Any) -> dict[str, Any]:
    return {
        "ref": f"r-{number}",
        "name": f"Sample Person {number}",
        "email:1": f"person.{number}@example.org",
        **more,
    }


def _people(_: Emulator) -> list[dict[str, Any]]:
    return [_person(number) for number in range(ROWS)]


def _held(emulator: Emulator, row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The customers with the address of a row."""
    wanted = row.get("email:1") or f"person.{row['ref'][2:]}@example.org"
    customers = emulator.store.customers.values()
    return [one for one in customers if any(entry["original"] == wanted for entry in one.get("emails", ()))]


def _customer_state(emulator: Emulator, row: dict[str, Any]) -> State:
    held = _held(emulator, row)
    if len(held) > 1:
        return "doubled"
    return "there" if held else "absent"


def _changed_state(emulator: Emulator, row: dict[str, Any]) -> State:
    held = _held(emulator, row)
    if len(held) != 1:
        return "doubled" if held else "absent"
    emails, attributes = held[0].get("emails", ()), held[0].get("customAttributes") or {}
    if not {f"theirs.{row['ref']}@example.org", f"person.{row['ref'][2:]}@example.org"} <= {
        entry["original"] for entry in emails
    }:
        return "shortened"
    if attributes.get("theirs") != "kept":
        return "attributes lost"
    is_new = held[0].get("name") == "Changed" and attributes.get("tier") == "gold" and len(emails) == 3
    return "new" if is_new else "old"


def _with_others(emulator: Emulator) -> None:
    """Customers with an address and an attribute of other people's."""
    for row in _people(emulator):
        emails = [{"original": row["email:1"]}, {"original": f"theirs.{row['ref']}@example.org"}]
        emulator.add_customer(
            id=f"c-{row['ref']}", name=row["name"], emails=emails, customAttributes={"theirs": "kept"}
        )


def _changes(emulator: Emulator) -> list[dict[str, Any]]:
    del emulator
    return [
        {
            **_person(number, name="Changed", **{"customAttribute:tier": "gold"}),
            "email:2": f"new.{number}@example.org",
        }
        for number in range(ROWS)
    ]


def _changes_by_id(emulator: Emulator) -> list[dict[str, Any]]:
    return [{**row, "id": f"c-{row['ref']}"} for row in _changes(emulator)]


def _talks(emulator: Emulator) -> list[str]:
    customer = emulator.add_customer(id="c-talks", name="Note Holder", emails=[{"original": "holder@example.org"}])
    return [emulator.add_conversation(customer, id=f"talk-{number}") for number in range(ROWS)]


def _notes(emulator: Emulator) -> list[dict[str, Any]]:
    return [
        {"ref": f"r-{number}", "conversationId": talk, "body": f"Note {number}"}
        for number, talk in enumerate(_talks(emulator))
    ]


def _times(bodies: list[str], body: str) -> State:
    return {0: "absent", 1: "there"}.get(bodies.count(body), "doubled")


def _note_state(emulator: Emulator, row: dict[str, Any]) -> State:
    contents = [item["content"] for item in emulator.store.items.values()]
    return _times([one["body"] for one in contents if one["type"] == "CONVERSATION_NOTE"], row["body"])


def _texts(_: Emulator) -> list[dict[str, Any]]:
    return [
        {"ref": f"r-{n}", "mobileNumber": f"+1650555010{n}", "from": "+16505550199", "body": f"Text {n}"}
        for n in range(ROWS)
    ]


def _text_state(emulator: Emulator, row: dict[str, Any]) -> State:
    contents = [item["content"] for item in emulator.store.items.values()]
    return _times([one["content"] for one in contents if one["type"] == "SMS"], row["body"])


def _contents(emulator: Emulator) -> list[dict[str, Any]]:
    del emulator
    return [
        {
            "ref": f"r-{n}",
            "answerId": "a-1",
            "language": ("en-us", "es-mx")[n],
            "type": "messaging",
            "bodyHtml": f"Text {n}",
        }
        for n in range(ROWS)
    ]


def _content_state(emulator: Emulator, row: dict[str, Any]) -> State:
    contents = emulator.store.collections["answer_contents"].values()
    held = [one for one in contents if (one["answerId"], one["language"]) == ("a-1", row["language"])]
    return "absent" if not held else "there" if held[0]["bodyHtml"] == row["bodyHtml"] else "other"


def _add_answer(emulator: Emulator) -> None:
    emulator.store.collections["answers"]["a-1"] = {"id": "a-1", "name": "Returns"}
    emulator.store.collections["answer_contents"].clear()


def _tasks(emulator: Emulator) -> list[dict[str, Any]]:
    customer = emulator.add_customer(id="c-tasks", name="Task Holder", emails=[{"original": "holder@example.org"}])
    inbox = next(iter(emulator.store.collections["inboxes"].values()))["name"]
    due = "2099-01-31T09:00:00Z"
    return [
        {"ref": f"r-{n}", "customerId": customer, "inbox": inbox, "body": f"Task {n}", "dueAt": due}
        for n in range(ROWS)
    ]


def _task_state(emulator: Emulator, row: dict[str, Any]) -> State:
    return _times([task["body"] for task in emulator.store.collections["tasks"].values()], row["body"])


_MADE = _words(created=("there",), rejected=("absent",), unchanged=("there",), updated=("there",))
_BROUGHT_UP = _words(updated=("new",), unchanged=("new",), rejected=("old", "absent"), created=())
_REMOVED = _words(deleted=("absent",), unchanged=("absent",), rejected=("there",), created=())
_CREATE = Import("createCustomer", "customers", _people, _customer_state, _MADE, "there")

IMPORTS: Mapping[str, Import] = {
    "create": _CREATE,
    "create: task": Import("createTask", "tasks", _tasks, _task_state, _MADE, "there"),
    "names: list": Import("getInboxes", "tasks", _tasks, _task_state, _MADE, "there"),
    "patch": Import(
        "updateCustomer", "customers", _changes_by_id, _changed_state, _BROUGHT_UP, "new", Mode.UPDATE, _with_others
    ),
    "put": Import(
        "addAnswerContentByLanguageAndType",
        "answer-contents",
        _contents,
        _content_state,
        _MADE,
        "there",
        None,
        _add_answer,
    ),
    "find": Import(
        "findCustomers", "customers", _changes, _changed_state, _BROUGHT_UP, "new", Mode.UPDATE, _with_others
    ),
    "get": Import(
        "getCustomer", "customers", _changes_by_id, _changed_state, _BROUGHT_UP, "new", Mode.UPDATE, _with_others
    ),
    "delete": Import(
        "deleteCustomer", "customers", _people, _customer_state, _REMOVED, "absent", Mode.DELETE, before=_people
    ),
    "once: note": Import("addNoteToConversation", "notes", _notes, _note_state, _MADE, "there", is_once=True),
    "once: message": Import(
        "sendSMS", "sms", _texts, _text_state, _MADE, "there", is_once=True, options={"contacts_people": True}
    ),
}


@dataclass(frozen=True)
class Export:
    """An export into a data set. `fill` makes what there is, and returns the options and the ids that must come."""

    operation: str
    words: tuple[str, ...]
    data_set: str
    fill: Callable[["ExportScene"], tuple[dict[str, Any], set[str]]]
    column: str = "id"
    first: tuple[str, ...] = ()
    """What is exported before anything goes wrong."""


class ExportScene(Scene):
    """Plays an export; the words are those of the units, and of the run."""

    writes = False

    def __init__(self, about: Export, emulator: Emulator, folder: Path, environment: Environment) -> None:
        super().__init__(emulator, folder, environment)
        self.about, self.operation = about, about.operation
        self.more: dict[str, Any] = {}
        self.ids: set[str] = set()

    async def prepare(self) -> None:
        self.more, self.ids = self.about.fill(self)
        if self.about.first:
            await start_export(self._options(self.about.first), self.credentials, **self.within)

    async def run(self) -> dict[str, str]:
        return self._note(await start_export(self._options(self.about.words), self.credentials, **self.within))

    async def go_on(self) -> dict[str, str]:
        words = self._note(
            await start_export(self._options(self.about.words), self.credentials, **self.within, new_run=True)
        )
        if self.exit_code == 1 and self.about.operation == "getFile":
            # What Gladly itself has called deleted is told once more before it is believed.
            words = self._note(
                await start_export(self._options(self.about.words), self.credentials, **self.within, new_run=True)
            )
        return words

    def contradictions(self, words: Mapping[str, str]) -> list[str]:
        del words
        found = self._rows()
        wrong = [f"{name} is there {count} times" for name, count in found.items() if count > 1]
        wrong += [f"{name} is there, and is no row of Gladly's" for name in found if name not in self.ids]
        missing = self.ids - found.keys()
        if missing and self.exit_code == 0:
            wrong.append(f"exit code 0, and {', '.join(sorted(missing))} missing")
        return wrong

    def losses(self, words: Mapping[str, str]) -> list[str]:
        missing = self.ids - self._rows().keys()
        wrong = [f"{name} is lost" for name in sorted(missing)]
        return wrong + ([f"exit code {self.exit_code} when all is well: {words}"] if self.exit_code else [])

    def _options(self, words: tuple[str, ...]) -> ExportOptions:
        return ExportOptions(
            out=self.folder / "lake",
            words=words,
            pace=Pace(unlimited=True, concurrency=2),
            limits=Limits(give_up_after_s=PATIENCE_S),
            state_dir=self.folder / "state",
            max_file_bytes=1 << 20,
            **self.more,
        )

    def _note(self, report: ExportReport) -> dict[str, str]:
        self.exit_code = report.exit_code
        assert report.adds_up, report.counts
        words = {f"{told.data_set} {told.unit}": f"{told.state}: {told.detail}" for told in report.told}
        return words | {"run": report.status}

    def _rows(self) -> Counter[str]:
        """How often each row is in the data set, opened as anybody would."""
        folder = self.folder / "lake" / self.about.data_set
        if not any(folder.rglob("*.parquet")):
            return Counter()
        table = pads.dataset(folder, partitioning="hive").to_table(columns=[self.about.column])
        return Counter(str(value) for value in table.column(0).to_pylist())


Filled = tuple[dict[str, Any], set[str]]


def _add_job(scene: ExportScene, contents: list[dict[str, Any]]) -> set[str]:
    """Let a job of last night have a file of items with these contents, and return their ids."""
    customer = scene.emulator.add_customer(id="c-items", name="Sample Person")
    ids = [scene.emulator.add_item(content, customer_id=customer) for content in contents]
    rows = [{**scene.emulator.store.items[one], "conversationId": "talk"} for one in ids]
    night = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(hours=5)
    scene.emulator.exports.add_job({ITEMS: b"".join(orjson.dumps(row) + b"\n" for row in rows)}, updated_at=night)
    return set(ids)


def _job(scene: ExportScene) -> Filled:
    return {}, _add_job(scene, [{"type": "CONVERSATION_NOTE", "body": "note" * (1 + 20 * n)} for n in range(ROWS)])


def _recordings(scene: ExportScene) -> Filled:
    call = {"type": "PHONE_CALL", "from": "+16505550199", "to": "+16505550100", "recordingStatus": "AVAILABLE"}
    more = {"startedAt": "2026-03-19T10:00:00Z", "recordingDuration": 1}
    return {}, _add_job(scene, [{**call, **more} for _ in range(ROWS)])


def _attachments(scene: ExportScene) -> Filled:
    file = {"id": "att-1", "contentType": "image/png", "filename": "a.png", "fileSize": 300}
    mail = {"type": "EMAIL", "from": "a@example.org", "to": ["b@example.org"], "subject": "s", "content": "c"}
    return {}, _add_job(scene, [{**mail, "attachments": [file]} for _ in range(ROWS)])


def _ids_file(scene: ExportScene, ids: set[str]) -> Path:
    path = scene.folder / "ids.txt"
    path.write_text("".join(f"{one}\n" for one in sorted(ids)))
    return path


def _profiles(scene: ExportScene) -> Filled:
    ids = {scene.emulator.add_customer(id=f"c-{n}", name=f"Sample Person {n}") for n in range(ROWS)}
    return {"ids": _ids_file(scene, ids)}, ids


def _lists_of_customer(scene: ExportScene) -> Filled:
    customer = scene.emulator.add_customer(id="c-talks", name="Sample Person")
    talks = {scene.emulator.add_conversation(customer, id=f"talk-{n}") for n in range(ROWS)}
    return {"ids": _ids_file(scene, {customer})}, talks


def _teams(scene: ExportScene) -> Filled:
    return {}, set(scene.emulator.store.collections["teams"])


def _events(scene: ExportScene) -> Filled:
    # An event is shown 15 seconds late, so these happened a while ago.
    moment = round((time.time() - 300) * 1000)
    scene.emulator.store.event_log.begin_with(
        Event("TASK/CREATED", {"customerId": "c", "taskId": f"t-{number}"}, None, moment, number)
        for number in range(ROWS)
    )
    return {}, {f"t-{number}" for number in range(ROWS)}


def _report(scene: ExportScene) -> Filled:
    day = dt.date(2026, 3, 2)
    rows = list(scene.emulator.reports.rows("ConversationExportReport", day=day))
    query = ReportQuery(metric_sets=("ConversationExportReport",), first=day, last=day)
    return {"report": query}, {str(row["Conversation ID"]) for row in rows}


EXPORTS: Mapping[str, Export] = {
    "download": Export("getFile", ("items",), "items", _job),
    "job list": Export("findJobs", ("items",), "items", _job),
    "profile": Export("getCustomer", ("profiles",), "profiles", _profiles),
    "list of a customer": Export("getConversations", ("conversations",), "conversations", _lists_of_customer),
    "list": Export("getTeams", ("teams",), "teams", _teams),
    "events": Export("listEvents", ("events",), "events", _events, column="taskId"),
    "report": Export("generateReport", ("report",), "reports/ConversationExportReport", _report, "conversation_id"),
    "media": Export("getMedia", ("recordings",), "recordings", _recordings, "itemId", ("items",)),
    "attachment": Export("getAttachment", ("attachments",), "attachments", _attachments, "itemId", ("items",)),
}


def _import(about: Import) -> Callable[[Emulator, Path, Environment], Scene]:
    return lambda emulator, folder, environment: ImportScene(about, emulator, folder, environment)


def _export(about: Export) -> Callable[[Emulator, Path, Environment], Scene]:
    return lambda emulator, folder, environment: ExportScene(about, emulator, folder, environment)


KINDS: Mapping[str, Callable[[Emulator, Path, Environment], Scene]] = {
    **{name: _import(about) for name, about in IMPORTS.items()},
    **{name: _export(about) for name, about in EXPORTS.items()},
}
