"""The options of a plan: those of the import that it plans, and where and how it is made."""

from dataclasses import dataclass, fields
from pathlib import Path

from bulkgladly.imports.import_options import ImportOptions
from bulkgladly.local_paths import LocalPath, OptionalPath

__all__ = ("PLAN_MODE", "PlanOptions")

PLAN_MODE = "plan"
"""The mode of a run that plans."""


@dataclass(frozen=True)
class PlanOptions(ImportOptions):
    """What `ImportOptions` have, and `out`, the folder of the plan.

    With `is_live`, requests read what a write would meet or write over; without, memory alone decides. `force` lets
    the plan replace one that exists.
    """

    # These two again, since type checkers lose the type of an inherited descriptor.
    baseline: OptionalPath = OptionalPath()
    state_dir: LocalPath = LocalPath(".bulkgladly")
    out: LocalPath = LocalPath("changes.plan")
    is_live: bool = False
    force: bool = False

    @classmethod
    def of(cls, options: ImportOptions, *, out: Path, is_live: bool = False, force: bool = False) -> "PlanOptions":
        """Return the options of a plan of an import."""
        given = {each.name: getattr(options, each.name) for each in fields(ImportOptions)}
        return cls(**given, out=out, is_live=is_live, force=force)

    def of_import(self) -> ImportOptions:
        """Return the options of the import."""
        return ImportOptions(**{each.name: getattr(self, each.name) for each in fields(ImportOptions)})
