"""How objects are exported through the live API, and whether a list is complete. Pure.

Facts are from gladly-api: endpoints (operations), README (paging: caps, order, the sign of a
cut list). The API has no paging: a list is complete, or it is cut at its cap and the rest cannot
be requested.
"""

import enum
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote

from bulkgladly.messages import Request
from bulkgladly.operations import Operation

__all__ = (
    "CHANGED",
    "COMPOSITE",
    "IDS_OF_CONVERSATIONS",
    "IDS_OF_CUSTOMERS",
    "LIMITED_DATA",
    "Cut",
    "FileColumns",
    "IdColumn",
    "LiveExport",
    "Parent",
    "SingleObjects",
    "WantedFile",
    "content_type_in",
    "cut_of",
    "is_askable",
)

LIMITED_DATA = "Gladly-Limited-Data"
COMPOSITE = "/"
"""Separates the parts of a key that has several: an answer's id, a language and a type."""

_VARIABLE = re.compile(r"\{(\w+)\}")
# As a segment of a path, a library or a proxy resolves these, and another path is requested.
_NEVER = ("", ".", "..")


class Parent(enum.StrEnum):
    """The kind of id in the path of an operation: whose objects it returns."""

    NONE = "none"
    CUSTOMER = "customer"
    CONVERSATION = "conversation"
    TASK = "task"
    ITEM = "item"
    ANSWER = "answer"
    EMAIL = "email"
    """Not an id, but an address that is searched for."""


class Cut(enum.Enum):
    """Whether a list is complete."""

    NO = "whole"
    POSSIBLY = "possibly cut"
    YES = "cut"


class IdColumn(NamedTuple):
    """A column of a data set that holds ids to request; `changed` is the column with the time of their last change."""

    data_set: str
    id: str
    changed: str | None = None
    language: str | None = None
    of_types: frozenset[str] = frozenset()
    """Only rows of these kinds are used; all if it is empty."""


class SingleObjects(NamedTuple):
    """How the objects that a cut list lacks are requested one by one, with the export `word`.

    Rows of `data_set` name them: the column `parent` holds whose list they belong to, the column `id` which they are.
    """

    word: str
    data_set: str
    parent: str
    id: str


class WantedFile(NamedTuple):
    """A file that a row names: the ids to request it by, and what the row says about it."""

    ids: tuple[str, ...]
    filename: str | None = None
    content_type: str | None = None
    size: int | None = None


class FileColumns(NamedTuple):
    """The columns that name files, in each of these data sets; `files` returns those that one row names."""

    data_sets: tuple[str, ...]
    columns: tuple[str, ...]
    files: Callable[..., Iterable[WantedFile]]


CHANGED = "_job_updated_at"
"""A newer export job shows that an object has changed since."""
# The files of export jobs have most of the ids, and a newer job shows which objects have changed.
IDS_OF_CUSTOMERS = (IdColumn("customers", "id", CHANGED), IdColumn("items", "customerId", CHANGED))
IDS_OF_CONVERSATIONS = (IdColumn("items", "conversationId", CHANGED), IdColumn("conversations", "id"))


def _itself(asked: str, language: str | None) -> Iterable[str]:
    del language
    return (asked,)


@dataclass(frozen=True, slots=True)
class LiveExport:
    """One operation whose responses become rows of a data set.

    `cap` is the length at which the list is cut, None if the document has none. `order` is what
    the list is sorted by. Which end a cut list loses is UNKNOWN. `tells_of_cut` is true if the
    header `Gladly-Limited-Data` is documented for it. `accept` is for responses that are not JSON.

    `ids_from` names the columns that hold the ids to request. `keys_of` returns the keys to
    request for such an id and the language beside it. `asks_itself` says that the ids may come
    from the data set that is written, if no other is named. `by_address` finds the same objects
    by an address: its `parameter` in the query takes one, and `address_columns` are the columns of
    a file that may hold one. `one_by_one` says how the rest of a cut list is requested.

    `names` is the kind of name that the list resolves. `files` is set if the response is a file
    beside the rows. `may_be_withheld` says that a refusal means that there is nothing to export.
    `tells_successor` says that the response for a merged parent names the parent that remains.
    `answers` declares an operation that `bulkgladly.operations` does not have.
    """

    word: str
    operation: str
    path: str
    data_set: str
    parent: Parent = Parent.NONE
    is_list: bool = True
    cap: int | None = None
    order: str | None = None
    tells_of_cut: bool = False
    accept: str | None = None
    ids_from: tuple[IdColumn, ...] = ()
    keys_of: Callable[[str, str | None], Iterable[str]] = _itself
    asks_itself: bool = False
    by_address: "LiveExport | None" = None
    parameter: str = ""
    address_columns: tuple[str, ...] = ()
    one_by_one: SingleObjects | None = None
    names: str | None = None
    files: FileColumns | None = None
    may_be_withheld: bool = False
    tells_successor: bool = False
    answers: Operation | None = None

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the path's variables, in order."""
        return tuple(_VARIABLE.findall(self.path))

    @property
    def id_columns(self) -> tuple[str, ...]:
        """The columns of a file that may hold the ids to request, the likeliest first."""
        if self.address_columns:
            return self.address_columns
        # The result files of an import of customers have their ids in gladly_id.
        of_imports = ("gladly_id",) if self.parent is Parent.CUSTOMER else ()
        return ("id", *self.variables[:1], *of_imports)

    def request(self, *values: str, query: tuple[tuple[str, str], ...] = ()) -> Request:
        """Return the request with a value for each variable of the path, each encoded as one segment.

        Raises:
            ValueError: A value cannot be in a path (see `is_askable`), or there are too few or too many.
        """
        if not all(map(is_askable, values)):
            raise ValueError("an id that is empty, all dots, or has control characters")
        named = dict(zip(self.variables, values, strict=True))
        path = _VARIABLE.sub(lambda found: quote(named[found[1]], safe=""), self.path)
        return Request(self.operation, "GET", path, query, accept=self.accept, answers=self.answers)


def content_type_in(header: str | None) -> str | None:
    """Return a content type without its parameters, in lower case; None where there is none."""
    return header.partition(";")[0].strip().lower() or None if header else None


def is_askable(value: str) -> bool:
    """Tell whether a text from outside can be one segment of a path."""
    return value not in _NEVER and value.isprintable()


def cut_of(row: LiveExport, headers: Mapping[str, str], count: int) -> Cut:
    """Return whether a list of `count` elements was cut, by its headers and its length.

    The document calls the header a flag and gives no values: absent and `false` are equal,
    anything else means cut. A list exactly at its cap counts as possibly cut: nobody has seen the
    header yet, so its absence proves nothing. If a list is longer than its cap, the cap was
    raised. The header would still show a cut then; if none is documented, nothing would.
    """
    flag = headers.get(LIMITED_DATA)
    if flag is not None and flag.strip().lower() != "false":
        return Cut.YES
    if row.cap is None or count < row.cap:
        return Cut.NO
    return Cut.NO if row.tells_of_cut and count > row.cap else Cut.POSSIBLY
