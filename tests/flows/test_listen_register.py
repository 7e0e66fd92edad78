"""The webhook in Gladly: registered while the listener runs, listed, healed and removed, and never anybody else's."""

import contextlib
import datetime as dt
import json
import shlex
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bulkgladly import Credentials, Limits, Pace
from bulkgladly.cli import listen_command
from bulkgladly.cli.app import run
from bulkgladly.emulator import Emulator, drop_reply, status
from bulkgladly.emulator.operations.event_types import WEBHOOK_EVENTS
from bulkgladly.errors import BulkgladlyError, ReplyLost, UsageError, Withdrawn
from bulkgladly.gladly.event_envelopes import KNOWN_TYPES
from bulkgladly.gladly.webhook_requests import Webhook
from bulkgladly.inbox.event_inbox import Inbox
from bulkgladly.runs.connection import Connection
from bulkgladly.webhooks.healing import Healing, HealLoop, WebhookState, heal
from bulkgladly.webhooks.known_webhook import (
    OUR_NAME,
    KnownWebhook,
    forget_webhook,
    known_webhook,
    remember_webhook,
)
from bulkgladly.webhooks.listen_options import ListenOptions
from bulkgladly.webhooks.listen_secrets import ListenSecrets
from bulkgladly.webhooks.registration import Registrar, check_events, check_url
from bulkgladly.webhooks.webhook_server import WebhookServer
from tests.flows.quickly import QUICK
from tests.flows.serving import served

TOKEN = "planted-token-7f3a9c"
PASSWORD = "planted-password-1f6b"
SECRETS = ListenSecrets("gladly", [PASSWORD], [("X-Token", "planted-header-9d")])
PUBLIC = "https://hooks.example.org/gladly"
EVENTS = ("CONTACT/ENDED", "CONTACT/STARTED")
NOW = dt.datetime(2026, 11, 27, 12, tzinfo=dt.UTC)


@dataclass
class Desk:
    """An organisation that really sends its PINGs, a listener, and somebody who registers it."""

    emulator: Emulator
    server: WebhookServer
    inbox: Inbox
    told: list[str] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def registrar(self, **more: Any) -> AsyncIterator[Registrar]:
        credentials = Credentials(self.emulator.url, self.emulator.options.username, TOKEN)
        connection = Connection(credentials, Pace(unlimited=True), Limits(), QUICK)
        async with connection.client as client:
            yield Registrar(client, **{"name": OUR_NAME, **more})

    @property
    def webhooks(self) -> list[dict[str, Any]]:
        """What Gladly has, secrets included."""
        return list(self.emulator.store.collections["webhooks"].values())

    def asked(self) -> dict[str, int]:
        return {name: number for name, number in self.emulator.requests.by_operation.items() if "ebhook" in name}

    def add(self, number: int = 1, **fields: Any) -> dict[str, Any]:
        """A webhook of somebody else."""
        webhook_id = f"wh-{number}"
        made = {
            "id": webhook_id,
            "url": f"https://other.example.org/{number}",
            "name": f"Other {number}",
            "events": list(EVENTS),
            "enabled": True,
            "createdAt": "2026-11-01T00:00:00.000Z",
            "updatedAt": "2026-11-01T00:00:00.000Z",
            **fields,
        }
        self.emulator.store.collections["webhooks"][webhook_id] = made
        return made


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    told: list[str] = []
    with Inbox(tmp_path / "state", "https://example.gladly.com") as inbox:
        server = WebhookServer(inbox, ListenOptions(at="127.0.0.1:0"), SECRETS, note=told.append)
        await server.start()
        async with Emulator(rate=None, token=TOKEN, ping="send") as emulator:
            yield Desk(emulator, server, inbox, told)
        await server.stop()


# --- register ---


async def test_the_webhook_is_created_disabled_and_then_enabled(desk: Desk) -> None:
    """Gladly tests the address with the secrets that the listener has; three requests after the look."""
    async with desk.registrar() as registrar:
        done = await registrar.register(desk.server.url, EVENTS, SECRETS)

    assert (done.is_new, done.detail, done.webhook.enabled, done.webhook.url) == (True, "", True, desk.server.url)
    (made,) = desk.webhooks
    assert made["credentials"] == {"username": "gladly", "password": PASSWORD}
    assert made["headers"] == {"X-Token": "planted-header-9d"}
    assert (made["name"], made["events"], made["enabled"]) == ("bulkgladly", list(EVENTS), True)
    assert desk.server.counts == {"ping": 1}
    assert desk.inbox.reader.fact("last_ping_at")
    assert desk.asked() == {"getWebhooks": 2, "createWebhook": 1, "updateWebhook": 1}


