"""The options that `--help` shows of the commands with many: what most people need, in the order of need.

Such a page fits one screen, which a test asserts. `--help-all` shows every option.
"""

from collections.abc import Mapping

__all__ = ("FIRST_OPTIONS",)

FIRST_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "import": (
        *("--key", "--map", "--mode", "--phone-region", "--invalid-contacts", "--dry-run", "--rehearse", "--limit"),
        *("--baseline", "--undoable", "--rate", "--profile", "--json"),
    ),
    "plan": (
        *("--out", "--live", "--key", "--map", "--mode", "--phone-region", "--invalid-contacts", "--on-conflict"),
        *("--detailed-exitcode", "--force", "--show-values", "--rate", "--profile", "--json"),
    ),
    "apply": (
        *(
            "--canary",
            "--yes",
            "--new-run",
            "--rate",
            "--finish-by",
            "--max-duration",
            "--max-requests",
            "--max-errors",
        ),
        *("--fail-on", "--state-dir", "--profile", "--json"),
    ),
    "check": (
        *("--key", "--map", "--mode", "--phone-region", "--invalid-contacts", "--ignore-columns", "--parents"),
        *("--show-values", "--profile", "--json"),
    ),
    "export": (
        *("--out", "--since", "--until", "--ids", "--emails", "--from-dataset", "--from", "--to", "--all"),
        *("--format", "--refresh", "--rate", "--profile", "--json"),
    ),
    "dump": (
        *("--what", "--reports", "--reports-from", "--compact", "--retention", "--format", "--rate", "--max-duration"),
        *("--state-dir", "--profile", "--json"),
    ),
    "resume": (
        *("--rate", "--max-duration", "--max-requests", "--max-errors", "--limit", "--accept-changed-input"),
        *("--state-dir", "--profile", "--json"),
    ),
    "retry": (
        *("--phone-region", "--invalid-contacts", "--on-conflict", "--on-duplicate", "--sent-nothing"),
        *("--rate", "--max-errors", "--state-dir", "--profile", "--json"),
    ),
    "undo": (
        *("--dry-run", "--yes", "--limit", "--show-values", "--rate", "--max-duration", "--state-dir", "--profile"),
        "--json",
    ),
    "crosswalk repair": (
        *("--namespace", "--forget-deleted", "--max-forgotten", "--rate", "--max-duration", "--max-requests"),
        *("--state-dir", "--profile", "--json"),
    ),
    "verify": (
        *("--sample", "--key", "--map", "--mode", "--phone-region", "--show-values", "--rate", "--max-duration"),
        *("--state-dir", "--profile", "--json"),
    ),
    "map check": (
        *("--map", "--key", "--rows", "--expect", "--phone-region", "--invalid-contacts", "--mode", "--transform"),
        *("--show-values", "--json"),
    ),
    "migrate run": (
        *("--rehearse", "--stop-on-rejects", "--again", "--new-run", "--accept-changed-input", "--rate"),
        *("--max-duration", "--max-errors", "--state-dir", "--profile", "--json"),
    ),
    "follow": (
        *("--out", "--to", "--rules", "--entities", "--since", "--fetch", "--max-duration", "--state-dir"),
        "--profile",
    ),
    "listen": (
        *("--at", "--path", "--tls-cert", "--tls-key", "--heal", "--live", "--out", "--to", "--rules", "--fetch"),
        *("--state-dir", "--profile"),
    ),
}
"""By the name of the command, without the program's."""
