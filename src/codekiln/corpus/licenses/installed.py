"""Which files belong to which package, where several packages are installed in one folder (`site-packages`).

What an installer wrote beside a package (`NAME-VERSION.dist-info`, `.egg-info`) names its files. The names are those of a
stranger: they are compared with the files that were listed, and nothing is opened by them.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

#: Bytes of one list of files that are read (torch's, the longest of 100 packages, has 1.5 MB), and of all of a source.
LIST_BYTES = 8 * 1024**2
ALL_BYTES = 32 * 1024**2
#: What more packages claim is nobody's: each one's verdict would be joined for each file.
MAX_OWNERS = 16

_SUFFIXES = (".dist-info", ".egg-info")
_RECORD, _OLD_RECORD, _TOP_LEVEL = "RECORD", "installed-files.txt", "top_level.txt"
_LISTS = frozenset([_RECORD, _OLD_RECORD, _TOP_LEVEL])
_SEPARATORS = re.compile(r"[-_.]+")


@dataclass(frozen=True)
class Installed:
    """`infos` are the `.dist-info` and `.egg-info` that lie beside another one; `owners` those that claim a path."""

    infos: frozenset[str] = frozenset()
    owners: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def info_of(path: str) -> str:
    """The outermost `.dist-info` or `.egg-info` that a path is or lies in; "" where there is none."""
    if "-info" not in path:
        return ""
    end = 0
    for part in path.split("/"):
        end += len(part)
        if part.endswith(_SUFFIXES):
            return path[:end]
        end += 1
    return ""


def is_list_file(path: str) -> bool:
    """Whether a path is that of a list of an installed package's files."""
    info, _, name = path.rpartition("/")
    return name in _LISTS and info.endswith(_SUFFIXES)


def find_installed(paths: Iterable[str], read: Callable[[list[str]], Iterable[bytes | None]]) -> Installed:
    """The packages that share a folder with another one, and which of them claim which of some paths.

    A package claims what its `RECORD` names, else its `installed-files.txt`, else all below the names of its
    `top_level.txt`, else below its own name. Of a list only names below the folder of the package count. A package that is
    alone in its folder speaks for the whole of it and is not looked at here.

    Args:
        read: paths of lists -> the content of each, None for one that is not to be had or has more than `LIST_BYTES`.
    """
    paths = list(paths)
    beside: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        if info := info_of(path):
            beside[info.rpartition("/")[0]].add(info)
    shared = {place: infos for place, infos in beside.items() if len(infos) > 1}
    infos = frozenset(info for found in shared.values() for info in found)
    if not infos:
        return Installed()
    lists = sorted(path for path in paths if is_list_file(path) and path.rpartition("/")[0] in infos)
    return Installed(infos, _owners(paths, infos, _within(zip(lists, read(lists)))))


def _within(texts: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    """The texts that fit within the limits, one in memory at a time."""
    left, kept = ALL_BYTES, {}
    for path, data in texts:
        if data and len(data) <= min(left, LIST_BYTES):
            left -= len(data)
            kept[path] = data.decode("utf-8", "surrogateescape")
    return kept


def _owners(paths: list[str], infos: frozenset[str], texts: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    there = set(paths)
    named: dict[str, list[str]] = defaultdict(list)
    tops: dict[tuple[str, str], list[str]] = defaultdict(list)
    for info in sorted(infos):
        place, _, name = info.rpartition("/")
        files = {
            inner for one in _listed(info, texts) if (inner := f"{place}/{one}" if place else one) in there
        }
        for one in sorted(files):
            named[one].append(info)
        if not files:
            for top in _top_levels(texts.get(f"{info}/{_TOP_LEVEL}", ""), name):
                tops[place, top].append(info)
    if tops:
        for path in paths:
            for claim in _places(path):
                named[path] += tops.get(claim, ())
    return {path: tuple(sorted(found)) for path, found in named.items() if 0 < len(found) <= MAX_OWNERS}


def _listed(info: str, texts: Mapping[str, str]) -> Iterator[str]:
    """The names in a package's list of files, relative to its folder; those that lead out of that are left out."""
    try:
        for row in csv.reader(texts.get(f"{info}/{_RECORD}", "").splitlines()):
            if row and _is_below(row[0]):
                yield row[0]
    except csv.Error:
        return
    for line in texts.get(f"{info}/{_OLD_RECORD}", "").splitlines():
        name = line.removeprefix("../")  # relative to the `.egg-info`
        if name != line and _is_below(name):
            yield name


def _is_below(name: str) -> bool:
    return not any(part in ("", ".", "..") for part in name.split("/"))


def _top_levels(text: str, info: str) -> set[str]:
    names = {line.strip() for line in text.splitlines()}
    project = info.rpartition(".")[0].partition("-")[0]
    return {_plain(name) for name in names or {project} if name and "/" not in name}


def _places(path: str) -> Iterator[tuple[str, str]]:
    """Each folder that a path lies in, with the name below it by which `top_level.txt` would know the path."""
    start = 0
    while True:
        end = path.find("/", start)
        # `name.cpython-311-x86_64-linux-gnu.so` and `name.py` are modules of that name.
        top = path[start:end] if end >= 0 else path[start:].partition(".")[0]
        yield path[: max(start - 1, 0)], _plain(top)
        if end < 0:
            return
        start = end + 1


def _plain(name: str) -> str:
    """A name as it is compared: letter case and the kind of separator say nothing (PEP 503)."""
    return _SEPARATORS.sub("_", name).lower()
