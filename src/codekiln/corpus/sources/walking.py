"""Files on disk: walking a folder under its .gitignore files, and reading without leaving the folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from codekiln.corpus import licenses
from codekiln.corpus.sources import git, ignoring, names


def outside_standard_library(folder: str, name: str) -> bool:
    """Whether an entry of an installed standard library is not its source: packages, tests, build data."""
    if name in ("site-packages", "dist-packages", "test", "tests", "idle_test", "lib-dynload", "_bundled"):
        return True
    return not folder and name.startswith(("config-", "_sysconfigdata", "_sysconfig_vars"))


@dataclass
class Walk:
    """(path, size in bytes) of files, (path, reason) of what was passed over, licence files beside a lone file."""

    files: list[tuple[str, int]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)


#: (folder, ignore rules of its .gitignore), deepest first.
_Rules = list[tuple[str, list[ignoring.Rule] | str]]


#: Bytes of a path that can still be asked for what lies in it (Linux takes 4,095).
_LONGEST = 4_000


def walk(
    path: Path,
    *,
    start: str = "",
    leave_out: Callable[[str, str], bool] = lambda folder, name: False,
    ignore_files: bool = True,
    vendored: bool = False,
) -> tuple[Walk, list[Path]]:
    """List a folder (or one file) outside git; also the git repositories found inside it.

    Symlinks are never followed; unreadable folders and git directories are recorded, and so are folders with a `.gitignore` that
    cannot be read, which are passed over; `.gitignore` files hold for their folder and
    below, deeper ones first, as in git. `start` is a folder inside: it alone is listed, under the rules of those above
    it. `leave_out(folder, name)` drops entries without a record; `vendored`
    lists the files of vendored and built folders too.
    """
    found = Walk()
    if path.is_file():
        found.files.append((path.name, path.stat().st_size))
        found.beside = sorted(
            name
            for name in os.listdir(path.parent)
            if name != path.name and (licenses.is_license_file(name) or licenses.is_metadata_file(name))
        )
        return found, []
    repositories: list[Path] = []
    pending: list[tuple[str, _Rules]] = [(start, _rules_above(path, start))]
    while pending:
        folder, rules = pending.pop()
        try:
            entries = sorted(os.scandir(path / folder), key=lambda entry: entry.name)
        except OSError as error:
            found.skipped.append((folder + "/", f"unreadable ({error.strerror})"))
            continue
        if folder != start and {"HEAD", "objects", "refs"} <= {entry.name for entry in entries}:
            found.skipped.append((folder + "/", "git directory; give it as a source of its own"))
            continue
        if ignore_files and any(entry.name == ".gitignore" for entry in entries):
            own = _ignore_rules(path, f"{folder}/.gitignore".lstrip("/"))
            if isinstance(own, str):  # what it ignores must not be read, and nobody can tell what that is
                found.skipped.append((folder + "/", own))
                continue
            rules = [(folder, own), *rules]
        for entry in entries:
            inner = f"{folder}/{entry.name}" if folder else entry.name
            if len(os.fsencode(entry.path)) > _LONGEST:
                found.skipped.append((inner, "path too long"))
                continue
            refused = git.refusal(path / folder) if entry.name == ".git" else None
            if refused:
                found.skipped.append((inner, refused))
            if entry.name in names.CACHE_FOLDERS or leave_out(folder, entry.name):
                continue
            mode = entry.stat(follow_symlinks=False).st_mode
            is_folder = stat.S_ISDIR(mode)
            if rules and _ignored(inner + "/" if is_folder else inner, rules):
                continue
            if stat.S_ISLNK(mode):
                found.skipped.append((inner, "symlink"))
            elif is_folder:
                package = os.path.exists(os.path.join(entry.path, "__init__.py"))
                if not vendored and names.is_vendored_name(entry.name, package):
                    found.skipped.append((inner + "/", "vendored or built folder"))
                elif os.path.lexists(os.path.join(entry.path, ".git")) and not git.refusal(Path(entry.path)):
                    repositories.append(Path(entry.path))
                else:
                    pending.append((inner, rules))
            elif stat.S_ISREG(mode):
                found.files.append((inner, entry.stat(follow_symlinks=False).st_size))
            else:
                found.skipped.append((inner, "not a regular file"))
    return found, sorted(repositories)


def _rules_above(root: Path, folder: str) -> _Rules:
    """The rules of the .gitignore files of all folders above one, deepest first."""
    above = ["/".join(folder.split("/")[:depth]) for depth in range(folder.count("/") + 1)] if folder else []
    return [
        (outer, _ignore_rules(root, f"{outer}/.gitignore".lstrip("/")))
        for outer in reversed(above)
        if os.path.lexists(root / outer / ".gitignore")
    ]


def _ignore_rules(root: Path, path: str) -> list[ignoring.Rule] | str:
    """The rules of a .gitignore, or why they cannot be known."""
    data = read_inside(root, path, ignoring.MAX_BYTES + 1)
    if isinstance(data, str):
        return [] if os.path.isdir(root / path) and data != "symlink" else f"its .gitignore: {data}"
    rules = ignoring.parse(data)
    return "its .gitignore: too many rules" if rules is None else rules


def _ignored(path: str, rules: _Rules) -> bool:
    """Whether a path (a folder's ends in `/`) is ignored; all is where the rules cannot be known."""
    for folder, own in rules:
        inside = path[len(folder) + 1 :] if folder else path
        found = (
            True if isinstance(own, str) else ignoring.verdict(own, inside.rstrip("/"), path.endswith("/"))
        )
        if found is not None:
            return found
    return False


def size_inside(root: Path, path: str) -> int | str:
    """Size in bytes of a regular file below `root`, or the reason why it will not be read."""
    folder = _open_folder(root, path)
    if isinstance(folder, str):
        return folder
    name = path.rpartition("/")[2]
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(found.st_mode):
            os.close(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder))
    except OSError as error:
        return _reason(error)
    finally:
        os.close(folder)
    if stat.S_ISLNK(found.st_mode):
        return "symlink"
    return found.st_size if stat.S_ISREG(found.st_mode) else "not a regular file"