async def test_a_second_register_updates_and_creates_nothing(desk: Desk) -> None:
    """Other events, other secrets, the same webhook."""
    new = ListenSecrets("gladly", ["another-password", PASSWORD])
    async with desk.registrar() as registrar:
        first = await registrar.register(desk.server.url, EVENTS, SECRETS)
        second = await registrar.register(desk.server.url, ["TASK/CREATED"], new)

    assert (second.is_new, second.detail, second.webhook.id) == (False, "", first.webhook.id)
    (made,) = desk.webhooks
    assert (made["events"], made["credentials"]["password"]) == (["TASK/CREATED"], "another-password")


async def test_another_webhook_of_ours_that_is_enabled_is_named(desk: Desk) -> None:
    """After a move to a new address Gladly would try the old one for ever, and tell nobody but its log."""
    desk.add(1, name=OUR_NAME)
    desk.add(2, name=OUR_NAME, enabled=False)
    desk.add(3)
    async with desk.registrar() as registrar:
        done = await registrar.register(desk.server.url, EVENTS, SECRETS)

    assert [other.id for other in done.others] == ["wh-1"]


async def test_without_a_listener_the_webhook_stays_disabled(desk: Desk) -> None:
    """What to check is told, and the next try goes on from there."""
    await desk.server.stop()
    async with desk.registrar() as registrar:
        done = await registrar.register(desk.server.url, EVENTS, SECRETS)

        assert "did not answer Gladly's PING" in done.detail
        assert [made["enabled"] for made in desk.webhooks] == [False]
        again = await registrar.register(desk.server.url, EVENTS, SECRETS)
        assert (again.is_new, bool(again.detail)) == (False, True)


async def test_a_listener_with_other_secrets_is_told(desk: Desk) -> None:
    """It refuses the PING, so the webhook stays disabled."""
    other = ListenSecrets("gladly", ["wrong"])
    async with desk.registrar() as registrar:
        done = await registrar.register(desk.server.url, EVENTS, other)

    assert "the same secrets" in done.detail
    assert desk.server.counts == {"refused": 1}


@pytest.mark.parametrize("fault", [drop_reply(), status(503)], ids=["lost", "503"])
async def test_a_lost_response_to_the_create_makes_no_second_webhook(desk: Desk, fault: Any) -> None:
    """It is sent once, and then looked for."""
    desk.emulator.faults.script("createWebhook", [fault])
    async with desk.registrar() as registrar:
        with contextlib.suppress(ReplyLost):
            await registrar.register(desk.server.url, EVENTS, SECRETS)
        assert desk.asked()["createWebhook"] == 1
        done = await registrar.register(desk.server.url, EVENTS, SECRETS)

    assert done.webhook.enabled
    assert len(desk.webhooks) == 1


async def test_a_lost_response_to_the_enabling_is_looked_up(desk: Desk) -> None:
    """A response is not its meaning."""
    desk.emulator.faults.script("updateWebhook", [drop_reply()])
    async with desk.registrar() as registrar:
        done = await registrar.register(desk.server.url, EVENTS, SECRETS)

    assert (done.webhook.enabled, done.detail) == (True, "")


async def test_a_foreign_webhook_on_our_url_is_refused(desk: Desk) -> None:
    """It is named, with three ways on, and not touched."""
    before = dict(desk.add(url=desk.server.url))
    async with desk.registrar() as registrar:
        with pytest.raises(UsageError, match=r"'Other 1' \(wh-1\) already sends .* unregister wh-1 --force"):
            await registrar.register(desk.server.url, EVENTS, SECRETS)

        assert desk.webhooks == [before]
    async with desk.registrar(name="Other 1") as registrar:
        assert (await registrar.register(desk.server.url, EVENTS, SECRETS)).detail == ""


async def test_a_renamed_webhook_is_still_ours(desk: Desk) -> None:
    """By the id that was kept."""
    desk.add(url=desk.server.url, name="renamed in Gladly")
    async with desk.registrar(known=KnownWebhook(desk.emulator.url, "wh-1", "", "bulkgladly")) as registrar:
        assert (await registrar.register(desk.server.url, EVENTS, SECRETS)).webhook.name == "bulkgladly"


async def test_twenty_webhooks_are_too_many(desk: Desk) -> None:
    """The one that has been off for longest is named for removal."""
    for number in range(20):
        desk.add(number)
    desk.emulator.give_up_on_webhook("wh-7")
    async with desk.registrar() as registrar:
        with pytest.raises(UsageError, match=r"allows 20 webhooks.*'Other 7' \(wh-7\), which is disabled"):
            await registrar.register(desk.server.url, EVENTS, SECRETS)

    assert "createWebhook" not in desk.asked()


