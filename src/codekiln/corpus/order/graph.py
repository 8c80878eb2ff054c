"""The files of a repository in dependency order: what a file imports stands before it (DeepSeek-Coder's ordering).

Files that do not depend on one another, and those of languages whose imports are not read, keep the order of their
paths; a file that is needed moves up to right before the first that needs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush

from codekiln.corpus.order.imports import FINDERS
from codekiln.corpus.order.packages import PACKAGED, Packages
from codekiln.corpus.order.pathindex import PathIndex

#: (path, language, content); the language is one of the report's names.
File = tuple[str, str, str]


def order(files: Sequence[File], *, ranks: Sequence[int] | None = None) -> list[int]:
    """The places of `files` in dependency order, dependencies first; a permutation of 0 … n-1.

    A file stands after everything it depends on, except inside a cycle: there the file with the fewest dependencies
    left in the cycle comes next, again and again, of equals the first by path. The result does not depend on the order
    of `files`. Near-linear in their total size.

    Args:
        ranks: what decides between files that do not depend on one another; by default the order of the paths.
    """
    by_path = _by_path(files)
    key = {place: rank for rank, place in enumerate(by_path)}
    if ranks is not None:
        key = {place: rank for rank, place in enumerate(sorted(by_path, key=lambda place: ranks[place]))}
    turn = sorted(range(len(files)), key=lambda place: key[place])
    number = {place: at for at, place in enumerate(turn)}
    needs: list[list[int]] = [[] for _ in files]
    for user, needed in _edges(files, by_path):
        needs[number[user]].append(number[needed])
    for found in needs:
        found.sort()
    groups = _components(needs)
    return [turn[at] for group in groups for at in _unwound(group, needs)]


def dependencies(files: Sequence[File]) -> list[tuple[int, int]]:
    """Pairs (file, file that it needs) of places in `files`, sorted, without pairs of a file with itself."""
    return sorted(_edges(files, _by_path(files)))


def _by_path(files: Sequence[File]) -> list[int]:
    return sorted(range(len(files)), key=lambda place: files[place])


def _edges(files: Sequence[File], by_path: Sequence[int]) -> set[tuple[int, int]]:
    index = PathIndex([files[place][0] for place in by_path])
    families: dict[str, list[tuple[int, str, str]]] = {}
    for number, place in enumerate(by_path):
        path, language, text = files[place]
        if language in PACKAGED:
            families.setdefault(PACKAGED[language], []).append((number, path, text))
    packages = {family: Packages(family, members) for family, members in families.items()}
    edges: set[tuple[int, int]] = set()
    for number, place in enumerate(by_path):
        path, language, text = files[place]
        if language in PACKAGED:
            found = packages[PACKAGED[language]].find(number, path, text, index)
        elif language in FINDERS:
            found = FINDERS[language](path, text, index)
        else:
            continue
        edges.update((place, by_path[other]) for other in found if other is not None and other != number)
    return edges


def _components(needs: Sequence[Sequence[int]]) -> list[list[int]]:
    """Strongly connected components, each after those it needs, otherwise by number (Tarjan's, without recursion)."""
    seen = [-1] * len(needs)
    low = [0] * len(needs)
    done = [False] * len(needs)
    stack: list[int] = []
    groups: list[list[int]] = []
    count = 0
    for start in range(len(needs)):
        if seen[start] >= 0:
            continue
        work = [(start, 0)]
        while work:
            node, at = work.pop()
            if at == 0:
                seen[node] = low[node] = count
                count += 1
                stack.append(node)
            while at < len(needs[node]):
                other = needs[node][at]
                at += 1
                if seen[other] < 0:
                    work += [(node, at), (other, 0)]
                    break
                if not done[other]:
                    low[node] = min(low[node], seen[other])
            else:
                if low[node] == seen[node]:
                    group: list[int] = []
                    while not group or group[-1] != node:
                        group.append(stack.pop())
                        done[group[-1]] = True
                    groups.append(sorted(group))
                if work:
                    above = work[-1][0]
                    low[above] = min(low[above], low[node])
    return groups


def _unwound(group: list[int], needs: Sequence[Sequence[int]]) -> list[int]:
    """The members of a cycle: always the one with the fewest members left that it needs, of equals the first."""
    if len(group) == 1:
        return group
    members = set(group)
    users: dict[int, list[int]] = {node: [] for node in group}
    left = dict.fromkeys(group, 0)
    for node in group:
        for other in needs[node]:
            if other in members:
                users[other].append(node)
                left[node] += 1
    heap = [(left[node], node) for node in group]
    heapify(heap)
    result: list[int] = []
    while heap:
        count, node = heappop(heap)
        if node not in members or count != left[node]:
            continue
        members.remove(node)
        result.append(node)
        for user in users[node]:
            if user in members:
                left[user] -= 1
                heappush(heap, (left[user], user))
    return result
