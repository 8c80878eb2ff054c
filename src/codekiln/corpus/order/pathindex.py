"""Finding the file that an import means among the files of one repository."""

from __future__ import annotations

import posixpath
from bisect import bisect_left
from collections.abc import Iterable, Sequence

#: Folders deeper than this, and longer tails of a path, are not looked at: work stays linear on any tree.
_DEPTH = 16
#: Folders that sources commonly lie in, and that imports leave out.
ROOTS = frozenset({"", "src", "lib", "include", "inc", "source", "sources", "python", "app"})


class PathIndex:
    """The paths of a repository, by number in their sorted order."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = paths
        self.numbers: dict[str, int] = {}
        self._tails: dict[str, list[tuple[list[str], int]]] = {}
        self.folders: dict[str, list[int]] = {}
        for number, path in enumerate(paths):
            if path in self.numbers:
                continue
            self.numbers[path] = number
            self.folders.setdefault(posixpath.dirname(path), []).append(number)
            parts = path.split("/")
            for at in range(max(0, len(parts) - _DEPTH), len(parts)):
                self._tails.setdefault("/".join(parts[at:]), []).append((parts, number))
        for found in self._tails.values():
            found.sort()

    def beside(self, folder: str, target: str, endings: Iterable[str]) -> int | None:
        """The file that a path relative to a folder means: with the first of the endings that makes it a file."""
        whole = posixpath.normpath(posixpath.join(folder, target)) if len(target) < 1000 else ""
        if not whole or whole.startswith(("..", "/")):
            return None
        return self.among((whole,), endings)

    def among(self, stems: Iterable[str], endings: Iterable[str]) -> int | None:
        """The first of some paths that, with an ending, is a file."""
        return next(
            (
                self.numbers[name]
                for stem in stems
                for ending in endings
                if (name := (stem + ending).removeprefix("./")) in self.numbers
            ),
            None,
        )

    def nearest(self, path: str, tail: str, *, rooted: bool = False) -> int | None:
        """The file whose path ends with `tail` and that shares the most folders with `path`.

        `rooted`: the tail has to begin at a folder of `ROOTS`, at the top, or at a folder above `path`.
        """
        found = self._tails.get(tail)
        if not found:
            return None
        parts = path.split("/")
        at = bisect_left(found, (parts, -1))
        # The longest common beginning is that of a neighbour in sorted order.
        best = max(found[max(at - 1, 0) : at + 1], key=lambda one: _shared(one[0], parts))
        if rooted:
            length = tail.count("/") + 1
            base = best[0][:-length]
            if base and base[-1].lower() not in ROOTS and parts[: len(base)] != base:
                return None
        return best[1]


def ancestors(path: str) -> list[str]:
    """The folders that a path lies in, the innermost first, "" last; at most _DEPTH and the top."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[:depth]) for depth in range(len(parts), max(0, len(parts) - _DEPTH), -1)] + [""]


def joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    limit = min(len(one), len(other))
    return next((at for at in range(limit) if one[at] != other[at]), limit)