async def test_a_list_that_cannot_be_read_changes_nothing(desk: Desk) -> None:
    """Without the look nothing is created."""
    desk.emulator.faults.every("getWebhooks", 1, status(200, body="html"))
    async with desk.registrar() as registrar:
        with pytest.raises(BulkgladlyError, match="could not be listed"):
            await registrar.register(desk.server.url, EVENTS, SECRETS)

    assert desk.webhooks == []


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://hooks.example.org/gladly", "https only"),
        ("ftp://hooks.example.org/gladly", "not an https URL"),
        ("https:///gladly", "not an https URL"),
        ("hooks.example.org/gladly", "not an https URL"),
        ("https://[::1/gladly", "not a valid URL"),
        ("https://hooks.example.org:99999/", "not a valid URL"),
        ("https://user:planted@hooks.example.org/gladly", "contains a user"),
        ("https://hooks.example.org/gladly#x", "contains a user or a #"),
        ("https://127.0.0.1:8080/gladly", "cannot reach 127.0.0.1"),
        ("https://10.1.2.3/gladly", "cannot reach 10.1.2.3"),
        ("https://localhost/gladly", "cannot reach localhost"),
        ("https://hooks/gladly", "cannot reach hooks"),
    ],
)
def test_urls_that_gladly_cannot_use_are_refused(url: str, text: str) -> None:
    """Before a request is sent; a password is not repeated."""
    with pytest.raises(UsageError, match=text) as found:
        check_url(url, "https://example.gladly.com")

    assert "planted" not in str(found.value)


def test_events_are_all_or_those_that_are_named() -> None:
    """An unknown one is refused, with what was probably meant."""
    assert set(check_events([])) == KNOWN_TYPES
    assert set(check_events([])) <= set(WEBHOOK_EVENTS)
    assert check_events(["TASK/CREATED", "TASK/CLOSED"]) == ("TASK/CLOSED", "TASK/CREATED")
    with pytest.raises(UsageError, match=r"'TASK/CREATE'; did you mean TASK/CREATED\?"):
        check_events(["TASK/CREATE"])


# --- unregister ---


async def test_our_webhook_is_disabled_and_deleted(desk: Desk) -> None:
    """By its URL, whatever the case of its host, or by its id."""
    async with desk.registrar() as registrar:
        for by_id in (False, True):
            made = (await registrar.register(desk.server.url, EVENTS, SECRETS)).webhook
            which = made.id if by_id else made.url.replace("http:", "HTTP:")
            assert (await registrar.unregister(which)).id == made.id
            assert desk.webhooks == []


async def test_the_webhook_of_somebody_else_is_not_removed(desk: Desk) -> None:
    """Unless that is wanted."""
    desk.add()
    async with desk.registrar() as registrar:
        with pytest.raises(UsageError, match="was not created by bulkgladly; pass --force"):
            await registrar.unregister("wh-1")
        with pytest.raises(UsageError, match=r"no webhook has .*https://other\.example\.org/1"):
            await registrar.unregister("wh-2")
        assert len(desk.webhooks) == 1

        await registrar.unregister("wh-1", is_forced=True)
        assert desk.webhooks == []


async def test_removing_survives_a_lost_response(desk: Desk) -> None:
    """Of each of the two requests."""
    desk.emulator.faults.script("deleteWebhook", [drop_reply()])
    async with desk.registrar() as registrar:
        made = await registrar.register(desk.server.url, EVENTS, SECRETS)
        desk.emulator.faults.script("updateWebhook", [drop_reply()])
        await registrar.unregister(made.webhook.id)

    assert desk.webhooks == []


# --- heal ---


async def test_a_deactivated_webhook_is_enabled_again(desk: Desk) -> None:
    """The listener answers the PING, and the time that the feed must fill is told."""
    async with desk.registrar() as registrar:
        made = await registrar.register(desk.server.url, EVENTS, SECRETS)
        desk.emulator.give_up_on_webhook(made.webhook.id)

        healing = await heal(registrar, now=NOW)
        again = await heal(registrar, now=NOW)

    assert healing.state is WebhookState.HEALED
    assert healing.since is not None
    assert healing.until is not None
    assert healing.until - healing.since >= dt.timedelta(hours=1, minutes=36)
    assert "enabled again" in healing.text()
    assert [made["enabled"] for made in desk.webhooks] == [True]
    assert (again.state, again.text()) == (WebhookState.WELL, "")


