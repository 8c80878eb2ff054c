"""Files on disk: walking a folder under its .gitignore files, and reading without leaving the folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codekiln.corpus import licenses, names


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
_Rules = list[tuple[str, Any]]


def walk(
    path: Path,
    *,
    leave_out: Callable[[str, str], bool] = lambda folder, name: False,
    ignore_files: bool = True,
) -> tuple[Walk, list[Path]]:
    """List a folder (or one file) outside git; also the git repositories found inside it.

    Symlinks are never followed; unreadable folders are recorded; `.gitignore` files hold for their folder and
    below, deeper ones first, as in git. `leave_out(folder, name)` drops entries without a record.
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
    pending: list[tuple[str, _Rules]] = [("", [])]
    while pending:
        folder, rules = pending.pop()
        try:
            entries = sorted(os.scandir(path / folder), key=lambda entry: entry.name)
        except OSError as error:
            found.skipped.append((folder + "/", f"unreadable ({error.strerror})"))
            continue
        if ignore_files and any(entry.name == ".gitignore" for entry in entries):
            rules = [(folder, _ignore_rules(path, f"{folder}/.gitignore".lstrip("/"))), *rules]
        for entry in entries:
            inner = f"{folder}/{entry.name}" if folder else entry.name
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
                if names.is_vendored_name(entry.name, package):
                    found.skipped.append((inner + "/", "vendored or built folder"))
                elif os.path.lexists(os.path.join(entry.path, ".git")):
                    repositories.append(Path(entry.path))
                else:
                    pending.append((inner, rules))
            elif stat.S_ISREG(mode):
                found.files.append((inner, entry.stat(follow_symlinks=False).st_size))
            else:
                found.skipped.append((inner, "not a regular file"))
    return found, sorted(repositories)


def _ignore_rules(root: Path, path: str) -> Any:
    from pathspec import GitIgnoreSpec

    data = read_inside(root, path, 1 << 20)
    lines = data.decode("utf-8", "replace").splitlines() if isinstance(data, bytes) else []
    usable = []
    for line in lines:
        try:  # git passes over a pattern that it cannot read; so do we
            GitIgnoreSpec.from_lines([line])
        except ValueError:
            continue
        usable.append(line)
    return GitIgnoreSpec.from_lines(usable)


def _ignored(path: str, rules: _Rules) -> bool:
    for folder, spec in rules:
        inside = path[len(folder) + 1 :] if folder else path
        verdict = spec.check_file(inside).include
        if verdict is not None:
            return bool(verdict)
    return False


def size_inside(root: Path, path: str) -> int | str:
    """Size in bytes of a regular file below `root`, or the reason why it will not be read."""
    try:
        found = os.lstat(root / path)
    except FileNotFoundError:
        return "missing from the working tree"
    except OSError as error:
        return f"unreadable ({error.strerror})"
    if stat.S_ISLNK(found.st_mode):
        return "symlink"
    return found.st_size if stat.S_ISREG(found.st_mode) else "not a regular file"


def read_inside(root: Path, path: str, limit: int) -> bytes | str:
    """At most `limit` bytes of a regular file below `root`, or the reason why it was not read.

    No component below `root` may be a symlink, so that a path never leads out of its source; a pipe or a
    device is not opened for reading.
    """
    folder, _, _ = path.rpartition("/")
    if folder and _has_symlink(str(root), folder):
        return "symlink"
    try:
        handle = os.open(root / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return "symlink" if os.path.islink(root / path) else f"unreadable ({error.strerror})"
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return "not a regular file"
        with os.fdopen(handle, "rb", closefd=False) as stream:
            return stream.read(limit)
    except OSError as error:
        return f"unreadable ({error.strerror})"
    finally:
        os.close(handle)


def _has_symlink(root: str, folder: str) -> bool:
    place = root
    for part in folder.split("/"):
        place = f"{place}/{part}"
        if os.path.islink(place):
            return True
    return False
