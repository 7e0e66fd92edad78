"""Errors of the system in our words: a disk that takes no more is 5, a name that cannot be used 2."""

import errno
import os

import pytest

from bulkgladly.errors import DiskFull, UsageError
from bulkgladly.storage.failures import is_full, not_written, os_problem, writing


def error_of(number: int, *names: str) -> OSError:
    return OSError(number, os.strerror(number), *names)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "no space left on the disk"),
        (errno.EDQUOT, "quota"),
        (errno.EFBIG, "ulimit -f"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "the disk reports an error"),
        (errno.EACCES, "permission denied"),
        (errno.EMFILE, "ulimit -n"),
        (errno.ENOTDIR, "Not a directory"),
    ],
)
def test_what_could_not_be_written_is_named_with_why_and_what_to_do(number: int, words: str) -> None:
    """In mid-run each of them ends the run with 5, and none of them with the same advice."""
    problem = not_written("the report", error_of(number))

    assert (type(problem), problem.exit_code) == (DiskFull, 5)
    assert str(problem).startswith("the report could not be written: ")
    assert words in str(problem)
    assert str(problem).endswith(", then resume")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS])
def test_a_disk_that_takes_no_more_is_told_from_a_wrong_name(number: int) -> None:
    """Whatever names the file."""
    assert is_full(error_of(number))
    assert os_problem(error_of(number, "x.csv")).exit_code == 5


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOENT, errno.ENAMETOOLONG, errno.ELOOP, errno.EISDIR])
def test_a_name_that_cannot_be_used_is_a_mistake_of_usage(number: int) -> None:
    """No bug of ours, and no full disk."""
    problem = os_problem(error_of(number, "x.csv"))

    assert isinstance(problem, UsageError)
    assert str(problem) == f"x.csv cannot be used: {os.strerror(number)}"
    assert not is_full(error_of(number))


def test_an_error_without_a_name_is_still_told() -> None:
    """As of a temporary folder that cannot be found."""
    assert str(os_problem(FileNotFoundError(errno.ENOENT, "No usable folder"))) == "No usable folder"
    assert str(os_problem(OSError())) == "OSError"


def test_writing_lets_everything_else_through() -> None:
    """Only the system's errors are about the disk."""
    with pytest.raises(DiskFull), writing("x"):
        raise error_of(errno.ENOSPC)
    with pytest.raises(ValueError, match="mine"), writing("x"):
        raise ValueError("mine")
