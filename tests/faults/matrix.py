"""Every kind of request against every kind of reply: the cells, and the words that each may end with.

What is expected is said here, by what a reply is, and not asked of the code that judges replies.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from bulkgladly.emulator.faults.fault import Fault
from bulkgladly.emulator.faults.fault_catalogue import CATALOGUE
from tests.faults.scenes import EXPORTS, IMPORTS, KINDS

__all__ = ("CELLS", "GROUPS", "IMPOSSIBLE", "STORMS", "Cell")

GROUPS: Mapping[str, tuple[str, ...]] = {
    "connection refused": ("refused_before", "own_then_refused"),
    "connection reset": ("reset_before", "reset_after", "closed_before", "own_then_reset"),
    "response dropped after the change": ("closed_after", "refused_after"),
    "time-out": ("silence_before", "silence_after", "own_overlong_and_silence"),
    "stale connection": ("own_then_stale", "own_then_close"),
    "429": (
        "429_errors",
        "429_html",
        "429_empty",
        "429_odd_limits",
        "429_retry_after_zero",
        "429_retry_after_seconds",
        "429_retry_after_fraction",
        "429_retry_after_date_past",
        "429_retry_after_date_future",
        "429_retry_after_negative",
        "429_retry_after_huge",
        "429_retry_after_not_a_number",
        "429_retry_after_garbage",
        "429_retry_after_blank",
    ),
    "lasting 429": ("429_storm",),
    "5xx": ("500_errors", "502_html", "503_empty", "503_retry_after_seconds", "504_message", "599_html"),
    "4xx of a gateway": (
        "400_html",
        "400_empty",
        "404_html",
        "404_empty",
        "404_message",
        "404_object",
        "405_html",
        "408_empty",
        "409_html",
        "410_errors",
        "413_html",
        "422_errors",
        "451_html",
        "499_empty",
    ),
    "access denied": ("401_html", "403_empty", "403_errors"),
    "2xx with a web page": ("200_html", "201_html", "202_html", "204_html", "206_html"),
    "2xx with an empty body": ("200_empty", "201_empty", "202_empty", "204_empty", "206_empty"),
    "2xx with an error": ("200_errors", "201_errors", "202_errors", "200_message"),
    "wrong shape": ("200_object", "200_list", "200_numbers", "200_text", "200_null", "own_wrapped", "own_listed"),
    "wrong object": ("own_other", "own_location_elsewhere", "own_location_empty"),
    "wrong status": ("own_as_200", "own_as_201", "own_as_202", "own_as_204", "own_as_206", "own_as_404"),
    "truncated JSON": ("own_cut", "200_cut_json", "200_not_utf8", "200_nan", "200_deep_json"),
    "wrong length": ("own_half", "own_overlong", "own_short", "two_lengths", "negative_length"),
    "truncated chunks": ("own_chunks_cut", "own_chunks_cut_by_reset", "bad_chunk_size"),
    "bad compression": ("own_in_gzip_lie", "own_in_gzip_cut", "own_in_unknown_coding", "200_gzip_bomb"),
    "slow drip": ("own_slow", "own_slow_drip"),
    "endless body": ("200_endless", "200_endless_blanks"),
    "redirect to itself": ("301_to_self", "302_to_self", "307_to_self_absolute"),
    "redirect to another address": ("301_to_sign_in", "302_to_sign_in", "303_to_sign_in", "308_to_garbage"),
    "not HTTP": ("not_http", "head_cut", "header_with_nul", "huge_header"),
    "correct, other encoding": (
        "own_in_gzip",
        "own_in_chunks",
        "own_unframed",
        "own_as_html",
        "200_own_odd_limits",
    ),
    "Gladly's own refusal": ("400_errors", "409_gladly_taken", "404_gladly"),
}
"""The replies, by what they are. Names are those of the emulator's catalogue, and of `STORMS`."""

STORMS: Mapping[str, tuple[str, int]] = {"429_storm": ("429_errors", 25)}
"""Replies that come many times in a row."""

IMPOSSIBLE: Mapping[str, str] = {
    "TLS failures": "fail before any request, whatever its kind: `tests/doors/test_client_tls.py`, with a real server",
}

_HARMLESS = frozenset(
    {
        *GROUPS["correct, other encoding"],
        *GROUPS["slow drip"],
        *GROUPS["429"],
        *STORMS,
        "own_then_refused",
        "own_then_stale",
        "own_then_close",
        "own_location_elsewhere",
        "own_location_empty",
    }
)
_OWN = frozenset(name for names in GROUPS.values() for name in names if "own_" in name)
_ONLY_AFTER = frozenset({"reset_after", "closed_after", "silence_after", "refused_after"}) | _OWN


