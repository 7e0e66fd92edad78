"""What holds for every test: the real cache of the user is never touched, and each module is compiled once."""

import gc
import importlib
import os
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.dying import Mortals

ROOT = Path(__file__).parents[1]


def keep_bytecode() -> None:
    """Where bytecode must not lie beside the source, keep it in a folder of the tests, also for their programs.

    Without any, the tests and the hundreds of programs that they start spend a quarter of their time on
    compiling the same modules again and again.
    """
    if sys.dont_write_bytecode:
        folder = ROOT / ".pytest_cache" / "bytecode"
        sys.dont_write_bytecode, sys.pycache_prefix = False, str(folder)
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(folder)


keep_bytecode()
# How long an example takes says how busy the machine is. Each run draws others, and `make soak` draws many.
settings.register_profile("few", max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("many", settings.get_profile("few"), max_examples=1000)
settings.load_profile("few")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Collect without the garbage collector: in thousands of tests and all modules it finds nothing, then or later."""
    compile_share(session)
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def compile_share(session: pytest.Session) -> None:
    """Let each of several workers compile its share of all tests; then it finds what the others have compiled."""
    worker: dict[str, object] | None = getattr(session.config, "workerinput", None)
    if worker is None or list(session.config.args) != session.config.getini("testpaths"):
        return
    mine, of = int(str(worker["workerid"]).removeprefix("gw")), int(str(worker["workercount"]))
    for path in sorted((ROOT / "tests").rglob("test_*.py"))[mine::of]:
        with suppress(Exception):  # which the collection tells
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what processes share on this machine in a folder of the tests, also in programs that they start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def mortals(own_cache: None) -> Iterator[Mortals]:
    """Processes to kill, all from one that has imported everything."""
    with ExitStack() as stack:
        yield stack.enter_context(Mortals())
