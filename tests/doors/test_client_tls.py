"""TLS: certificates that are not trusted, and what a proxy on the way is shown. Real handshakes on loopback."""

import asyncio
import base64
import os
import sys
from pathlib import Path

import pytest

from bulkgladly.errors import NotTrusted, Unreachable, UsageError
from bulkgladly.messages import Repeat, Request
from bulkgladly.settings import Credentials, trusted_certificates
from tests.doors.serving_tls import CERTIFICATE, Proxy, proxy, secure_server
from tests.doors.test_client import TOKEN, USERNAME, Time, client, confirmed, create, get
from tests.doors.test_client_streams import file

ORG = "https://org.example.test"
SECRET = base64.b64encode(f"{USERNAME}:{TOKEN}".encode())

MOVED = Request("getAttachment", "GET", "/api/v1/conversation-items/item/attachments/moved")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only those that a test names."""
    for name in ("https_proxy", "http_proxy", "all_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def trust(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust the certificate of the servers here."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))


def said(head: str) -> bytes:
    """The organisation's reply."""
    return confirmed(head.partition(" HTTP/1.1")[0])


def shown_secrets(seen: Proxy) -> bool:
    """Whether the proxy saw the token in any form."""
    everything = "".join(seen.connects).encode() + bytes(seen.upwards)
    return TOKEN.encode() in everything or SECRET in everything


async def test_a_certificate_that_is_not_trusted_ends_at_once_and_names_the_fix() -> None:
    """No half minute of repeats, and no advice to look at the network."""
    heads: list[str] = []
    time = Time()
    async with secure_server(heads) as port, client(f"https://localhost:{port}", time) as sender:
        with pytest.raises(NotTrusted, match=r"self-signed certificate.*set SSL_CERT_FILE to a PEM file") as caught:
            await sender.send(get())

    assert caught.value.exit_code == 5
    assert (heads, time.slept) == ([], [])
    assert sender.sent.total() == 1


async def test_a_stream_with_a_bad_certificate_ends_at_once_too() -> None:
    """The same for downloads."""
    async with secure_server([]) as port, client(f"https://localhost:{port}", Time()) as sender:
        with pytest.raises(NotTrusted):
            async with sender.stream(file()):
                pass


async def test_another_host_that_is_not_trusted_is_one_download_that_failed() -> None:
    """Media of one message must not end the export."""
    time = Time()
    async with secure_server([]) as port, client("http://127.0.0.1:1", time) as sender:
        with pytest.raises(Unreachable, match="SSL_CERT_FILE"):
            async with sender.stream_elsewhere(f"https://localhost:{port}/media"):
                pass

    assert time.slept == []


@pytest.mark.usefixtures("trust")
async def test_the_certificates_of_ssl_cert_file_are_trusted() -> None:
    """What the message advises works, also for what is sent on a connection of its own."""
    heads: list[str] = []
    async with secure_server(heads, said) as port, client(f"https://localhost:{port}", Time()) as sender:
        replies = [await sender.send(get()), await sender.send(create(Repeat.UNSAFE))]
        async with sender.stream(file()) as download:
            replies.append(await download.reply())

    assert [reply.status for reply in replies] == [200, 201, 200]
    assert all(f"Authorization: Basic {SECRET.decode()}" in head for head in heads)


@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "text"])
def test_an_ssl_cert_file_that_is_none_is_told_before_the_first_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """OpenSSL skips it silently, and then trusts no host."""
    path = tmp_path / "ca.pem"
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.write_text("" if kind == "empty" else "no certificate")
    named = {"SSL_CERT_FILE": str(path)}
    login = {"GLADLY_HOST": ORG, "GLADLY_USERNAME": USERNAME, "GLADLY_API_TOKEN": TOKEN}

    with pytest.raises(UsageError, match=r"SSL_CERT_FILE names .*ca\.pem, which .*; name a PEM file"):
        Credentials.from_environment(login | named)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with pytest.raises(UsageError, match="SSL_CERT_FILE"):
        client(ORG, Time())

    Credentials.from_environment(login | named | {"GLADLY_HOST": "http://127.0.0.1:4010"})
    client("http://127.0.0.1:4010", Time())
    assert trusted_certificates({}) is None


async def through_a_proxy(monkeypatch: pytest.MonkeyPatch, login: str = "") -> tuple[Proxy, list[str]]:
    """Send all that this client can send through a proxy; return what that was shown, and what arrived."""
    heads: list[str] = []
    redirect = b"HTTP/1.1 303 See Other\r\nLocation: https://media.example.test/file\r\nContent-Length: 0\r\n\r\n"

    async with (
        secure_server(heads, lambda head: redirect if "/moved" in head else said(head)) as port,
        proxy(port) as seen,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://{login}{seen.url}")
        async with client(ORG, Time()) as sender:
            replies = [await sender.send(get()), await sender.send(create(Repeat.UNSAFE)), await sender.send(create())]
            async with sender.stream(MOVED) as moved:
                assert (await moved.reply()).is_confirmed
            for url in (f"{ORG}/own", moved.headers["Location"]):
                async with sender.stream_elsewhere(url) as download:
                    replies.append(await download.reply())
    assert [reply.status for reply in replies] == [200, 201, 201, 200, 200]
    return seen, heads


@pytest.mark.usefixtures("trust")
async def test_the_token_never_reaches_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """It travels inside the tunnels only, to the organisation and to no other host."""
    seen, heads = await through_a_proxy(monkeypatch)

    assert {line.split()[1] for line in seen.connects} == {"org.example.test:443", "media.example.test:443"}
    assert not any("authorization" in line.lower() for line in seen.connects)
    assert not shown_secrets(seen)
    is_told = [f"Authorization: Basic {SECRET.decode()}" in head for head in heads]
    assert is_told == [True, True, True, True, False, False]


@pytest.mark.usefixtures("trust")
async def test_a_proxy_gets_the_credentials_of_its_own_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """And only those, decoded."""
    seen, heads = await through_a_proxy(monkeypatch, "web:pass%40word@")

    own = base64.b64encode(b"web:pass@word").decode()
    assert all(f"Proxy-Authorization: Basic {own}" in line for line in seen.connects)
    assert not any(own in head for head in heads)
    assert not shown_secrets(seen)


async def test_a_proxy_that_inspects_tls_is_named_by_the_command(tmp_path: Path) -> None:
    """The whole command: exit code 5 within seconds, the fix in its message, and no token for the proxy."""
    async with secure_server([]) as port, proxy(port) as seen:
        login = {"GLADLY_HOST": ORG, "GLADLY_USERNAME": USERNAME, "GLADLY_API_TOKEN": TOKEN}
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "bulkgladly", "export", "inboxes", "--out", "lake"),
            cwd=tmp_path,
            env=os.environ | login | {"HTTPS_PROXY": f"http://{seen.url}"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(20):
            out, _ = await child.communicate()

    assert child.returncode == 5, out.decode()
    assert b"set SSL_CERT_FILE to a PEM file" in b" ".join(out.split())
    assert len(seen.connects) == 1
    assert not shown_secrets(seen)
