"""Reading git repositories without running anything that they control.

A repository's own configuration can name programs (hooks, file-system monitors, signature checkers, transports,
filters); every call here switches those off, gives the work tree explicitly, and uses only plumbing that
neither refreshes the index (which would run filters) nor talks to a remote.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from codekiln.errors import RunError, UserError, one_line

_SAFE = [
    "-c", "core.fsmonitor=",
    "-c", "core.hooksPath=/dev/null",
    "-c", "safe.directory=*",
    "-c", "log.showSignature=false",
    "-c", "protocol.allow=never",
    "-c", "core.sshCommand=false",
    "-c", "core.pager=cat",
    "--no-pager",
    "--literal-pathspecs",
    "--no-replace-objects",
]  # fmt: skip

#: Git's modes of entries that are not regular files.
SYMLINK, SUBMODULE = "120000", "160000"


@dataclass(frozen=True)
class Repository:
    """`folder` is the work tree (or the bare repository), `git_dir` what git calls its directory."""

    folder: str
    git_dir: str
    bare: bool


@dataclass(frozen=True)
class Entry:
    """A path of an index or a tree: raw path, mode, blob id, size in bytes (-1 where git does not say)."""

    path: str
    mode: str
    blob: str
    size: int


def _environment() -> dict[str, str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    return clean | {
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }


def _command(repository: Repository, arguments: Iterable[str]) -> list[str]:
    place = [f"--git-dir={repository.git_dir}"]
    if not repository.bare:
        place.append(f"--work-tree={repository.folder}")
    return ["git", *_SAFE, *place, *arguments]


def _start(
    repository: Repository, *arguments: str, stdin: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            _command(repository, arguments),
            cwd=repository.folder,
            env=_environment(),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if stdin == subprocess.DEVNULL else subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise UserError(
            "git is not installed; install it, or give a folder without .git or an archive"
        ) from None


def run(repository: Repository, *arguments: str, check: bool = True) -> bytes:
    """Standard output of a git command.

    Raises:
        UserError: git failed (and `check` is on); the message carries git's own last line.
    """
    process = _start(repository, *arguments)
    out, err = process.communicate()
    if process.returncode and check:
        said = one_line(err.decode("utf-8", "replace").strip().rsplit("\n", 1)[-1])[:200]
        raise UserError(f"git {arguments[0]} failed in {repository.folder}: {said or process.returncode}")
    return out if process.returncode == 0 else b""


def find(path: Path) -> Repository | None:
    """The repository whose work tree holds a path (or that a bare repository folder is), if any."""
    folder = path if path.is_dir() else path.parent
    for place in (folder, *folder.parents):
        marker = place / ".git"
        if marker.is_file() or (marker.is_dir() and (marker / "HEAD").exists()):
            return Repository(str(place), str(marker), bare=False)
    if (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir():
        return Repository(str(folder), str(folder), bare=True)
    return None


def name(repository: Repository) -> str:
    """Short name: the last component of the `origin` address, else the folder's name."""
    url = run(repository, "config", "--local", "--get", "remote.origin.url", check=False)
    address = url.decode("utf-8", "replace").strip().rstrip("/")
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


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def index_entries(repository: Repository) -> dict[str, Entry]:
    """Tracked paths of the work tree."""
    entries: dict[str, Entry] = {}
    for record in run(repository, "ls-files", "-z", "--cached", "--stage").split(b"\0"):
        if record:
            head, _, path = record.partition(b"\t")
            mode, blob, _stage = head.decode().split(" ")
            entries.setdefault(_text(path), Entry(_text(path), mode, blob, -1))
    return entries


def untracked(repository: Repository) -> list[str]:
    """Untracked paths that no ignore rule excludes; one that ends in `/` is a repository inside this one."""
    out = run(repository, "ls-files", "-z", "--others", "--exclude-standard")
    return [_text(path) for path in out.split(b"\0") if path]


def tree_entries(repository: Repository, commit: str) -> dict[str, Entry]:
    """All paths of a commit."""
    entries: dict[str, Entry] = {}
    for record in run(repository, "ls-tree", "-r", "-z", "-l", "--full-tree", commit).split(b"\0"):
        if record:
            head, _, path = record.partition(b"\t")
            mode, _kind, blob, size = head.decode().split()
            entries[_text(path)] = Entry(_text(path), mode, blob, int(size) if size.isdigit() else -1)
    return entries


def added_times(repository: Repository, commit: str, wanted: Iterable[str]) -> dict[str, int]:
    """Unix time in seconds of the commit that first added each wanted path, in the history of a commit."""
    wanted = set(wanted)
    times = _log_times(repository, commit, [])
    if not wanted <= times.keys():  # a path that a merge commit itself brought in
        for path, time in _log_times(repository, commit, ["-m"]).items():
            times.setdefault(path, time)
    return {path: times[path] for path in wanted if path in times}


def _log_times(repository: Repository, commit: str, options: list[str]) -> dict[str, int]:
    out = run(
        repository, "log", "-z", "--format=%x01%ct", "--name-only", "--diff-filter=A", "--no-renames",
        "--no-ext-diff", "--no-textconv", "--no-show-signature", *options, commit, "--",
    )  # fmt: skip
    times: dict[str, int] = {}
    time = 0
    for field in out.split(b"\0"):
        if field.startswith(b"\x01") and field[1:].isdigit():
            time = int(field[1:])
        elif field:
            path = _text(field.removeprefix(b"\n"))
            times[path] = min(time, times.get(path, time))
    return times


def blobs(repository: Repository, ids: Iterable[str], limit: int) -> Iterator[bytes | None]:
    """Contents of blobs in order, through one `git cat-file --batch`; None for one that is not there.

    Raises:
        RunError: git died, or a blob is larger than `limit` bytes.
    """
    process = _start(repository, "cat-file", "--batch", stdin=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        for blob in ids:
            process.stdin.write(blob.encode() + b"\n")
            process.stdin.flush()
            header = process.stdout.readline().split()
            if len(header) == 2 and header[1] == b"missing":
                yield None
                continue
            if len(header) != 3 or int(header[2]) > limit:
                raise RunError(f"git cat-file failed in {repository.folder} for object {blob}")
            data = process.stdout.read(int(header[2]))
            process.stdout.read(1)
            yield data
    except BrokenPipeError:
        raise RunError(
            f"git cat-file died in {repository.folder}; check the repository with git fsck"
        ) from None
    finally:
        with suppress(OSError):
            process.stdin.close()
        process.kill()
        process.stdout.close()
        process.wait()


def blob_id(data: bytes, like: str) -> str:
    """Git's object id of a blob, SHA-1 or SHA-256 according to the length of an id of that repository."""
    import hashlib

    digest = hashlib.new("sha256" if len(like) == 64 else "sha1", usedforsecurity=False)
    digest.update(b"blob %d\0" % len(data))
    digest.update(data)
    return digest.hexdigest()
