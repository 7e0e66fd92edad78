"""Build wheel and sdist, install each into a clean environment, and import with it.

    make dist

Both environments hold only what the package requires. In each, the program must print its version,
and import a file into its own emulator from a folder outside the checkout.
"""

import os
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
DIST = ROOT / "dist"


def call(*command: str | Path, cwd: Path, environment: dict[str, str] | None = None) -> str:
    """Run a command that must succeed; return its output."""
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{command} failed with exit code {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def try_one(package: Path) -> None:
    """Install one package into a clean environment and use it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv.create(folder / "env", with_pip=True)
        python = folder / "env" / "bin" / "python"
        program = folder / "env" / "bin" / "bulkgladly"
        call(python, "-m", "pip", "install", "--quiet", package, cwd=folder)
        print(f"  {package.name}: {call(program, '--version', cwd=folder).strip()}", flush=True)
        (folder / "one.csv").write_text("name,email:1\nAda Example,ada@example.org\n")
        emulator = subprocess.Popen([program, "emulator", "--port", "0"], stderr=subprocess.PIPE, text=True, cwd=folder)
        try:
            assert emulator.stderr is not None
            found = re.search(r"http://127\.0\.0\.1:\d+", emulator.stderr.readline())
            assert found is not None
            environment = {
                **os.environ,
                "GLADLY_HOST": found[0],
                "GLADLY_USERNAME": "agent@example.org",
                "GLADLY_API_TOKEN": "emulator-token",
            }
            report = call(program, "import", "customers", "one.csv", "--json", cwd=folder, environment=environment)
            assert '"created": 1' in report, report
        finally:
            emulator.terminate()
            emulator.wait(10)
        print(f"  {package.name}: installed in a clean environment and imported a customer", flush=True)


def main() -> int:
    """Build both, and try both."""
    for old in DIST.glob("bulkgladly-*"):
        old.unlink()
    call(sys.executable, "-m", "build", "--outdir", DIST, ROOT, cwd=ROOT)
    for package in sorted(DIST.glob("bulkgladly-*")):
        try_one(package)
    return 0


if __name__ == "__main__":
    sys.exit(main())
