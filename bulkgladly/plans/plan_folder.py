"""The folder of a plan: `plan.json` over `changes.parquet`, `summary.md` and the rejects. Whole or not there at all.

`plan.json` has the hashes of the other files and of itself, so that a plan that was edited is recognised.
"""

import contextlib
import hashlib
import math
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from bulkgladly.errors import UsageError
from bulkgladly.journal.run_header import InputFile
from bulkgladly.storage.durable import hash_of, sync_file, sync_folder
from bulkgladly.storage.failures import writing

__all__ = (
    "CHANGES",
    "PLAN",
    "SUMMARY",
    "PlanInfo",
    "hash_of_plan",
    "new_plan_folder",
    "opened_plan",
    "refuse_existing",
    "write_plan_json",
)

FORMAT = 1
PLAN, CHANGES, SUMMARY = "plan.json", "changes.parquet", "summary.md"
_SEAL = "seal"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanInfo:
    """What `plan.json` holds: for which organisation, of which input, with which options, and what it comes to.

    `options` are those of the import, as they are stored. `rows` counts the records of the input, `actions` what is
    done with them (`create`, `update`, `delete`, `none`, `refuse`, `open`) and `words` how they are to end. `changed`
    counts the records that write a field, and `rejects` those that are refused, by code. `least` and `most` are the
    requests of an apply by operation, and `per_second` the pace (0 without one). `seconds` is how long they
    take if the plan is applied when it is made, `schedule` the rates by the time of day that count then. `run` and
    `read` are the run that made a live plan, and its requests. `files` has the hash of each other file, by name.
    """

    host: str
    organisation: str
    resource: str
    mode: str
    is_live: bool
    made_at: str
    version: str
    options: Mapping[str, Any]
    inputs: tuple[InputFile, ...]
    rows: int
    actions: Mapping[str, int]
    words: Mapping[str, int]
    changed: Mapping[str, int] = field(default_factory=dict)
    rejects: Mapping[str, int] = field(default_factory=dict)
    least: Mapping[str, int] = field(default_factory=dict)
    most: Mapping[str, int] = field(default_factory=dict)
    per_second: float = 0.0
    seconds: tuple[float, float] | None = None
    schedule: str | None = None
    run: str | None = None
    read: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def requests(self) -> tuple[int, int]:
        """The fewest and the most requests of an apply."""
        return sum(self.least.values()), sum(self.most.values())

    @property
    def writes(self) -> int:
        """How many records would be created, updated or deleted, or may be."""
        return sum(self.actions.get(name, 0) for name in ("create", "update", "delete", "open"))

    def as_dict(self) -> dict[str, Any]:
        """Return the content of `plan.json`, without its own hash."""
        low, high = self.requests
        return {
            "format": FORMAT,
            "version": self.version,
            "made_at": self.made_at,
            "host": self.host,
            "organisation": self.organisation,
            "object": self.resource,
            "mode": self.mode,
            "is_live": self.is_live,
            "options": dict(self.options),
            "input": {"files": [asdict(each) for each in self.inputs], "records": self.rows},
            "memory": {"unchanged": self.words.get("unchanged", 0)},
            "counts": {"actions": dict(self.actions), "words": dict(self.words)},
            "fields": dict(self.changed),
            "rejects": dict(self.rejects),
            "requests": {"least": dict(self.least), "most": dict(self.most), "least_total": low, "most_total": high},
            "per_second": self.per_second or None,
            "rate_schedule": self.schedule,
            "seconds": None if self.seconds is None else [_number(one) for one in self.seconds],
            "hours": None if self.seconds is None else [_number(one / 3600) for one in self.seconds],
            "run": self.run,
            "requests_to_plan": dict(self.read),
            "files": dict(self.files),
        }

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> "PlanInfo":
        """Return what a `plan.json` holds.

        Raises:
            KeyError, TypeError: A part is missing.
        """
        return cls(
            host=found["host"],
            organisation=found["organisation"],
            resource=found["object"],
            mode=found["mode"],
            is_live=found["is_live"],
            made_at=found["made_at"],
            version=found["version"],
            options=found["options"],
            inputs=tuple(InputFile(**each) for each in found["input"]["files"]),
            rows=found["input"]["records"],
            actions=found["counts"]["actions"],
            words=found["counts"]["words"],
            changed=found["fields"],
            rejects=found["rejects"],
            least=found["requests"]["least"],
            most=found["requests"]["most"],
            per_second=found["per_second"] or 0.0,
            seconds=_span(found["seconds"]),
            schedule=found["rate_schedule"],
            run=found["run"],
            read=found["requests_to_plan"],
            files=found["files"],
        )


