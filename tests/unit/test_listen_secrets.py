"""The secrets of `listen`: where they come from, what is refused, and that nothing prints them."""

import copy
import pickle
from pathlib import Path

import pytest

from bulkgladly.errors import UsageError
from bulkgladly.webhooks.listen_secrets import ListenSecrets

USERNAME, PASSWORD, HEADER = (f"BULKGLADLY_LISTEN_{name}" for name in ("USERNAME", "PASSWORD", "HEADER"))


def test_secrets_come_from_variables_or_files(tmp_path: Path) -> None:
    """One a line while they are exchanged; the first is the one for Gladly."""
    (tmp_path / "passwords").write_text("new\n\n old \r\n", encoding="utf-8")
    environment = {
        USERNAME: "gladly",
        f"{PASSWORD}_FILE": str(tmp_path / "passwords"),
        HEADER: "X-Token: b: c\nX-Token:a",
    }

    found = ListenSecrets.from_environment(environment)

    assert found.for_gladly() == {
        "credentials": {"username": "gladly", "password": "new"},
        "headers": {"X-Token": "b: c"},
    }
    assert repr(found) == "ListenSecrets(2 passwords, 2 headers)"


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        ({}, "no secret is set"),
        ({PASSWORD: "\n \n"}, "no secret is set"),
        ({PASSWORD: "planted"}, f"{USERNAME} is not set"),
        ({USERNAME: "gladly", HEADER: "X: planted"}, f"{PASSWORD} is not set"),
        ({USERNAME: "a:b", PASSWORD: "planted"}, "contains a colon"),
        ({USERNAME: "gladly", PASSWORD: "plant\xe9d"}, "use ASCII"),
        ({USERNAME: "gladly", PASSWORD: "plan\x00ted"}, "use ASCII"),
        ({HEADER: "planted"}, "is not a header"),
        ({HEADER: "X Token: planted"}, "is not a header"),
        ({HEADER: "X-Token:"}, "is not a header"),
        ({HEADER: "Authorization: planted"}, "which HTTP uses itself"),
        ({f"{PASSWORD}_FILE": "/nowhere"}, "cannot be read"),
    ],
)
def test_secrets_that_cannot_work_are_refused(environment: dict[str, str], text: str) -> None:
    """With the name of the variable, and never with its value."""
    with pytest.raises(UsageError, match=text) as found:
        ListenSecrets.from_environment(environment)

    assert "planted" not in str(found.value)


def test_secrets_cannot_be_copied() -> None:
    """A copy could end up where it is printed or written."""
    secrets = ListenSecrets("gladly", ["planted"])
    for way in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            way(secrets)