async def test_what_somebody_has_disabled_stays_so(desk: Desk) -> None:
    """It was their decision."""
    desk.add(name="bulkgladly", enabled=False, url=desk.server.url)
    async with desk.registrar() as registrar:
        healing = await heal(registrar, now=NOW)

    assert healing.state is WebhookState.BY_HAND
    assert "updateWebhook" not in desk.asked()
    assert "was disabled by somebody" in healing.text()


async def test_a_webhook_whose_url_does_not_answer_is_not_healed(desk: Desk) -> None:
    """Why is told."""
    async with desk.registrar() as registrar:
        made = await registrar.register(desk.server.url, EVENTS, SECRETS)
        desk.emulator.give_up_on_webhook(made.webhook.id)
        await desk.server.stop()

        healing = await heal(registrar, now=NOW)

    assert healing.state is WebhookState.REFUSED
    assert "did not answer Gladly's PING" in healing.text()


async def test_our_webhook_is_found_by_what_was_kept_or_by_its_name(desk: Desk) -> None:
    """Never a foreign one, and none if two have our name."""
    desk.add(1)
    async with desk.registrar() as registrar:
        healing = await heal(registrar, now=NOW)
        assert healing.state is WebhookState.MISSING
        assert "listen register" in healing.text()
    desk.add(2, name="bulkgladly")
    async with desk.registrar() as registrar:
        assert (await heal(registrar, now=NOW)).state is WebhookState.WELL
    desk.add(3, name="bulkgladly")
    async with desk.registrar() as registrar:
        assert (await heal(registrar, now=NOW)).state is WebhookState.MISSING
    for known in (("wh-1", "https://x.example.org"), ("gone", "https://Other.example.org:443/1")):
        async with desk.registrar(known=KnownWebhook("", *known, "")) as registrar:
            found = (await heal(registrar, now=NOW)).webhook
            assert found is not None
            assert found.id == "wh-1"


async def test_the_webhook_is_looked_after(desk: Desk) -> None:
    """Every ten minutes; what has not changed is told once, and an error of Gladly ends nothing."""
    told: list[str] = []
    healed: list[Healing] = []
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        match len(waits):
            case 2:
                desk.add(name="bulkgladly", url=desk.server.url, credentials=SECRETS.for_gladly()["credentials"])
                desk.webhooks[0]["headers"] = SECRETS.for_gladly()["headers"]
                desk.emulator.give_up_on_webhook("wh-1")
            case 4:
                desk.emulator.faults.every("getWebhooks", 1, status(200, body="html"))
            case 5:
                raise Withdrawn("the service ends")

    async with desk.registrar() as registrar:
        with pytest.raises(Withdrawn):
            await HealLoop(registrar, sleep=sleep, note=told.append, healed=healed.append).run()

    assert waits == [600.0] * 5
    assert [line.split(";")[0][:40] for line in told] == [
        "Gladly has no webhook of ours",
        "Gladly had deactivated the webhook 'bulk",
        "the webhook could not be checked: the we",
    ]
    assert [each.state for each in healed] == [WebhookState.HEALED]


def test_odd_webhooks_in_a_list_are_read_as_far_as_possible() -> None:
    """Only a plain true means that one is enabled."""
    found = Webhook.of({"id": "a", "url": None, "events": ["x", 3], "enabled": "true", "name": 7})

    assert found == Webhook("a", "", "", ("x",), enabled=False, disabled_at=None)


def test_what_was_registered_is_kept_beside_the_inbox(tmp_path: Path) -> None:
    """For one organisation; a file that says nothing counts as none."""
    kept = KnownWebhook("https://one.gladly.com", "wh-1", PUBLIC, "bulkgladly")
    remember_webhook(tmp_path / "state", kept)

    assert known_webhook(tmp_path / "state", kept.host) == kept
    assert known_webhook(tmp_path / "state", "https://two.gladly.com") is None
    for content in (b"", b"[]", b'{"id": 1}', b'{"host":"https://one.gladly.com","id":1,"url":"","name":""}'):
        (tmp_path / "state" / "webhook.json").write_bytes(content)
        assert known_webhook(tmp_path / "state", kept.host) is None
    forget_webhook(tmp_path / "state")
    assert list((tmp_path / "state").iterdir()) == []


# --- the command line ---

Program = Callable[..., tuple[int, str, str]]


