"""When the paths of a git history were added: by one `git log`, or commit by commit where objects are damaged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from codekiln.corpus.sources import names
from codekiln.corpus.sources.git import text
from codekiln.corpus.sources.gitcommands import Repository, answer, run
from codekiln.corpus.sources.records import Listing
from codekiln.progress import say

#: git's default similarity for a file that was moved; the other needs no contents.
_ALIKE, _SAME = "--find-renames=50%", "--find-renames=100%"
_SHAPE = (
    "-z", "--format=%x01%ct %H", "--name-status", "--diff-filter=AR", "-l1000", "-O/dev/null", "--no-ext-diff",
    "--no-textconv",
)  # fmt: skip
#: Commits that one git process is asked for, and unreadable ones after which nobody looks further (a process each).
_BATCH, _MOST_UNREADABLE = 800, 1000


def times_of(listing: Listing, repository: Repository, commit: str, known: Sequence[str]) -> dict[str, int]:
    """`added_times` of a listing's committed paths; how many a damaged history does not tell is noted and said."""
    times, damaged = added_times(repository, commit, known)
    listing.timeless = len(known) - len(times) if damaged else 0
    if listing.timeless:
        say(
            f"{names.printable(listing.source.repo)}: its git history is damaged (corrupt or missing objects, see "
            f"`git fsck`): it is not known when {listing.timeless} of its {len(known)} committed files were added"
        )
    return times


def added_times(repository: Repository, commit: str, wanted: Iterable[str]) -> tuple[dict[str, int], bool]:
    """Unix time in seconds of the commit that first added each wanted path, in the history of a commit.

    A path that a commit moved (half of its content is the same, git's default) has the time of its old path. Where
    trees or commits are corrupt or missing (the second value is then True), paths have no time that those added, or
    that a merge brought in.
    """
    wanted = set(wanted)
    # To compare contents git needs them all; where some are missing only files moved as they are are seen.
    promised = r"^(extensions\.partialclone|remote\..*\.promisor)$"
    partial = run(repository, "config", "--get-regexp", promised, check=False)
    times = None if partial else _log_times(repository, commit, _ALIKE)
    times = _log_times(repository, commit, _SAME) if times is None else times
    if times is None:
        times = _readable_times(repository, commit, _SAME if partial else _ALIKE)
        return {path: times[path] for path in wanted if path in times}, True
    if not wanted <= times.keys():  # a path that a merge commit itself brought in
        merges = "--diff-merges=separate"
        brought = None if partial else _log_times(repository, commit, _ALIKE, merges)
        brought = _log_times(repository, commit, _SAME, merges) if brought is None else brought
        times = {**(brought or {}), **times}
    return {path: times[path] for path in wanted if path in times}, False


def _log_times(repository: Repository, commit: str, renames: str, *options: str) -> dict[str, int] | None:
    """Times of all paths of a history, None where git cannot read all of it."""
    out, _, code = answer(
        repository, "log", *_SHAPE, renames, "--topo-order", "--reverse", "--no-show-signature", *options, commit, "--"
    )  # fmt: skip
    if code:
        return None
    times: dict[str, int] = {}
    for time, _, changes in _commits(out):  # parents come before their children: an old path's time is known
        for before, path in changes:
            times[path] = min(time, times.get(path, time), times.get(before, time))
    return times


def _readable_times(repository: Repository, commit: str, renames: str) -> dict[str, int]:
    """Times that the readable commits of a damaged history tell; none of a path whose old path has none."""
    out, _, code = answer(repository, "rev-list", "--topo-order", commit, "--")
    if code:  # a commit is damaged: those that git tells before it stumbles come by their dates
        out, _, _ = answer(repository, "rev-list", commit, "--")
    ids = out.decode("ascii", "replace").split()[::-1]
    times: dict[str, int] = {}
    unknown: set[str] = set()
    for time, changes in _readable(repository, ids, renames):
        for before, path in changes:
            if before and before not in times:
                unknown.add(path)
            times[path] = min(time, times.get(path, time), times.get(before, time))
    return {path: time for path, time in times.items() if path not in unknown}


def _readable(
    repository: Repository, ids: list[str], renames: str
) -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """(time, changes) of the commits that git can read, in order."""
    unreadable = 0
    while ids and unreadable <= _MOST_UNREADABLE:
        batch, ids = ids[:_BATCH], ids[_BATCH:]
        places = {name: number for number, name in enumerate(batch)}
        done = 0
        for time, name, changes in _differences(repository, batch, renames):
            done = places.get(name, -1) + 1 or done
            yield time, changes
        if done < len(batch):  # git gives up at an object that it cannot read; the next ones may be sound
            unreadable += 1
            for time, _, changes in _differences(repository, batch[done : done + 1], _SAME):
                yield time, changes
            ids = batch[done + 1 :] + ids


def _differences(
    repository: Repository, ids: list[str], renames: str
) -> Iterator[tuple[int, str, list[tuple[str, str]]]]:
    given = "".join(f"{name}\n" for name in ids).encode()
    command = ("diff-tree", "--stdin", "--always", "--root", "-r", *_SHAPE, renames)
    return _commits(answer(repository, *command, given=given)[0])


def _commits(out: bytes) -> Iterator[tuple[int, str, list[tuple[str, str]]]]:
    """(Unix time, id, [(path before a move or "", path)]) of the commits that git told of, as far as it came."""
    fields = iter(out.split(b"\0"))
    time, name, changes = 0, "", list[tuple[str, str]]()
    for field in fields:
        status = field.removeprefix(b"\n")
        if status.startswith(b"\x01"):
            if name:
                yield time, name, changes
            when, _, identity = status[1:].decode("ascii", "replace").partition(" ")
            time, name, changes = int(when) if when.isdigit() else 0, identity, []
        elif status:
            before = text(next(fields, b"")) if status.startswith(b"R") else ""
            changes.append((before, text(next(fields, b""))))
    if name:
        yield time, name, changes
