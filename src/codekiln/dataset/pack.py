"""Best-fit packing of whole documents into rows."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque
from collections.abc import Sequence
from itertools import islice


def pack(
    lengths: Sequence[int], room: int, *, complete: bool = True, buffer: int = 128
) -> tuple[list[list[int]], list[int]]:
    """Pack documents, in their order, into rows of at most `room` tokens.

    A row starts with the oldest waiting document and takes, again and again, the longest one among the next
    `buffer` that still fits. Rows therefore do not depend on documents that come much later.

    Args:
        lengths: tokens of each document, each between 1 and `room`.
        complete: whether no further documents follow. If some do, packing stops as soon as the buffer cannot
            be filled.

    Returns:
        The rows, as positions in `lengths`, and the positions that are left: those not reached, or (with
        `complete`) the documents of a last row that is not nearly full, to be carried into the next epoch.
    """
    if lengths and not (min(lengths) >= 1 and max(lengths) <= room):
        raise ValueError(f"document lengths must lie between 1 and {room}")
    pending = iter(range(len(lengths)))
    order: deque[int] = deque()
    waiting: list[tuple[int, int]] = []
    rows: list[list[int]] = []

    def refill() -> None:
        for number in islice(pending, buffer - len(waiting)):
            order.append(number)
            insort(waiting, (lengths[number], -number))

    refill()
    while waiting and (complete or len(waiting) == buffer):
        taken: set[int] = set()
        row: list[int] = []
        number = order.popleft()
        space = room - lengths[number]
        row.append(number)
        waiting.remove((lengths[number], -number))
        # Equal lengths: the older document, because positions are stored negated.
        while (at := bisect_right(waiting, (space, 1))) > 0:
            length, negated = waiting.pop(at - 1)
            row.append(-negated)
            taken.add(-negated)
            space -= length
        if taken:
            order = deque(n for n in order if n not in taken)
        rows.append(row)
        refill()
    left = sorted(-negated for _, negated in waiting) + list(pending)
    if complete and rows and sum(lengths[n] for n in rows[-1]) < 0.95 * room:
        left = sorted(rows.pop())
    return rows, left
