"""What a git repository holds: tracked and untracked paths, trees, blobs.

Only plumbing that neither refreshes the index (which would run filters) nor talks to a remote is used.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from codekiln.corpus.sources import gitdirs, names
from codekiln.corpus.sources.gitcommands import Repository, answer, failed, run, start

#: Git's modes of entries that are not regular files.
SYMLINK, SUBMODULE = "120000", "160000"

_WARNING = re.compile(
    r"^warning: (?:could not|unable to) (open directory|access) '(.*)': [^']*$", re.MULTILINE
)


@dataclass(frozen=True)
class Entry:
    """A path of an index or a tree: raw path, mode, blob id, size in bytes (-1 where git does not say)."""

    path: str
    mode: str
    blob: str
    size: int


def find(path: Path) -> Repository | None:
    """The repository whose work tree holds a path (or that a bare repository folder is), if any.

    A folder whose `.git` leads to a repository that is not its own (`refusal` says why) is in none.
    """
    folder = path if path.is_dir() else path.parent
    try:
        for place in (folder, *folder.parents):
            git_dir = gitdirs.locate(place)
            if git_dir:
                return Repository(str(place), str(git_dir), bare=False)
        if (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir():
            outside = gitdirs.leads_out(folder.resolve(), folder.resolve())
            unusable = outside or gitdirs.holds_pipes(folder)
            return None if unusable else Repository(str(folder), str(folder), bare=True)
    except (gitdirs.Refused, OSError, RuntimeError):
        return None
    return None


def refusal(folder: Path) -> str | None:
    """Why the `.git` of a folder is not used; None when it is, or when there is none."""
    try:
        gitdirs.locate(folder)
    except gitdirs.Refused as refused:
        return str(refused)
    return None


def is_shallow(repository: Repository) -> bool:
    """Whether the history was cut off when it was cloned: the times of its first commits are then unknown."""
    return run(repository, "rev-parse", "--is-shallow-repository", check=False).strip() == b"true"


def name(repository: Repository) -> str:
    """Short name: the last component of the `origin` address, else (none, or a place on a disk) the folder's name."""
    url = run(repository, "config", "--local", "--get", "remote.origin.url", check=False)
    address = url.decode("utf-8", "replace").strip().rstrip("/")
    if re.match(r"[./~]|[A-Za-z]:[\\/]", address):
        address = ""
    last = address.replace("\\", "/").rsplit("/", 1)[-1].rsplit(":", 1)[-1] or Path(repository.folder).name
    return last.removesuffix(".git") or "repository"


def resolve(repository: Repository, revision: str) -> str | None:
    """Commit id of a revision, or None when there is no such commit."""
    out = run(
        repository,
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        revision + "^{commit}",
        check=False,
    )
    return out.decode().strip() or None


