"""Where we send what, as whom; and that the secret never shows."""

import copy
import math
import os
import pickle
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

from bulkgladly.errors import UsageError
from bulkgladly.settings import Credentials, Pace, base_url, is_loopback, load_toml

TOKEN = "planted-token-0123456789"
USER = "agent@example.org"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("example", "https://example.gladly.com"),
        (" example ", "https://example.gladly.com"),
        ("example.us-1", "https://example.us-1.gladly.com"),
        ("example.us-uat", "https://example.us-uat.gladly.qa"),
        ("example.gladly.com", "https://example.gladly.com"),
        ("example.us-1.gladly.com", "https://example.us-1.gladly.com"),
        ("us-1.gladly.com", "https://us-1.gladly.com"),
        ("https://example.gladly.qa", "https://example.gladly.qa"),
        ("https://example.gladly.com/", "https://example.gladly.com"),
        ("https://example.gladly.com/api/v1/", "https://example.gladly.com"),
        ("https://example.gladly.com:8443", "https://example.gladly.com:8443"),
        ("HTTPS://Example.Gladly.COM", "https://example.gladly.com"),
        ("https://gladly.example.org", "https://gladly.example.org"),
        ("http://127.0.0.1:4010", "http://127.0.0.1:4010"),
        ("http://localhost:4010", "http://localhost:4010"),
        ("http://[::1]:4010", "http://[::1]:4010"),
    ],
)
def test_hosts_become_base_urls(host: str, expected: str) -> None:
    """Short names, full addresses, and the path of the API that people copy along."""
    assert base_url(host) == expected


@pytest.mark.parametrize(
    ("host", "part"),
    [
        ("", "not set"),
        ("   ", "not set"),
        ("http://example.gladly.com", "https only"),
        ("http://192.168.0.10", "https only"),
        ("http://localhost.example.org", "https only"),
        ("ftp://example.gladly.com", "is not a valid address"),
        ("https://", "is not a valid address"),
        ("https://exa mple.gladly.com", "is not a valid address"),
        ("my company", "is not a valid address"),
        ("https://example.gladly.com:http", "is not a valid address"),
        ("https://example.gladly.com:99999", "is not a valid address"),
        ("https://[::1", "is not a valid address"),
        ("https://example.gladly.com/api/v2", "bare address"),
        ("https://example.gladly.com/dashboard", "bare address"),
        ("https://example.gladly.com?x=1", "bare address"),
        ("https://example.gladly.com#top", "bare address"),
        ("https://agent@example.gladly.com", "bare address"),
        ("https://:secret@example.gladly.com", "bare address"),
        ("https://example.gladly.com@elsewhere.example.org", "bare address"),
    ],
)
def test_hosts_that_cannot_work_say_why(host: str, part: str) -> None:
    """Refused before anything is sent anywhere; what may be a password is not quoted."""
    with pytest.raises(UsageError, match=part) as caught:
        base_url(host)

    assert "secret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("localhost", True), ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("0.0.0.0", False), ("org", False)],
)
def test_loopback_is_this_machine_alone(name: str, expected: bool) -> None:
    """Plain http goes nowhere else."""
    assert is_loopback(name) is expected


def credentials(**changes: str) -> Credentials:
    return Credentials(**{"host": "example", "username": USER, "token": TOKEN, **changes})


@pytest.mark.parametrize(
    "show",
    [repr, str, format, lambda c: f"{c!r:>200}", lambda c: f"{c}", lambda c: "%s %r" % (c, c)],  # noqa: UP031
)
def test_the_token_never_shows(show: Any) -> None:
    """However the credentials are printed."""
    text = show(credentials())

    assert TOKEN not in text
    assert "https://example.gladly.com" in text
    assert USER in text


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_the_token_is_not_pickled(protocol: int) -> None:
    """Neither to a file nor to another process, by accident."""
    with pytest.raises(TypeError, match="token"):
        pickle.dumps(credentials(), protocol)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_credentials_are_not_copied(copied: Any) -> None:
    """There is one place for the secret."""
    with pytest.raises(TypeError, match="token"):
        copied(credentials())