def read_inside(root: Path, path: str, limit: int) -> bytes | str:
    """At most `limit` bytes of a regular file below `root`, or the reason why it was not read.

    No component below `root` may be a symlink, `.`, `..` or empty, so that a path never leads out of its source,
    whatever happens to the folders meanwhile; a pipe or a device is not opened for reading.
    """
    with Inside(root) as inside:
        return inside.read(path, limit)


class Inside:
    """`read_inside` for many files of one root; the folder of the last one stays open for the next one."""

    def __init__(self, root: Path) -> None:
        self._root, self._path, self._folder = root, "", -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._folder >= 0:
            os.close(self._folder)
        self._folder = -1

    def read(self, path: str, limit: int) -> bytes | str:
        """At most `limit` bytes of a regular file below the root, or the reason why it was not read."""
        above, _, name = path.rpartition("/")
        if self._folder < 0 or above != self._path:
            self._close()
            folder = _open_folder(self._root, path)
            if isinstance(folder, str):
                return folder
            self._path, self._folder = above, folder
        elif not names.is_inside(path):
            return names.UNSAFE
        return _read_at(self._folder, name, limit)


def _read_at(folder: int, name: str, limit: int) -> bytes | str:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(name, flags, dir_fd=folder)
    except OSError as error:
        return "symlink" if _is_symlink(name, folder) else _reason(error)
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            return "not a regular file"
        left = min(limit, found.st_size + 1)  # what is asked for is allocated at once
        data = part = os.read(handle, left)
        while part and len(data) < left:
            part = os.read(handle, left - len(data))
            data += part
        return data
    except OSError as error:
        return _reason(error)
    finally:
        os.close(handle)


#: Opens a folder for its entries alone, which takes no right to list it.
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC


def _open_folder(root: Path, path: str) -> int | str:
    """An open handle of the folder that holds a path, reached component by component, or why there is none."""
    if not names.is_inside(path):
        return names.UNSAFE
    place = -1
    try:
        place = os.open(root, _FOLDER)
        for part in path.split("/")[:-1]:
            try:
                inner = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=place)
            except NotADirectoryError:
                reason = "symlink" if _is_symlink(part, place) else "missing from the working tree"
                os.close(place)
                return reason
            os.close(place)
            place = inner
    except OSError as error:
        if place >= 0:
            os.close(place)
        return _reason(error)
    return place


def _is_symlink(name: str, folder: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _reason(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "missing from the working tree"
    return f"unreadable ({error.strerror})"
