"""Run the tests in clean environments: what pyproject.toml allows must work.

    make compat
    python benchmarks/try_compat.py 3.11-lowest -- tests/flows -x

Each case is a version of Python with the lowest packages that pyproject.toml allows, or with the
newest. A Python that is not installed is reported and skipped. The tools of the tests are always the
newest. The tests of the documents are left out, because they do not depend on versions. The
environments are kept in `.compat` and created again when pyproject.toml changes. Everything after
`--` goes to pytest.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
PLACE = ROOT / ".compat"
PROJECT = ROOT / "pyproject.toml"
NOT_FOR_TESTS = re.compile(r"(build|mypy|pyright|ruff|.*-stubs|types-.*)\b")
TESTS = ("tests", "--ignore=tests/contract/test_docs.py", "-n", "auto")


class Case(NamedTuple):
    """A version of Python, and whether its packages are the lowest or the newest."""

    python: str
    choice: str

    @property
    def name(self) -> str:
        """Its name on the command line."""
        return f"{self.python}-{self.choice}"


CASES = (Case("3.11", "lowest"), Case("3.11", "newest"), Case("3.12", "newest"), Case("3.13", "newest"))


def interpreter(version: str) -> Path | None:
    """Return a Python of this version, from PATH or pyenv."""
    found = shutil.which(f"python{version}")
    kept = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    for path in [*([Path(found)] if found else []), *kept[::-1]]:
        code = "import sys; print('%d.%d' % sys.version_info[:2])"
        done = subprocess.run([path, "-c", code], capture_output=True, text=True, check=False)
        if done.stdout.strip() == version:
            return path
    return None


def requirements(choice: str) -> Iterator[str]:
    """Yield the requirements of the package, and the tools of its tests."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    for line in project["dependencies"]:
        yield lowest_of(line) if choice == "lowest" else line
    yield from (line for line in project["optional-dependencies"]["dev"] if not NOT_FOR_TESTS.match(line))


def lowest_of(requirement: str) -> str:
    """Return a requirement with its lowest version only: `anyio>=4.9` becomes `anyio==4.9`.

    Raises:
        SystemExit: It has no lowest version.
    """
    found = re.fullmatch(r"([A-Za-z0-9._\[\]-]+)>=([0-9.]+)", requirement)
    if found is None:
        raise SystemExit(f"{PROJECT.name}: {requirement} has no lowest version; write name>=version")
    return f"{found[1]}=={found[2]}"


def environment(case: Case, python: Path) -> Path:
    """Return the Python of the environment for this case; create the environment if necessary."""
    wanted = [*requirements(case.choice), str(python)]
    mark = hashlib.blake2b("\n".join(wanted).encode(), digest_size=8).hexdigest()
    folder = PLACE / case.name
    inside, stamp = folder / "bin" / "python", folder / "made-for"
    if stamp.is_file() and stamp.read_text() == mark:
        return inside
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([python, "-m", "venv", folder], check=True)
    pip: list[str | Path] = [
        inside,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--prefer-binary",
    ]
    subprocess.run([*pip, *wanted[:-1]], check=True)
    subprocess.run([*pip, "--no-deps", "--editable", ROOT], check=True)
    stamp.write_text(mark)
    return inside


def main(arguments: Sequence[str]) -> int:
    """Try all cases, or the named ones; return 1 if one fails."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    names, tests = arguments[:at], arguments[at + 1 :] or TESTS
    if strange := set(names) - {case.name for case in CASES}:
        raise SystemExit(f"unknown case {strange.pop()}; choose from {', '.join(case.name for case in CASES)}")
    chosen = [case for case in CASES if not names or case.name in names]
    failed = []
    for case in chosen:
        if (python := interpreter(case.python)) is None:
            print(f"{case.name}: skipped, because this machine has no Python {case.python}", flush=True)
            continue
        inside, begun = environment(case, python), time.monotonic()
        print(f"{case.name}: {python}", flush=True)
        done = subprocess.run([inside, "-m", "pytest", "-q", *tests], cwd=ROOT, check=False)
        print(f"{case.name}: {'failed' if done.returncode else 'good'}, {time.monotonic() - begun:.0f} s", flush=True)
        failed += [case.name] if done.returncode else []
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