def _number(value: float) -> float | None:
    """Return a number as JSON can hold it: None for one without an end."""
    return None if math.isinf(value) else round(value, 2)


def _span(found: Sequence[float | None] | None) -> tuple[float, float] | None:
    if found is None:
        return None
    least, most = (math.inf if one is None else one for one in found)
    return least, most


def refuse_existing(out: Path, *, force: bool) -> None:
    """Make sure that a plan may be written to a path.

    Raises:
        UsageError: Something is there that is not a plan, or a plan that must not be replaced.
    """
    if not out.exists() and not out.is_symlink():
        if not out.absolute().parent.is_dir():
            raise UsageError(f"--out: the folder {out.absolute().parent} does not exist; create it first")
        return
    if not (out / PLAN).is_file():
        raise UsageError(f"--out: {out} exists and is not a plan; choose another name, such as {out.stem}-2.plan")
    if not force:
        raise UsageError(f"--out: the plan {out} exists; pass --force to replace it, or choose another name")


@contextlib.contextmanager
def new_plan_folder(out: Path) -> Iterator[Path]:
    """Give a hidden folder beside `out` that only the owner can read; at the end of the block it becomes `out`.

    An error in the block leaves nothing of it. A plan that is there before is replaced as a whole.

    Raises:
        DiskFull, JournalError: It cannot be written.
    """
    with writing(out, "plan again"):
        aside = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".partial", dir=out.absolute().parent))
    try:
        yield aside
        with writing(out, "plan again"):
            for path in aside.iterdir():
                path.chmod(0o600)
                sync_file(path)
            sync_folder(aside)
            _put_in_place(aside, out)
            sync_folder(out.absolute().parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _put_in_place(aside: Path, out: Path) -> None:
    if not out.exists():
        aside.rename(out)
        return
    # A folder cannot replace another in one step; killed in between, the old plan is under its hidden name.
    old = out.with_name(f".{out.name}.replaced")
    shutil.rmtree(old, ignore_errors=True)
    out.rename(old)
    aside.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def write_plan_json(folder: Path, info: PlanInfo) -> None:
    """Write `plan.json` with its own hash; `info` has those of the other files.

    Raises:
        OSError: It cannot be written.
    """
    content = orjson.loads(orjson.dumps(info.as_dict()))  # as it will be read
    content[_SEAL] = _seal_of(content)
    (folder / PLAN).write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n")


def opened_plan(path: Path) -> PlanInfo:
    """Read a plan, and check that none of its files was changed.

    Raises:
        UsageError: It is not a plan, is from a newer version, or was edited.
    """
    file = path / PLAN
    try:
        content = orjson.loads(file.read_bytes())
        newest = content["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is not a plan: {PLAN} is missing or cannot be read; make one with `plan`") from error
    if newest != FORMAT:
        raise UsageError(f"{path} has format {newest}, and this version of bulkgladly knows {FORMAT}; plan again")
    seal = content.pop(_SEAL, None)
    if seal != _seal_of(content):
        raise UsageError(f"{file} was edited after it was written, so it is not what was planned; plan again")
    try:
        info = PlanInfo.from_dict(content)
    except (KeyError, TypeError) as error:
        raise UsageError(f"{file} lacks {error}; plan again") from error
    for name, digest in info.files.items():
        try:
            found = hash_of(path / name)
        except OSError as error:
            what = "is missing or cannot be read, so the plan is incomplete"
            raise UsageError(f"{path / name} {what}; plan again") from error
        if found != digest:
            raise UsageError(f"{path / name} was edited after it was written; plan again, and apply the new plan")
    return info


def hash_of_plan(path: Path) -> str:
    """Return the hash by which an apply knows a plan again.

    Raises:
        OSError: It cannot be read.
    """
    return hash_of(path / PLAN)


def _seal_of(content: Mapping[str, Any]) -> str:
    ordered = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(ordered, digest_size=16).hexdigest()