def sees(repository: Repository, path: Path) -> bool:
    """Whether the repository tracks something at a path, or would if it were added: not all of it is ignored."""
    inside = os.path.relpath(path, repository.folder)
    return inside == "." or bool(
        run(repository, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", inside)
    )


def text(raw: bytes) -> str:
    """A path as git stores it: bytes that are no UTF-8 become lone surrogates."""
    return raw.decode("utf-8", "surrogateescape")


def index_entries(repository: Repository) -> dict[str, Entry]:
    """Tracked paths of the work tree."""
    entries: dict[str, Entry] = {}
    for record in run(repository, "ls-files", "-z", "--cached", "--stage").split(b"\0"):
        if record:
            head, _, path = record.partition(b"\t")
            mode, blob, _stage = head.decode().split(" ")
            entries.setdefault(text(path), Entry(text(path), mode, blob, -1))
    return entries


def untracked(repository: Repository) -> list[str]:
    """Untracked paths that no ignore rule excludes; one that ends in `/` is a repository inside this one.

    What lies in the git directory is none of them, wherever in the work tree a `.git` file says that it is.

    A folder that git could not open is in it by its bare name. Where git could not read a `.gitignore`, nobody
    knows what is ignored: of that folder's paths only the `.gitignore` is in it. Neither can be read, so that
    whoever tries gets the reason to record.
    """
    out, err, code = answer(repository, "ls-files", "-z", "--others", "--exclude-standard")
    if code:
        raise failed(repository, "ls-files", err, code)
    paths = [text(path) for path in out.split(b"\0") if path]
    for what, place in _WARNING.findall(text(err)):
        if not names.is_inside(place.rstrip("/")):  # the user's own ignore file
            continue
        if what == "open directory":
            paths.append(place.rstrip("/"))
        elif place == ".gitignore" or place.endswith("/.gitignore"):
            folder = place.removesuffix(".gitignore")
            paths = [path for path in paths if not path.startswith(folder)]
            paths.append(place)
    own = os.path.relpath(repository.git_dir, os.path.realpath(repository.folder)) + "/"
    return [path for path in dict.fromkeys(paths) if not path.startswith(own)]


def tree_entries(repository: Repository, commit: str) -> dict[str, Entry]:
    """All paths of a commit."""
    arguments = ("-r", "-z", "--full-tree", commit)
    # In a partial clone git may die of a blob whose size it would have to fetch: then no size is known.
    out = run(repository, "ls-tree", "-l", *arguments, check=False) or run(repository, "ls-tree", *arguments)
    entries: dict[str, Entry] = {}
    for record in out.split(b"\0"):
        if record:
            head, _, path = record.partition(b"\t")
            mode, _kind, blob, *size = head.decode().split()
            known = int(size[0]) if size and size[0].isdigit() else -1
            entries[text(path)] = Entry(text(path), mode, blob, known)
    return entries


def blobs(repository: Repository, ids: Iterable[str], limit: int) -> Iterator[bytes | None]:
    """Contents of blobs in order, through `git cat-file --batch`; None for one that is missing or corrupt.

    Of a blob larger than `limit` bytes the first `limit + 1` are given.
    """
    process: subprocess.Popen[bytes] | None = None
    try:
        for blob in ids:
            if process is None:
                process = start(repository, "cat-file", "--batch", stdin=subprocess.PIPE)
            data, alive = _next_blob(process, blob, limit)
            if not alive:  # git gives up at an object that it cannot unpack; the next ones may be sound
                end(process)
                process = None
            # Git does not compare a blob that it prints with its name.
            sound = data is not None and (len(data) > limit or blob_id(data, blob) == blob)
            yield data if sound else None
    finally:
        if process is not None:
            end(process)


def _next_blob(process: subprocess.Popen[bytes], blob: str, limit: int) -> tuple[bytes | None, bool]:
    """(content of a blob or None, is the process still good for another one)."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(blob.encode() + b"\n")
        process.stdin.flush()
    except BrokenPipeError:
        return None, False
    header = process.stdout.readline().split()
    if len(header) == 2 and header[1] == b"missing":
        return None, True
    if len(header) != 3:
        return None, False
    size = int(header[2])
    if size > limit:
        return process.stdout.read(limit + 1), False
    data = process.stdout.read(size)
    alive = process.stdout.read(1) == b"\n"
    return (data if alive and header[1] == b"blob" else None), alive


def end(process: subprocess.Popen[bytes]) -> None:
    """End a git command that may still be running, and close its pipes."""
    with suppress(OSError):
        if process.stdin is not None:
            process.stdin.close()
    process.kill()
    if process.stdout is not None:
        process.stdout.close()
    process.wait()


def blob_id(data: bytes, like: str) -> str:
    """Git's object id of a blob, SHA-1 or SHA-256 according to the length of an id of that repository."""
    import hashlib

    digest = hashlib.new("sha256" if len(like) == 64 else "sha1", usedforsecurity=False)
    digest.update(b"blob %d\0" % len(data))
    digest.update(data)
    return digest.hexdigest()
