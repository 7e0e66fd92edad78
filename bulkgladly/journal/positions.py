"""Which rows of a run are settled. Needs memory only for the rows in flight. Pure."""

from collections import deque
from collections.abc import Iterable

from bulkgladly.records import Mark, Position

__all__ = ("Frontier", "ranges_of")


def ranges_of(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Return sorted numbers as closed ranges: 3, 4, 5, 9 gives (3, 5), (9, 9)."""
    ranges: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return ranges


class Frontier:
    """The low-water mark of a run, and what is settled above it.

    Rows are admitted in input order and settle in any order. All rows below the mark are
    settled; a resume seeks to the mark and skips `above`. Memory holds the rows between the
    mark and the last admitted one.

    Successive rows at one position were made from one row of input, and the mark never stands
    between them: a resume makes all of them again, counting from the first.
    """

    def __init__(self, mark: Mark | None = None, above: Iterable[tuple[int, int]] = ()) -> None:
        self._mark = mark or Mark()
        self._admitted: deque[tuple[int, Position]] = deque()
        """Where each position begins."""
        self._last: Position | None = None
        self._settled = {seq for first, last in above for seq in range(first, last + 1)}

    def admit(self, seq: int, position: Position) -> None:
        """Note a row that has been read. Call it in the order of `seq`."""
        if position != self._last:
            self._last = position
            self._admitted.append((seq, position))

    def settle(self, seq: int) -> None:
        """Note that a row has ended."""
        self._settled.add(seq)

    def settle_all(self, seqs: Iterable[int]) -> None:
        """Note that rows have ended."""
        self._settled.update(seqs)

    def is_settled(self, seq: int) -> bool:
        """Tell whether a row is settled."""
        return seq < self._mark.seq or seq in self._settled

    def advance(self) -> Mark:
        """Move the mark over all settled rows that it can pass, and return it.

        It never passes the last admitted position, since it is not known where the next one
        begins; once its rows are settled, they are in `above`.
        """
        admitted, settled = self._admitted, self._settled
        while len(admitted) > 1:
            first, following = admitted[0][0], admitted[1][0]
            if first not in settled:
                break
            # Most positions have one row, which is checked above without building a range.
            if following - first == 1:
                settled.remove(first)
            elif settled.issuperset(range(first, following)):
                settled.difference_update(range(first, following))
            else:
                break
            admitted.popleft()
        if self._admitted:
            self._mark = Mark(*self._admitted[0])
        return self._mark

    def above(self) -> list[tuple[int, int]]:
        """Return the settled ranges at and above the mark."""
        return ranges_of(self._settled)
