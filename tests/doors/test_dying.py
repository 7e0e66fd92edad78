"""The processes that tests kill die where they are told to, and nowhere else."""

from pathlib import Path

from tests.dying import DEEDS, TURNS, End, Mortals

ROWS = "crm,name\n1,Ada Ashby\n2,Bela Birch\n"


def rehearse(mortals: Mortals, folder: Path, *, at: int | None = None, of: str = DEEDS) -> End:
    """An import into an emulator of its own, which needs nobody else."""
    (folder / "a.csv").write_text(ROWS, encoding="utf-8")
    arguments = ("import", "customers", "a.csv", "--key", "crm", "--rehearse", "--progress", "none")
    return mortals.run(*arguments, environment={"HOME": str(folder)}, folder=folder, at=at, of=of)


def test_a_process_that_nobody_kills_ends_by_itself(mortals: Mortals, tmp_path: Path) -> None:
    """With its exit code, all that it said, and the number of its steps."""
    end = rehearse(mortals, tmp_path)

    assert (end.status, end.is_killed) == (0, False), end
    assert "created" in end.errors + end.output
    assert end.steps > 30


def test_a_process_dies_before_the_step_that_is_named(mortals: Mortals, tmp_path: Path) -> None:
    """The step is not done, those before it are."""
    ends = {}
    for number in (1, 2, 3):
        ends[number] = rehearse(mortals, tmp_path, at=number)
        # A folder within another is tried first, then the outer one is made, then it is tried again.
        assert (tmp_path / ".bulkgladly").exists() == (number > 2)

    assert all(end.is_killed for end in ends.values())
    assert [end.steps for end in ends.values()] == [1, 2, 3]
    assert ends[2].last == "mkdir .bulkgladly"


def test_a_process_can_die_at_an_await(mortals: Mortals, tmp_path: Path) -> None:
    """At the turn of the event loop that is named."""
    end = rehearse(mortals, tmp_path, at=20, of=TURNS)

    assert (end.is_killed, end.steps, end.last) == (True, 20, "turn")


def test_a_mistake_of_the_command_is_not_taken_for_a_kill(mortals: Mortals, tmp_path: Path) -> None:
    """Its exit code is what is told."""
    end = mortals.run("import", "customers", "missing.csv", environment={}, folder=tmp_path)

    assert (end.status, end.is_killed) == (2, False)
    assert "error:" in end.errors


def test_a_process_that_hangs_is_ended(mortals: Mortals, tmp_path: Path) -> None:
    """An emulator runs for ever; nobody waits for it that long."""
    end = mortals.run("emulator", "--port", "0", environment={}, folder=tmp_path, within_s=0.5)

    assert end.status < 0
    assert not end.is_killed
