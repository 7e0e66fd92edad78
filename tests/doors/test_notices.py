"""Calls for help one by one: pings, a command, chats and metrics, with services that are slow, closed or refuse."""

import os
import sys
import urllib.request
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bulkgladly.errors import UsageError
from bulkgladly.notices.call_end import CallEnd, without_addresses
from bulkgladly.notices.chat_notices import ChatNotices
from bulkgladly.notices.finish_command import run_finish_command
from bulkgladly.notices.metric_outlets import MetricsFile, MetricsServer, text_of
from bulkgladly.notices.notice_options import NoticeTimes, checked_ping, exit_codes_of
from bulkgladly.notices.ping import Ping, run_id
from bulkgladly.notices.run_metrics import METRICS, MetricValue, RunMetrics
from tests.flows.hooking import hooked

TIMES = NoticeTimes(ping_s=5.0, ping_pause_s=0.0, command_s=20.0, notify_s=20.0)
RUN = "customers-upsert_20261127T021500Z_4a20f903"


def end_of(exit_code: int = 5, **more: Any) -> CallEnd:
    given = {"command": "dump", "is_good": exit_code == 0, "status": "failed", "counts": {}, **more}
    return CallEnd(exit_code=exit_code, **given)


def ended(url: str, *, times: NoticeTimes = TIMES) -> list[str]:
    """What is told while a command pings its start and its end."""
    told: list[str] = []
    ping = Ping(url, told.append, times)
    ping.end(5, b"# Failed\n", RUN)
    return told


def test_a_ping_says_which_run_began_and_how_it_ended() -> None:
    """Both have the same id, so that the service knows how long it took; the end has the page."""
    with hooked() as hook:
        told: list[str] = []
        ping = Ping(hook.url + "/", told.append, TIMES)
        ping.start(RUN)
        ping.start("the run of a second step")
        hook.wait_for(1)
        ping.end(10, b"# Stopped\n")

    rid = f"?rid={run_id(RUN)}"
    base = "/ping/planted-hook-51c7"
    assert hook.came == [("GET", f"{base}/start{rid}", b""), ("POST", f"{base}/10{rid}", b"# Stopped\n")]
    assert told == []


def test_an_end_without_a_run_has_an_id_of_its_own() -> None:
    """Nothing began, so nothing has a name."""
    assert run_id("") != run_id("")
    assert run_id(RUN) == run_id(RUN)


@pytest.mark.parametrize(
    ("statuses", "number", "why"),
    [
        ([500, 503], 3, ""),
        ([500, 500, 500], 3, "HTTP 500"),
        ([429, 429, 429], 3, "HTTP 429"),
        ([404], 1, "HTTP 404"),
    ],
)
def test_a_ping_that_is_refused_is_tried_three_times(statuses: list[int], number: int, why: str) -> None:
    """Unless the service knows no such check. What is told has the host and never the URL."""
    with hooked(statuses=statuses) as hook:
        told = ended(hook.url)

    assert hook.asked == ["/5"] * number
    assert told == ([f"the ping to 127.0.0.1 failed ({why}); the run goes on as without it"] if why else [])


def test_a_ping_does_not_wait_for_a_slow_service() -> None:
    """Each try has its time."""
    with hooked(is_slow=True) as hook:
        told = ended(hook.url, times=NoticeTimes(ping_s=0.05, ping_pause_s=0.0))

    assert told == ["the ping to 127.0.0.1 failed (no response in time); the run goes on as without it"]


def test_a_ping_to_a_closed_port_is_told_in_one_line() -> None:
    """The line names no more than the host."""
    with hooked() as hook:
        url = hook.url

    (line,) = ended(url)
    assert "127.0.0.1" in line
    assert "planted-hook" not in line


@pytest.mark.parametrize("url", ["planted-hook", "ftp://hc.example.org/x", "http://", "http://h:x/", "https://h/a b"])
def test_what_is_not_a_url_is_refused_without_showing_it(url: str) -> None:
    """It may be a secret all the same."""
    with pytest.raises(UsageError, match="--ping is not an http") as caught:
        checked_ping(url)

    assert url not in str(caught.value)


def test_exit_codes_are_numbers() -> None:
    """From 0 to 255, at least one."""
    assert exit_codes_of("--ping-ok", ["0", "10"]) == {0, 10}
    for wrong in (["256"], ["-1"], ["ok"], []):
        with pytest.raises(UsageError, match="--ping-ok"):
            exit_codes_of("--ping-ok", wrong)


def test_a_page_is_cut_at_its_beginning_and_not_within_a_character() -> None:
    """A service keeps 10 kB or more; what is next stands at the end."""
    tail = end_of(page="ä" * 9_000 + "x").tail()

    assert len(tail) <= 10_000
    assert set(tail.decode()) == {"ä", "x"}
    assert end_of(page="").tail() == b"bulkgladly dump: failed (exit code 5)\n\nThe output of the command says more.\n"


