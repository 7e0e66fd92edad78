"""The command `undo`: it says what it will do, asks, and its lines hold no values unless they are wanted."""

import json
from pathlib import Path

from bulkgladly.emulator import Emulator
from tests.dying import End, Mortals
from tests.flows.serving import served
from tests.planted import TOKEN, USER

PACE = ("--rate", "unlimited", "--progress", "none")


def test_an_undo_from_the_first_look_to_the_last_word(mortals: Mortals, tmp_path: Path) -> None:
    """A dry run, the refusal without a terminal, the undo itself, and what is said when there is nothing left."""
    rows = [f"c-{n},Fern Grove,fern.{n}@example.org" for n in range(3)]
    (tmp_path / "first.csv").write_text("\n".join(("crm,name,email:1", *rows[:2])))
    (tmp_path / "second.csv").write_text("\n".join(("crm,name,email:1", *rows)).replace("Fern Grove", "Gil Heath"))

    with served(Emulator(rate=None, token=TOKEN)) as emulator:
        environment = {"GLADLY_HOST": emulator.url, "GLADLY_USERNAME": USER, "GLADLY_API_TOKEN": TOKEN}

        def run(*arguments: str) -> End:
            return mortals.run(*arguments, environment=environment, folder=tmp_path)

        assert run("import", "customers", "first.csv", "--key", "crm", "--mode", "create", *PACE).status == 0
        assert run("import", "customers", "second.csv", "--key", "crm", "--read-first", *PACE).status == 0

        looked = run("undo", "customers-upsert", "--dry-run")
        assert (looked.status, "1 to delete, 2 to restore" in looked.errors) == (0, True), looked
        assert "name: Aaa Aaa…a back to Aaaa Aaa…a" in looked.errors
        assert "Gil" not in looked.errors
        assert (
            "name: Gil Heath back to Fern Grove" in run("undo", "customers-upsert", "--dry-run", "--show-values").errors
        )

        asked = run("undo", "customers-upsert")
        assert (asked.status, "pass --yes to do it without confirmation" in asked.errors) == (2, True), asked

        done = run("undo", "customers-upsert", "--yes", "--json", *PACE)
        assert (done.status, json.loads(done.output)["outcomes"]) == (0, {"restored": 2, "deleted": 1}), done
        assert "3 customers: 2 restored (66.7 %), 1 deleted (33.3 %)" in done.errors
        assert {one["name"] for one in emulator.store.customers.values()} == {"Fern Grove"}

        again = run("undo", "customers-upsert", "--yes")
        assert (again.status, "nothing to do: 3 customers already taken back by" in again.errors) == (0, True), again
        refused = run("undo", "customers-undo", "--yes")
        assert (refused.status, "is an undo, which cannot be undone" in refused.errors) == (2, True), refused
        retried = run("retry", "customers-undo")
        assert (retried.status, "to try again what it left" in retried.errors) == (2, True), retried
        listed = run("runs", "list")
        assert "2 restored (66.7 %), 1 deleted (33.3 %)" in listed.output
        shown = run("runs", "show", json.loads(done.output)["undone"])
        by = json.loads(done.output)["run"]
        assert f"  undone    2 restored (66.7 %), 1 deleted (33.3 %) by {by}" in shown.output, shown
