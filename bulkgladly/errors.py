"""Every error bulkgladly raises, and what each one means for the run.

    BulkgladlyError
    ├─ UsageError              settings or arguments cannot work; nothing was sent       exit 2
    │  ├─ InputError           a file is not what its format says, or cannot be read     exit 2
    │  └─ DataSetInUse         another process writes the data set: wait, then try again  exit 2
    ├─ JournalError            the run's own files cannot be used                        exit 2
    │  ├─ InputChanged         the input is not the one with which the run began
    │  ├─ RunLocked            another process works on the run
    │  └─ JournalDamaged       the journal cannot be read, or is from a newer version
    ├─ TransportError          no usable reply
    │  ├─ Unreachable          nothing left the machine: a repeat is always safe
    │  ├─ ReplyLost            it may have been executed: repeat only as the request's rule allows
    │  └─ BodyTooLong          the response is longer than allowed: a repeat does not help
    ├─ Fatal                   the run must stop, and no record is to blame              exit 4
    │  ├─ NotAuthenticated     401
    │  ├─ NotPermitted         403
    │  └─ WrongOrganisation    the host responds, but has no Gladly organisation
    ├─ Outage                  not reachable for longer than the run may wait            exit 5
    ├─ NotTrusted              the host's certificate is not trusted on this machine     exit 5
    ├─ RunSilent               a run in another process does not react: try again        exit 5
    ├─ Withdrawn               a request did not leave, because the run ends             exit 10
    └─ DiskFull                something could not be written                            exit 5

A record that cannot be sent, or that Gladly refuses, is never an exception: it is an
`Outcome` (see `records`).
"""

__all__ = (
    "BodyTooLong",
    "BulkgladlyError",
    "DataSetInUse",
    "DiskFull",
    "Fatal",
    "InputChanged",
    "InputError",
    "JournalDamaged",
    "JournalError",
    "NotAuthenticated",
    "NotPermitted",
    "NotTrusted",
    "Outage",
    "ReplyLost",
    "RunLocked",
    "RunSilent",
    "TransportError",
    "Unreachable",
    "UsageError",
    "Withdrawn",
    "WrongOrganisation",
)


class BulkgladlyError(Exception):
    """The root. `exit_code` is what the command line returns for it."""

    exit_code = 70
    lost = 0
    """How many attempts of the request that ended with this error may have been executed all the same."""


class UsageError(BulkgladlyError):
    """Settings or arguments cannot work. Nothing was sent."""

    exit_code = 2


class InputError(UsageError):
    """A whole file cannot be used: missing, unreadable, or not what its format says."""


class UnfinishedRun(UsageError):
    """An earlier run of the same input is not finished; it is continued, or a new one is asked for by name."""


class RunTakenBack(UsageError):
    """An undo has taken back a part of the run, so it is not continued but begun again."""


class DataSetInUse(UsageError):
    """Another process writes the data set at the moment. Nothing was changed; try again when it has ended."""


class JournalError(BulkgladlyError):
    """The run's own files cannot be used as asked. Nothing was sent."""

    exit_code = 2


class InputChanged(JournalError):
    """An input file is not the one with which the run began."""


class RunLocked(JournalError):
    """Another process works on the run."""


class JournalDamaged(JournalError):
    """The journal cannot be read, or was written by a newer version."""


class TransportError(BulkgladlyError):
    """An attempt ended without a usable reply."""

    exit_code = 5


class Unreachable(TransportError):
    """Nothing left the machine, so a repeat is always safe."""


class ReplyLost(TransportError):
    """The request left and no whole reply came: it may have been executed."""


class BodyTooLong(TransportError):
    """A body is longer than allowed. It would be so again, so it is not requested again."""


class Fatal(BulkgladlyError):
    """The run must stop now; no record is to blame, and none is rejected for it."""

    exit_code = 4


class NotAuthenticated(Fatal):
    """Gladly responded with 401: the email address or the token is wrong."""


class NotPermitted(Fatal):
    """Gladly responded with 403: the user lacks a permission."""


class WrongOrganisation(Fatal):
    """The host responds, but not as a Gladly organisation does."""


class Outage(BulkgladlyError):
    """The host could not be reached for longer than the run may wait; resume later."""

    exit_code = 5


class NotTrusted(BulkgladlyError):
    """This machine does not trust the host's certificate, so nothing was sent. A repeat does not help."""

    exit_code = 5


class Withdrawn(BulkgladlyError):
    """A request was taken back before it left, because the run ends or may not send further requests."""

    exit_code = 10


class RunSilent(BulkgladlyError):
    """A run that works in another process has not reacted in time. An order that was given to it stands."""

    exit_code = 5


class DiskFull(BulkgladlyError):
    """Something could not be written. What was committed before is intact; resume later."""

    exit_code = 5