def test_addresses_never_leave() -> None:
    """Also if a text had one by mistake."""
    assert without_addresses(
        "row 3: <zenobia.quartermaine@example.org> +1 650-555-0142 at 2026-11-27T02:15:00+00:00"
    ) == ("row 3: <(email)> (phone) at 2026-11-27T02:15:00+00:00")


# --- a command ---


def run_command(command: str, end: CallEnd, *, within_s: float = 20.0, hidden: tuple[str, ...] = ()) -> list[str]:
    told: list[str] = []
    run_finish_command(command, end, told.append, hidden=hidden, within_s=within_s)
    return told


def test_a_command_knows_how_it_ended_and_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its environment is ours, without credentials, addresses of notices and what the user named as secret."""
    secrets = {
        "GLADLY_API_TOKEN": "planted-1",
        "MY_TOKEN": "planted-2",
        "BULKGLADLY_PING": "https://hc.example.org/planted-3",
        "BULKGLADLY_NOTIFY": "slack://planted-4",
        "BULKGLADLY_LISTEN_PASSWORD": "planted-5",
        "BULKGLADLY_ON_FINISH": "echo planted-6",
    }
    for name, value in {**secrets, "BULKGLADLY_RATE": "5"}.items():
        monkeypatch.setenv(name, value)
    seen = tmp_path / "seen"

    assert run_command(f"env > {seen}", end_of(run=RUN, report="/runs/report.json"), hidden=("MY_TOKEN",)) == []

    lines = seen.read_text().splitlines()
    assert {
        f"BULKGLADLY_RUN={RUN}",
        "BULKGLADLY_STATUS=failed",
        "BULKGLADLY_EXIT=5",
        "BULKGLADLY_REPORT=/runs/report.json",
        "BULKGLADLY_RATE=5",
        f"PATH={os.environ['PATH']}",
    } <= set(lines)
    assert "planted" not in seen.read_text()


def test_what_a_command_prints_is_no_result(capfd: pytest.CaptureFixture[str]) -> None:
    """The standard output is that of `--json`."""
    run_command("echo told", end_of())

    assert capfd.readouterr() == ("", "told\n")


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("exit 3", "--on-finish ended with exit code 3; the exit code of bulkgladly stays 5"),
        ("kill -9 $$", "--on-finish was ended by SIGKILL; the exit code of bulkgladly stays 5"),
        (
            "no-such-program-here 2>/dev/null",
            "--on-finish ended with exit code 127; the exit code of bulkgladly stays 5",
        ),
    ],
)
def test_a_command_that_fails_is_told(command: str, told: str) -> None:
    """And changes nothing."""
    assert run_command(command, end_of()) == [told]


def test_a_command_that_takes_too_long_is_ended_with_all_it_has_started(tmp_path: Path) -> None:
    """Its group ends with it, also what does not heed a polite signal."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    told = run_command(f"exec 3>{pipe}; sleep 300 & sleep 300", end_of(), within_s=0.3)

    assert told == ["--on-finish did not end within 0.3 s, and was ended; let it do long work in the background"]
    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b""  # every process that had it open is gone
    os.close(reader)


# --- chats ---


def test_a_notice_reaches_every_service_and_names_none_by_its_url() -> None:
    """One that fails is named by its scheme; the others are told all the same."""
    told: list[str] = []
    with hooked() as hook, hooked(statuses=[500]) as broken:
        urls = [f"json://127.0.0.1:{port}/planted-hook" for port in (broken.port, hook.port)]
        ChatNotices(urls, told.append, 20.0).send("a title", "a text", is_good=False)

    assert [b"a title" in body and b"a text" in body and b"failure" in body for *_, body in hook.came] == [True]
    assert told == ["--notify failed for json (not accepted); check its URL, and that this machine reaches the service"]


def test_a_notice_does_not_wait_for_a_slow_service() -> None:
    """The program ends although the service never answers."""
    told: list[str] = []
    with hooked(is_slow=True) as hook:
        ChatNotices([f"json://127.0.0.1:{hook.port}/x"], told.append, 0.1).send("t", "t", is_good=True)

    assert told == [
        "--notify failed for json (no response in time); check its URL, and that this machine reaches the service"
    ]


@pytest.mark.parametrize("url", ["planted-hook", "nosuchservice://planted-hook", "slack://planted-hook"])
def test_a_service_that_is_not_known_is_refused_without_showing_its_url(url: str) -> None:
    """Before anything is sent."""
    with pytest.raises(UsageError, match="--notify") as caught:
        ChatNotices([url], print, 1.0)

    assert "planted-hook" not in str(caught.value)