def test_the_token_is_in_no_dictionary() -> None:
    """A debugger that dumps `vars`, or a logger that does, finds nothing."""
    assert not hasattr(credentials(), "__dict__")


def test_a_traceback_does_not_show_the_token() -> None:
    """Not even one that prints local variables."""
    try:
        Credentials("http://example.gladly.com", USER, TOKEN)
    except UsageError as error:
        shown = "".join(traceback.format_exception(error))
    else:
        shown = TOKEN

    assert TOKEN not in shown


def test_the_transport_gets_the_token() -> None:
    """White space from a file or a pasted line is no part of it."""
    assert credentials(token=f" {TOKEN}\n").token() == TOKEN


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"username": ""}, "GLADLY_USERNAME is not set"),
        ({"username": "  "}, "GLADLY_USERNAME is not set"),
        ({"token": ""}, "GLADLY_API_TOKEN is not set"),
        ({"token": " \n"}, "GLADLY_API_TOKEN is not set"),
        ({"token": "tok\x00en"}, "characters that no token has"),
        ({"token": "line one\nline two"}, "characters that no token has"),
        ({"token": "tökén"}, "characters that no token has"),
        ({"host": ""}, "GLADLY_HOST is not set"),
    ],
)
def test_credentials_that_cannot_work_name_what_is_missing(changes: dict[str, str], part: str) -> None:
    """And never quote the token."""
    with pytest.raises(UsageError, match=part) as caught:
        credentials(**changes)

    if token := changes.get("token", "").strip():
        assert token not in str(caught.value)


def environment(**changes: str) -> dict[str, str]:
    return {"GLADLY_HOST": "example", "GLADLY_USERNAME": USER, "GLADLY_API_TOKEN": TOKEN, **changes}


def test_credentials_come_from_the_environment() -> None:
    """By the names of Gladly's own samples."""
    found = Credentials.from_environment(environment())

    assert (found.host, found.username, found.token()) == ("https://example.gladly.com", USER, TOKEN)