@pytest.fixture
def program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[tuple[Program, Emulator]]:
    """The program in an empty folder, against an organisation that takes every URL for good."""
    monkeypatch.chdir(tmp_path)
    with served(Emulator(rate=None, token=TOKEN)) as emulator:
        for name, value in {
            "GLADLY_HOST": emulator.url,
            "GLADLY_USERNAME": emulator.options.username,
            "GLADLY_API_TOKEN": TOKEN,
            "BULKGLADLY_LISTEN_USERNAME": "gladly",
            "BULKGLADLY_LISTEN_PASSWORD": PASSWORD,
        }.items():
            monkeypatch.setenv(name, value)

        def call(line: str) -> tuple[int, str, str]:
            monkeypatch.setattr(sys, "argv", ["bulkgladly", *shlex.split(line)])
            code = run(QUICK)
            told = capsys.readouterr()
            assert PASSWORD not in told.out + told.err
            return code, told.out, told.err

        yield call, emulator


def test_the_commands_register_show_and_remove(program: tuple[Program, Emulator], tmp_path: Path) -> None:
    """In this order, and what was kept goes with the webhook."""
    call, emulator = program

    code, out, _ = call(f"listen register {PUBLIC} --events {','.join(EVENTS)}")
    assert code == 0
    assert "created the webhook 'bulkgladly'" in out
    assert "it is enabled" in out
    assert (tmp_path / ".bulkgladly" / "webhook.json").exists()

    code, out, _ = call("listen show --json")
    (shown,) = json.loads(out)
    assert (shown["url"], shown["enabled"], shown["is_ours"]) == (PUBLIC, True, True)
    assert call("listen show")[1].endswith(f"enabled, 2 types of events to {PUBLIC}, created by bulkgladly\n")

    emulator.give_up_on_webhook(shown["id"])
    assert "deactivated by Gladly at" in call("listen show")[1]

    code, out, _ = call(f"listen unregister {PUBLIC}")
    assert (code, "removed the webhook" in out) == (0, True)
    assert not (tmp_path / ".bulkgladly" / "webhook.json").exists()
    assert "no webhooks" in call("listen show")[2]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("listen register http://hooks.example.org/gladly", "https only"),
        (f"listen register {PUBLIC} --events TASK/CREATE", "did you mean TASK/CREATED?"),
        ("listen unregister nothing", "no webhook has"),
        ("listen --out lake show", "--out belongs to `listen` itself"),
        ("listen --at nowhere:1 --every never", "--every never is not a time"),
        ("listen --max-body much", "--max-body much is not a size"),
        ("listen --entities CONTACTS", "did you mean CONTACT?"),
        ("listen shw", "unknown command 'shw'"),
    ],
)
def test_what_cannot_work_exits_with_2(program: tuple[Program, Emulator], line: str, text: str) -> None:
    """Before anything is changed in Gladly."""
    call, emulator = program

    code, _, err = call(line)

    assert (code, text in err) == (2, True), err
    assert "createWebhook" not in emulator.requests.by_operation


def test_the_settings_file_gives_options(program: tuple[Program, Emulator], tmp_path: Path) -> None:
    """Those of `listen` also to its commands; an option that may be repeated is a list."""
    call, _ = program
    settings = tmp_path / "bulkgladly.toml"
    settings.write_text('[listen]\nstate_dir = "kept"\nto = ["-", "exec:cat -n"]\nheal = true\n', encoding="utf-8")

    assert call(f"listen register {PUBLIC}")[0] == 0
    assert (tmp_path / "kept" / "webhook.json").exists()

    settings.write_text("[listen]\nto = 3\n", encoding="utf-8")
    assert "to in [listen] is not valid" in call("listen show")[2]


def test_registering_needs_secrets(program: tuple[Program, Emulator], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without them anybody could send events."""
    call, _ = program
    monkeypatch.delenv("BULKGLADLY_LISTEN_USERNAME")
    assert "BULKGLADLY_LISTEN_USERNAME is not set" in call(f"listen register {PUBLIC}")[2]
    monkeypatch.delenv("BULKGLADLY_LISTEN_PASSWORD")

    code, _, err = call(f"listen register {PUBLIC}")

    assert (code, "no secret is set" in err) == (2, True)


def test_a_webhook_that_is_not_enabled_exits_with_1(
    program: tuple[Program, Emulator], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is there, so that the next try only enables it."""
    call, _ = program
    with served(Emulator(rate=None, token=TOKEN, ping="refuse")) as emulator:
        monkeypatch.setenv("GLADLY_HOST", emulator.url)

        code, out, err = call(f"listen register {PUBLIC}")

    assert code == 1
    assert "created the webhook" in out
    assert "did not answer Gladly's PING" in err


def test_the_name_of_our_webhook_is_the_same_everywhere() -> None:
    """The command line writes it out, because it loads nothing of what talks to Gladly."""
    assert listen_command._OUR_NAME == OUR_NAME