def test_without_the_packages_the_fix_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Before anything is sent."""
    monkeypatch.setitem(sys.modules, "apprise", None)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)

    with pytest.raises(UsageError, match=r"pip install 'bulkgladly\[notify\]'"):
        ChatNotices(["json://localhost"], print, 1.0)
    with pytest.raises(UsageError, match=r"--metrics-file needs the extra: pip install 'bulkgladly\[metrics\]'"):
        MetricsFile(tmp_path / "b.prom", "dump", list, print, every_s=1.0)
    with pytest.raises(UsageError, match=r"--metrics-addr needs the extra"):
        MetricsServer(("127.0.0.1", 0), list)


# --- metrics ---


def figures(command: str, **values: float) -> list[MetricValue]:
    return [MetricValue(f"bulkgladly_{name}", {"command": command}, value) for name, value in values.items()]


def test_a_command_keeps_what_others_have_written(tmp_path: Path) -> None:
    """And its own last success and next loss, until it says them anew."""
    path = tmp_path / "b.prom"
    for command, values in (
        ("dump", {"next_loss_timestamp_seconds": 2e9, "last_success_timestamp_seconds": 1e9, "budget_share": 0.5}),
        ("import", {"last_success_timestamp_seconds": 1.5e9}),
        ("dump", {"throttled_seconds_total": 3.0}),
    ):
        known = figures(command, **values)
        MetricsFile(path, command, partial(list, known), print, every_s=1.0)._write()

    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert sorted(lines) == [
        'bulkgladly_last_success_timestamp_seconds{command="dump"} 1e+09',
        'bulkgladly_last_success_timestamp_seconds{command="import"} 1.5e+09',
        'bulkgladly_next_loss_timestamp_seconds{command="dump"} 2e+09',
        'bulkgladly_throttled_seconds_total{command="dump"} 3.0',
    ]
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("found", [b"", b"\xff\xfe", b"bulkgladly_run_info{", b"other_metric 3\n", b"# HELP"])
def test_a_file_that_somebody_has_damaged_is_replaced(tmp_path: Path, found: bytes) -> None:
    """What is not ours is not kept."""
    path = tmp_path / "b.prom"
    path.write_bytes(found)
    told: list[str] = []

    MetricsFile(path, "dump", lambda: figures("dump", budget_share=1.0), told.append, every_s=1.0)._write()

    assert b'bulkgladly_budget_share{command="dump"} 1.0' in path.read_bytes()
    assert told == []


def test_a_file_that_cannot_be_written_is_told_once_or_refused_at_once(tmp_path: Path) -> None:
    """At the start with exit code 2; later the run goes on."""
    told: list[str] = []
    folder = tmp_path / "gone"
    with pytest.raises(UsageError, match=r"cannot be written; create the folder .*gone"):
        MetricsFile(folder / "b.prom", "dump", list, told.append, every_s=1.0)
    with pytest.raises(UsageError, match=r"end in \.prom"):
        MetricsFile(tmp_path / "metrics.txt", "dump", list, told.append, every_s=1.0)
    folder.mkdir()
    file = MetricsFile(folder / "b.prom", "dump", list, told.append, every_s=0.001)
    folder.rmdir()
    file.start()
    file.end()

    assert told == [f"--metrics-file {folder / 'b.prom'} could not be written: No such file or directory"]


def test_a_file_is_written_while_the_command_works(tmp_path: Path) -> None:
    """Every few seconds, from a thread."""
    path = tmp_path / "b.prom"
    metrics = RunMetrics("follow")
    file = MetricsFile(path, "follow", metrics.figures, print, every_s=0.001)
    file.start()
    while not path.exists():
        pass
    file.end()

    assert 'run_info{command="follow"' in path.read_text()


def test_metrics_are_served_while_the_command_works() -> None:
    """And the port is free afterwards."""
    metrics = RunMetrics("listen")
    server = MetricsServer(("127.0.0.1", 0), metrics.figures)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=10) as response:
            found = response.read().decode()
        with pytest.raises(UsageError, match=r"--metrics-addr 127\.0\.0\.1:\d+ cannot be used: Address already in use"):
            MetricsServer(("127.0.0.1", server.port), metrics.figures)
    finally:
        server.end()

    assert 'bulkgladly_run_info{command="listen",run="",version="' in found
    MetricsServer(("127.0.0.1", server.port), metrics.figures).end()


def test_every_metric_can_be_written() -> None:
    """Each with its labels, under the name that it has here."""
    every = [
        MetricValue(name, dict.fromkeys(("command", *metric.labels), "x"), 1.0) for name, metric in METRICS.items()
    ]
    lines = text_of(every).decode().splitlines()

    assert [line.partition("{")[0] for line in lines if not line.startswith("#")] == list(METRICS)
    assert all(name.endswith("_total") == (metric.kind == "counter") for name, metric in METRICS.items())
