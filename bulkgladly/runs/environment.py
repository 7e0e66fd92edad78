"""What a run takes from outside besides its options: chance, and how patient it is. Tests give it others."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from bulkgladly.transport.retry import RetryPolicy

__all__ = ("USUAL", "Environment")


@dataclass(frozen=True, slots=True)
class Environment:
    """Chance and patience of a run.

    `random` gives numbers from 0 to 1, from which waits are drawn. `retry` says how often and after
    which waits a request, or a download that broke off, is made again. A host that never answered is given up
    after `first_contact_s`.
    """

    random: Callable[[], float] = random.random
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    first_contact_s: float = 30.0


USUAL = Environment()
"""What a run takes in earnest."""