def test_the_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a mapping the real one counts."""
    for name, value in environment().items():
        monkeypatch.setenv(name, value)

    assert Credentials.from_environment().token() == TOKEN


@pytest.mark.parametrize("name", ["GLADLY_HOST", "GLADLY_USERNAME", "GLADLY_API_TOKEN"])
def test_each_part_can_come_from_a_file(name: str, tmp_path: Path) -> None:
    """`..._FILE`, as secret stores mount them; a final line break is no part of the secret."""
    (tmp_path / "secret").write_text(environment()[name] + "\n")
    env = {**environment(), name: "", f"{name}_FILE": str(tmp_path / "secret")}

    found = Credentials.from_environment(env)

    assert (found.host, found.username, found.token()) == ("https://example.gladly.com", USER, TOKEN)


def test_the_variable_wins_over_its_file(tmp_path: Path) -> None:
    """What is said more directly counts, and the file is not even read."""
    env = environment(GLADLY_API_TOKEN_FILE=str(tmp_path / "missing"))

    assert Credentials.from_environment(env).token() == TOKEN


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_named(content: bytes | None, tmp_path: Path) -> None:
    """The path, never the content."""
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    env = {**environment(), "GLADLY_API_TOKEN": "", "GLADLY_API_TOKEN_FILE": str(path)}

    with pytest.raises(UsageError, match=f"GLADLY_API_TOKEN_FILE names {path}"):
        Credentials.from_environment(env)


def test_a_variable_that_is_not_set_is_named() -> None:
    """And so is the file that could be used instead."""
    with pytest.raises(UsageError, match="GLADLY_API_TOKEN_FILE"):
        Credentials.from_environment({**environment(), "GLADLY_API_TOKEN": ""})


def test_profiles_take_the_token_from_elsewhere(tmp_path: Path) -> None:
    """A variable, a file, or a command, as a text or as words."""
    (tmp_path / "token").write_text(TOKEN)
    print_it = [sys.executable, "-c", f"print('{TOKEN}')"]
    sources: list[dict[str, Any]] = [
        {"token_env": "SHOP_TOKEN"},
        {"token_file": str(tmp_path / "token")},
        {"token_command": print_it},
        {"token_command": f"{sys.executable} -c \"print('{TOKEN}')\""},
        {},
    ]

    for source in sources:
        profile = {"host": "shop", "username": USER, **source}
        env = {"SHOP_TOKEN": TOKEN, "GLADLY_API_TOKEN": TOKEN, "GLADLY_HOST": "other"}
        found = Credentials.from_environment(env, profile)

        assert (found.host, found.token()) == ("https://shop.gladly.com", TOKEN)


@pytest.mark.parametrize(
    ("source", "part"),
    [
        ({"token_env": "NOT_SET"}, "NOT_SET is not set, which token_env of the profile names"),
        ({"username": " "}, "the profile has no username"),
        ({"host": ""}, "the profile has no host"),
        ({"token_file": "/nowhere/token"}, "token_file names /nowhere/token"),
        ({"token_command": [sys.executable, "-c", f"raise SystemExit('{TOKEN}')"]}, "failed: CalledProcessError"),
        ({"token_command": "no-such-program-here --token"}, "failed: FileNotFoundError"),
        ({"token_command": "'unbalanced"}, "token_command"),
        ({"token_command": " "}, "token_command"),
        ({"token_command": [sys.executable, "-c", "pass"]}, "is not set"),
    ],
)
def test_profiles_that_cannot_work_say_what_failed(source: dict[str, Any], part: str) -> None:
    """Without what the command printed."""
    with pytest.raises(UsageError, match=part) as caught:
        Credentials.from_environment({}, {"host": "shop", "username": USER, **source})

    assert TOKEN not in "".join(traceback.format_exception(caught.value))


def test_settings_file_is_optional(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`bulkgladly.toml` here, if there is one."""
    monkeypatch.chdir(tmp_path)

    without = load_toml(None)
    (tmp_path / "bulkgladly.toml").write_text('rate = "5"\n[profiles.shop]\nhost = "shop"\ntoken_env = "T"\n')

    assert without == {}
    assert load_toml(None) == {"rate": "5", "profiles": {"shop": {"host": "shop", "token_env": "T"}}}


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (f'token = "{TOKEN}"', "contains a token"),
        (f'[profiles.shop]\nhost = "shop"\ntoken = "{TOKEN}"', "contains a token"),
        ("rate = ", "cannot be read as settings"),
        ("profiles = 3", "profiles"),
        ("[profiles]\nshop = 3", "profiles"),
        (b"\xff", "cannot be read as settings"),
        (None, "cannot be read: No such file"),
    ],
)
def test_settings_files_that_cannot_be_used_say_why(text: str | bytes | None, part: str, tmp_path: Path) -> None:
    """A token in a file above all: it is refused and not quoted."""
    path = tmp_path / "settings.toml"
    if text is not None:
        path.write_bytes(text.encode() if isinstance(text, str) else text)

    with pytest.raises(UsageError, match=part) as caught:
        load_toml(path)

    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("pace", "expected"),
    [
        (Pace(), 9.0),
        (Pace(reserve=0.0), 10.0),
        (Pace(rate=4.0), 4.0),
        (Pace(rate=50.0), 9.0),
        (Pace(rate=50.0, reserve=0.0), 10.0),
        (Pace(unlimited=True), math.inf),
    ],
)
def test_expected_pace(pace: Pace, expected: float) -> None:
    """What the estimate goes by, before the API has said anything."""
    assert pace.expected_per_second() == expected


def test_the_environment_of_tests_holds_no_credentials() -> None:
    """Nothing here may reach a real organisation."""
    assert not [name for name in os.environ if name.startswith("GLADLY_")]
