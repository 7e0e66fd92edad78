"""Real servers of object stores on loopback, for tests: moto's, and seaweedfs."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

__all__ = ("MOTO", "WEED", "environment", "moto", "weed")

MOTO, WEED = (Path(sys.executable).with_name(name) for name in ("moto_server", "weed"))

BUCKET = "lake"
_START_S = 40.0


def environment(endpoint: str) -> Mapping[str, str]:
    """The environment in which a program finds the server, and may use it."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "example",
        "AWS_SECRET_ACCESS_KEY": "example-secret",
        "AWS_REGION": "us-east-1",
    }


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses now; all are asked for at once, so that they differ."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


@contextlib.contextmanager
def moto(bucket: str = BUCKET) -> Iterator[str]:
    """Moto's server with a bucket; its endpoint. What it holds is in its memory."""
    (port,) = free_ports(1)
    with _server([str(MOTO), "-H", "127.0.0.1", "-p", str(port)], f"http://127.0.0.1:{port}", bucket) as endpoint:
        yield endpoint


@contextlib.contextmanager
def weed(folder: Path, *, volumes: int = 20) -> Iterator[str]:
    """Seaweedfs with a bucket `lake`, which keeps its files in a folder, 64 MB in each volume; its endpoint."""
    ports = _ports_of_weed(("master", "volume", "filer", "s3"))
    command = [str(WEED), "server", "-s3", f"-dir={folder}", "-ip=127.0.0.1", "-master.telemetry=false"]
    command += [f"-{name}.port={port}" for name, port in ports.items()]
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0", f"-volume.max={volumes}", "-master.volumeSizeLimitMB=64"]
    with _server(command, f"http://127.0.0.1:{ports['s3']}") as endpoint:
        yield endpoint


def _ports_of_weed(names: Sequence[str]) -> Mapping[str, int]:
    """Free ports for its parts; the other half of each listens ten thousand above."""
    found: dict[str, int] = {}
    while len(found) < len(names):
        port = free_ports(1)[0] % 20_000 + 20_000
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for one in (port, port + 10_000):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", one))
            found[names[len(found)]] = port
    return found


@contextlib.contextmanager
def _server(command: list[str], endpoint: str, bucket: str = BUCKET) -> Iterator[str]:
    # Credentials of the environment would become those that seaweedfs asks for.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=clean) as process:
        try:
            end = time.monotonic() + _START_S
            while not _made_bucket(endpoint, bucket):
                assert process.poll() is None, f"{command[0]} has ended"
                assert time.monotonic() < end, f"{command[0]} does not answer"
                time.sleep(0.05)
            yield endpoint
        finally:
            process.kill()  # seaweedfs takes half a minute to end by itself


def _made_bucket(endpoint: str, bucket: str) -> bool:
    request = urllib.request.Request(f"{endpoint}/{bucket}", method="PUT")  # noqa: S310  # loopback
    try:
        with urllib.request.urlopen(request, timeout=5):  # noqa: S310
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return error.code == 409  # an earlier request made it, after it was given up
    except OSError:
        return False
