"""Which lines changed between two texts, in near-linear time whatever the texts are.

Lines that stand exactly once in both anchor the comparison (patience diff); between two anchors only the ends are
compared, so that what a common diff would align inside counts as changed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

#: Lines [first, end) before and [first, end) after.
Range = tuple[int, int, int, int]


def changes(before: Sequence[str], after: Sequence[str]) -> list[Range]:
    """Ranges of lines that differ, in order; equal texts have none."""
    start, end = _ends(before, after, (0, len(before), 0, len(after)))
    outer = (start, len(before) - end, start, len(after) - end)
    found: list[Range] = []
    a, b = outer[0], outer[2]
    for one, other in [*_anchors(before, after, outer), (outer[1], outer[3])]:
        part = (a, one, b, other)
        head, tail = _ends(before, after, part)
        inner = (a + head, one - tail, b + head, other - tail)
        if inner[0] < inner[1] or inner[2] < inner[3]:
            found.append(inner)
        a, b = one + 1, other + 1
    return found


def windows(ranges: Sequence[Range], before: int, after: int, context: int) -> list[Range]:
    """Changed ranges with lines around them, joined where they touch; `before`, `after`: lines of the texts."""
    joined: list[Range] = []
    for a, a_end, b, b_end in ranges:
        wide = (
            max(0, a - context), min(before, a_end + context), max(0, b - context), min(after, b_end + context),
        )  # fmt: skip
        if joined and (wide[0] <= joined[-1][1] or wide[2] <= joined[-1][3]):
            joined[-1] = (joined[-1][0], wide[1], joined[-1][2], wide[3])
        else:
            joined.append(wide)
    return joined


def _ends(before: Sequence[str], after: Sequence[str], part: Range) -> tuple[int, int]:
    """Equal lines at the beginning and at the end of a part, none counted twice."""
    a, a_end, b, b_end = part
    most = min(a_end - a, b_end - b)
    head = 0
    while head < most and before[a + head] == after[b + head]:
        head += 1
    tail = 0
    while tail < most - head and before[a_end - 1 - tail] == after[b_end - 1 - tail]:
        tail += 1
    return head, tail


def _anchors(before: Sequence[str], after: Sequence[str], part: Range) -> list[tuple[int, int]]:
    """Pairs of equal lines that are unique in both parts: the longest run of pairs that rise in both."""
    a, a_end, b, b_end = part
    if a == a_end or b == b_end:
        return []
    counts, others = Counter(before[a:a_end]), Counter(after[b:b_end])
    places = {
        line: b + at for at, line in enumerate(after[b:b_end]) if others[line] == 1 and counts[line] == 1
    }
    pairs = [(a + at, places[line]) for at, line in enumerate(before[a:a_end]) if line in places]
    tops: list[int] = []  # place in `after` that ends the best run of each length
    ends: list[int] = []  # its pair
    back: list[int] = []
    for number, (_, other) in enumerate(pairs):
        length = bisect_left(tops, other)
        back.append(ends[length - 1] if length else -1)
        if length == len(tops):
            tops.append(other)
            ends.append(number)
        else:
            tops[length], ends[length] = other, number
    run: list[tuple[int, int]] = []
    at = ends[-1] if ends else -1
    while at >= 0:
        run.append(pairs[at])
        at = back[at]
    return run[::-1]