@dataclass(frozen=True)
class Cell:
    """One kind of request, one reply, and whether the work was done all the same."""

    kind: str
    group: str
    reply: str
    executes: bool

    @property
    def name(self) -> str:
        return f"{self.kind} / {self.reply}" + (" / done" if self.executes else "")

    @property
    def fault(self) -> Fault:
        name, _ = STORMS.get(self.reply, (self.reply, 1))
        fault = replace(CATALOGUE[name], executes=self.executes)
        # A report is long: byte by byte it would take longer than all other cells together.
        return replace(fault, drip_s=1e-6) if self.kind == "report" and fault.drip_s else fault

    @property
    def times(self) -> int:
        """How many requests of the kind meet it, one after the other."""
        return STORMS.get(self.reply, (self.reply, 1))[1]

    @property
    def forged(self) -> str | None:
        """Why nobody can tell the reply from Gladly's own word, where that is so."""
        if self.executes and self.reply in GROUPS["Gladly's own refusal"]:
            return "Gladly itself would have to refuse a change that it made"
        if self.executes and not self.reply.startswith("own_"):
            return None  # the reply is about something that was done
        return _FORGED.get((self.kind, self.reply))

    def allowed(self, clean: Mapping[str, str], name: str) -> frozenset[str]:
        """The words with which a row may end; `clean` are those without a fault."""
        good = frozenset({clean[name]})
        if self.reply in GROUPS["access denied"]:
            return good | {"unprocessed"}
        if self.kind == "names: list" and self.reply in _REFUSES_NAMES:
            return frozenset({"unprocessed"})
        if self.reply in GROUPS["Gladly's own refusal"] or (self.kind, self.reply) in _NO_MATCH:
            return good | {"rejected"} | ({"unknown"} if self.kind.startswith("once") else frozenset())
        if self.reply in _HARMLESS:
            return good
        if self.kind == "once: note":
            return good | {"unknown"}
        return good | {"unknown"} if self.kind.startswith("once") else good

    def exit_codes(self, clean: int) -> frozenset[int]:
        """The exit codes that are right; `clean` is that without a fault."""
        if self.reply in GROUPS["access denied"]:
            return frozenset({4})
        if self.kind == "names: list" and self.reply in _REFUSES_NAMES:
            return frozenset({_REFUSES_NAMES[self.reply]})
        if self.kind in EXPORTS or self.kind.startswith("once") or self.reply in GROUPS["Gladly's own refusal"]:
            return frozenset({clean, 1})
        if (self.kind, self.reply) in _NO_MATCH:
            return frozenset({clean, 1})
        return frozenset({clean})


_REFUSES_NAMES = {"200_list": 2, "own_other": 2, **dict.fromkeys(GROUPS["Gladly's own refusal"], 5)}
"""How an import ends that cannot read a list of names, or finds none of its names in it."""
_NO_MATCH = (("find", "200_list"), ("find", "own_other"))
"""A search that finds nobody, or somebody else: the row is not written, and said to be in conflict."""
_LISTS = ("download", "list", "list of a customer", "events", "report", "job list")
_LETTER = "Gladly itself sends nothing but a 204"
_EMPTY = "Gladly itself sends an empty list if there is nothing"
_FORGED: Mapping[tuple[str, str], str] = {
    **dict.fromkeys([(kind, reply) for kind in ("patch", "delete") for reply in ("204_empty", "204_html")], _LETTER),
    **dict.fromkeys([(kind, "200_list") for kind in ("job list", "list", "list of a customer")], _EMPTY),
    **dict.fromkeys([(kind, "own_other") for kind in _LISTS], "a list of other objects, in the form of Gladly's own"),
    ("events", "own_cut"): "whole lines, as if there were no others",
    (
        "profile",
        "404_gladly",
    ): "Gladly's own error for a customer who does not exist, from an organisation that answers",
    ("list of a customer", "404_gladly"): "the same, and not every export asks for the profile",
}


def _cells() -> Iterator[Cell]:
    for kind in KINDS:
        for group, names in GROUPS.items():
            for name in names:
                # The operation's own answer is there only where it was carried out, and reads do nothing.
                if name in _ONLY_AFTER:
                    yield Cell(kind, group, name, executes=True)
                    continue
                yield Cell(kind, group, name, executes=False)
                if name in STORMS:
                    continue
                if kind in IMPORTS and CATALOGUE[name].reply is not None and not name.startswith(("429", "401", "403")):
                    yield Cell(kind, group, name, executes=True)


CELLS: tuple[Cell, ...] = tuple(_cells())
