"""The commits of a git repository as git tells them: who, when, why and which blobs, without a look into the blobs.

Plumbing alone is used: nothing in a repository's configuration, attributes or hooks has a say in what is read.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO

from codekiln.corpus.sources import git
from codekiln.corpus.sources.gitcommands import Repository, run, start

#: Commits that one git process is asked for; their ids fit into a pipe.
BATCH = 800
#: Bytes of a message or a name that are read; more is not looked at.
_FIELD = 64 * 1024

_FORMAT = "--format=%x01%H%x00%P%x00%ct%x00%an%x00%ae%x00%B%x00"


@dataclass(frozen=True)
class Change:
    """One path of a commit: git's letter (A, D, M, R, T), paths, modes and blob ids before and after."""

    status: str
    before: str
    after: str
    modes: tuple[str, str]
    blobs: tuple[str, str]


@dataclass
class Commit:
    """`files` counts all changed paths, of which only the first are in `changes`. `when` is in Unix seconds."""

    id: str
    parents: int
    when: int
    author: str
    email: str
    message: bytes
    changes: list[Change] = field(default_factory=list)
    files: int = 0


def commit_ids(repository: Repository, head: str, prefixes: Sequence[str] = ("",)) -> list[str]:
    """Ids of the commits in the history of a commit, newest first; of those that touch one of some folders.

    Raises:
        UserError: an object of the history is missing or corrupt.
    """
    inside = [] if "" in prefixes else ["--", *prefixes]
    return run(repository, "rev-list", "--topo-order", head, *inside).decode("ascii").split()


def read_commits(repository: Repository, ids: Sequence[str], most: int) -> Iterator[Commit | str]:
    """Commits in the order of their ids; the bare id of one that git cannot read.

    Args:
        most: changes of a commit that are kept, at least; memory does not grow with the size of a commit.
    """
    left = list(ids)
    while left:
        done = 0
        for commit in _read(repository, left[:BATCH], most):
            yield commit
            done += 1
        if done < len(
            left[:BATCH]
        ):  # git gives up at an object that it cannot read; the next ones may be sound
            yield left[done]
            done += 1
        left = left[done:]


def _read(repository: Repository, ids: list[str], most: int) -> Iterator[Commit]:
    process = start(
        repository, "diff-tree", "--stdin", "--always", "--root", "-r", "-z", "--raw", "-M100%", "-l1000",
        "-O/dev/null", "--no-ext-diff", "--no-textconv", "--no-abbrev", "--encoding=UTF-8", _FORMAT, stdin=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write("".join(f"{one}\n" for one in ids).encode())
        process.stdin.close()
        process.stdin = None
        yield from _parse(_fields(process.stdout), most)
    except BrokenPipeError:
        return
    finally:
        git.end(process)


def _fields(stream: IO[bytes]) -> Iterator[bytes]:
    held = bytearray()
    while chunk := stream.read(_FIELD):
        *whole, rest = chunk.split(b"\0")
        for part in whole:
            held += part[: max(0, _FIELD - len(held))]
            yield bytes(held)
            held.clear()
        held += rest[: max(0, _FIELD - len(held))]


def _parse(fields: Iterator[bytes], most: int) -> Iterator[Commit]:
    commit: Commit | None = None
    for one in fields:
        one = one.removeprefix(b"\n")
        if one.startswith(b"\x01"):
            if commit is not None:
                yield commit
            commit = _head(one, fields)
        elif one.startswith(b":") and commit is not None:
            modes_blobs = one[1:].decode("ascii").split(" ")
            status = modes_blobs[4][:1]
            before = git.text(next(fields, b""))
            after = git.text(next(fields, b"")) if status in "RC" else before
            commit.files += 1
            if len(commit.changes) <= most:
                modes, blobs = (modes_blobs[0], modes_blobs[1]), (modes_blobs[2], modes_blobs[3])
                commit.changes.append(Change(status, before, after, modes, blobs))
    if commit is not None:
        yield commit


def _head(first: bytes, fields: Iterator[bytes]) -> Commit:
    parents, when, author, email, message = (next(fields, b"") for _ in range(5))
    return Commit(
        first[1:].decode("ascii", "replace"),
        len(parents.split()),
        int(when) if when.isdigit() else 0,
        author.decode("utf-8", "replace"),
        email.decode("utf-8", "replace"),
        message,
    )
