"""The ten sample files of Gladly's own scripts have the effect that the scripts had, with an unedited draft at most."""

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkgladly.emulator import Emulator
from tests.flows.programs import heard, program_in
from tests.flows.serving import served

ROOT = Path(__file__).parents[2]
TASKS = ("hG5tB2mTQhW0pVq9xkZr4A", "fJ8sC1nUQdK3oWb7ylEt6Q")
TALKS = ("bR2kD7vXSfO5nTg1wjAu8A", "aL9zF4cYRhM6eUi0qpSv3w")
CALL = "cN6xH3bZTiP8mVk2rsQy5g"
DUE = "2099-01-01T00:00:00.000Z"


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """An organisation with the tasks, conversations and call that the files name."""
    with served(Emulator(rate=None, seed_customers=1)) as running:
        [owner] = running.store.customers
        for task in TASKS:
            running.add_task(owner, id=task, body="Old", dueAt=DUE, assignee={"inboxId": "inbox-2", "agentId": None})
        for talk in TALKS:
            running.add_conversation(owner, id=talk, inboxId="inbox-1", agentId="agent-2", status="WAITING")
        call = {"type": "PHONE_CALL", "from": "+16505550100", "recordingStatus": "AVAILABLE"}
        running.add_item(call, conversation_id=TALKS[0], id=CALL)
        yield running


def commands() -> list[tuple[list[str], int]]:
    """The commands of the page, with their exit codes."""
    page = (ROOT / "docs" / "from-gladly-scripts.md").read_text()
    found = [line for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) for line in block.splitlines()]
    ends = [re.search(r"# exit (\d+)", line) for line in found]
    return [
        (shlex.split(line, comments=True)[1:], int(end[1]) if end else 0) for line, end in zip(found, ends, strict=True)
    ]


def test_the_commands_of_the_page_do_what_the_scripts_did(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the order of the page, with the files as the samples have them."""
    shutil.copytree(ROOT / "samples" / "gladly_scripts", tmp_path, dirs_exist_ok=True)
    program = heard(program_in(tmp_path, monkeypatch, emulator), capsys)

    for arguments, code in commands():
        told = program(*arguments)
        assert told.code == code, f"{arguments}: {told.err}"
        if next_one := re.search(r"then run `bulkgladly (.+)`", told.err):
            checked = program(*shlex.split(next_one[1]))
            assert checked.code == 0, f"{next_one[1]}: {checked.out}"

    store = emulator.store
    customers = {one.get("name"): one for one in store.customers.values()}
    assert {"Ines Archer-Moss", "Jonathan Brook"} <= customers.keys()
    assert not {"Ines Archer", "Kira Cole", "Leo Drake", "Nobody Here"} & customers.keys()
    ines = customers["Ines Archer-Moss"]
    assert [one["original"] for one in ines["phones"]] == ["+16505550171", "+16505550172"]
    assert ines["customAttributes"] == {"attr1": "hello", "attr3": "world"}

    assert [store.tasks[task]["status"] for task in TASKS] == ["CLOSED", "CLOSED"]
    assert {store.tasks[task]["assignee"]["inboxId"] for task in TASKS} == {"inbox-2"}
    made = {one["body"]: one for one in store.tasks.values() if one["id"] not in TASKS}
    assert {body: one["assignee"] for body, one in made.items()} == {
        "Create a return label": {"inboxId": "inbox-2", "agentId": "agent-1"},
        "Start the return": {"inboxId": "inbox-2"},
        "Call back about the tent": {"inboxId": "inbox-1"},
    }
    assert made["Start the return"]["customerId"] == customers["Jonathan Brook"]["id"]

    topics = store.collections["topics"]
    assert {name: topics[name]["name"] for name in ("id1", "id2")} == {"id1": "Returns and refunds", "id2": "Exchanges"}
    assert (topics["id3"]["disabled"], topics["id3"]["name"]) == (False, "Loyalty programme")
    assert topics["id4"]["parentId"] == "id2"

    assert [(store.conversations[talk]["status"], store.conversations[talk]["topicIds"]) for talk in TALKS] == [
        ("CLOSED", ["id1"]),
        ("CLOSED", ["id1"]),
    ]
    assert {store.conversations[talk]["agentId"] for talk in TALKS} == {"agent-2"}
    assert store.items[CALL]["content"]["recordingStatus"] == "DELETED"

    answers = {one["name"]: one["id"] for one in store.collections["answers"].values()}
    goodbye = store.collections["answers"][answers["How to: Say Goodbye"]]
    assert goodbye["audienceIds"] == ["audience-1", "audience-2"]
    shown = store.collections["answer_contents"]
    assert {key: shown[key]["title"] for key in shown if not key.startswith("answer-")} == {
        f"{answers['How to: Say Hello']}/en-us/public": "Hello in English",
        f"{answers['How to: Say Hello']}/fr-ca/public": "Hello in French",
        f"{answers['How to: Say Goodbye']}/fr-ca/public": "Goodbye in French",
    }
