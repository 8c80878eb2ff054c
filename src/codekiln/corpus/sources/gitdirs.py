"""Where a folder's git directory is, and whether it may be believed.

A `.git` may be a file that names a directory elsewhere, and parts of a git directory may be links. Worktrees and
submodules need that; a folder from a stranger could use it to have another repository read as its own. So a
git directory outside the folder counts only when it says itself that it belongs to this folder.
"""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path

from codekiln.corpus.sources.gitcommands import Repository, run

_FOREIGN = "its git directory lies elsewhere and does not point back; read as a plain folder"
_LINKED = "its git directory has links that lead out of it; read as a plain folder"
_BROKEN = "not a readable git directory; read as a plain folder"


class Refused(Exception):
    """A `.git` that is not used, with the reason as text."""


def locate(place: Path) -> Path | None:
    """The git directory of a work tree whose top is `place`; None when it has no `.git`.

    Raises:
        Refused: there is a `.git`, but it leads to a repository that is not this folder's.
    """
    marker = place / ".git"
    try:
        if not (marker / "HEAD").exists() if marker.is_dir() else not marker.is_file():
            return None
        git_dir = _named(place).resolve(strict=True)
        if not git_dir.is_relative_to(place.resolve()):
            if not (_is_worktree_of(git_dir, marker) or _says(_core_worktree(git_dir), git_dir, place)):
                raise Refused(_FOREIGN)
            if _common(git_dir) not in (git_dir, git_dir.parent.parent):
                raise Refused(_LINKED)
        elif leads_out(git_dir, place.resolve()):
            raise Refused(_LINKED)
        if holds_pipes(git_dir):
            raise Refused(_BROKEN)
    except (OSError, RuntimeError, ValueError):
        raise Refused(_BROKEN) from None
    return git_dir


def _named(place: Path) -> Path:
    """What the `.git` of a folder is or names."""
    marker = place / ".git"
    if marker.is_dir():
        return marker
    with open(marker, "rb") as stream:
        head = stream.read(8192)
    if not head.startswith(b"gitdir: "):
        raise Refused(_BROKEN)
    return place / os.fsdecode(head[8:].rstrip(b"\r\n"))


def refusal_of(path: Path) -> str | None:
    """Why the work tree that a path lies in is not used as one, with the way out for its owner; None when it is."""
    folder = Path(os.path.abspath(path if path.is_dir() else path.parent))
    for place in (folder, *folder.parents):
        try:
            if locate(place):
                return None
        except Refused as refused:
            if not os.path.lexists(place / ".git"):  # a folder that may not be looked into
                return None
            reason = str(refused)
            return f"{place}: {reason}{_way_out(place) if reason == _FOREIGN else ''}"
        except OSError:
            return None
    return None


def _way_out(place: Path) -> str:
    """What makes a git directory elsewhere name a folder as its own."""
    git_dir = _named(place).resolve()
    if git_dir.parent.name == "worktrees":
        return f"; if it is this folder's, run: git -C {shlex.quote(str(place))} worktree repair"
    config, top = shlex.quote(str(git_dir / "config")), shlex.quote(str(place.resolve()))
    return f"; if it is this folder's, run: git config --file {config} core.worktree {top}"


def leads_out(git_dir: Path, top: Path) -> bool:
    """Whether its shared part, or a link among its own files or its refs, lies outside `top`."""
    if not _common(git_dir).is_relative_to(top):
        return True
    for folder, inner, files in os.walk(git_dir):
        links = [path for path in (Path(folder, name) for name in [*inner, *files]) if path.is_symlink()]
        if not all(path.resolve().is_relative_to(top) for path in links):
            return True
        if Path(folder) == git_dir:
            inner[:] = [name for name in inner if name == "refs"]
    return False


def holds_pipes(git_dir: Path) -> bool:
    """Whether a pipe, a socket or a device stands where git looks for a file: git would wait for it for ever."""
    pending = [os.fspath(git_dir)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in (
                        "modules",
                        "lfs",
                    ):  # these are other repositories, or no part of git
                        pending.append(entry.path)
                elif not entry.is_file() and (not entry.is_symlink() or _is_odd(entry.path)):
                    return True
    return False


def _is_odd(path: str) -> bool:
    """Whether a link leads to neither a file nor a folder; one that leads nowhere does no harm."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _is_worktree_of(git_dir: Path, marker: Path) -> bool:
    """Whether this is what `git worktree add` made for a `.git` file: its file `gitdir` names that."""
    back = _line(git_dir / "gitdir")
    return git_dir.parent.name == "worktrees" and back is not None and _says(back, git_dir, marker)


def _says(value: str, git_dir: Path, path: Path) -> bool:
    return bool(value) and (git_dir / value).resolve() == path.resolve()


def _core_worktree(git_dir: Path) -> str:
    """What a git directory's own configuration says its work tree is."""
    place = Repository(str(git_dir), str(git_dir), bare=True)
    for file in ("config.worktree", "config"):
        arguments = ("config", "--file", str(git_dir / file), "--no-includes", "--get", "core.worktree")
        found = run(place, *arguments, check=False).removesuffix(b"\n")
        if found:
            return os.fsdecode(found)
    return ""


def _common(git_dir: Path) -> Path:
    value = _line(git_dir / "commondir")
    return git_dir if value is None else (git_dir / value).resolve()


def _line(path: Path) -> str | None:
    """The text of a one-line file, None when there is none."""
    try:
        with open(path, "rb") as stream:
            return os.fsdecode(stream.read(8192).rstrip(b"\r\n"))
    except FileNotFoundError:
        return None
