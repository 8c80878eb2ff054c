"""Secrets of files and folders on disk: where they stand and of which kind, never what they are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from codekiln.corpus import languages
from codekiln.corpus.secrets.finder import Finding, find
from codekiln.corpus.sources import names, walking
from codekiln.errors import UserError

#: Larger files are data; a corpus leaves them out as well.
MAX_BYTES = 16_000_000


@dataclass
class Scan:
    """(path, finding) in order of path and place; (path, reason) of what was not looked into; files and bytes read."""

    findings: list[tuple[str, Finding]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    files: int = 0
    bytes: int = 0


def scan(paths: list[str]) -> Scan:
    """Look into files and, without following links, into everything below folders.

    Raises:
        UserError: a path is empty, does not exist or is neither a file nor a folder.
    """
    result = Scan()
    for given in paths:
        if not given:
            raise UserError("a PATH is empty (is a shell variable unset?); give a file or folder")
        root = Path(given)
        for name, inner in _files(root, result):
            data = walking.read_inside(root if inner else root.parent, inner or root.name, MAX_BYTES + 1)
            reason = data if isinstance(data, str) else _refusal(data)
            if reason:
                result.skipped.append((names.printable(name), reason))
                continue
            assert isinstance(data, bytes)
            result.files += 1
            result.bytes += len(data)
            text = data.decode("utf-8", "replace")
            language = languages.detect(inner or root.name, text)
            result.findings += [
                (names.printable(name), one) for one in find(text, inner or root.name, language)
            ]
    return result


def _refusal(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        return f"larger than {MAX_BYTES // 1_000_000} MB"
    return "binary" if b"\0" in data[:8192] else ""


def _files(root: Path, result: Scan) -> Iterator[tuple[str, str]]:
    """(path to show, path below the root or "" for the root itself) of regular files, in order."""
    try:
        if root.is_symlink() or not root.exists():
            what = (
                "is a link; give what it points to"
                if root.is_symlink()
                else "does not exist; give a file or folder"
            )
            raise UserError(f"{names.printable(str(root))} {what}")
        if root.is_file():
            yield str(root), ""
            return
        if not root.is_dir():
            raise UserError(f"{names.printable(str(root))}: neither a file nor a folder")
    except (OSError, ValueError) as error:
        raise UserError(f"{names.printable(str(root))}: cannot be read ({type(error).__name__})") from None
    pending = [""]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(root / folder) as entries:
                ordered = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            result.skipped.append((names.printable(str(root / folder)), f"unreadable ({error.strerror})"))
            continue
        folders = []
        for entry in ordered:
            inner = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_symlink():
                result.skipped.append((names.printable(str(root / inner)), "symlink"))
            elif entry.is_dir(follow_symlinks=False):
                if entry.name != ".git":
                    folders.append(inner)
            elif entry.is_file(follow_symlinks=False):
                yield str(root / inner), inner
            else:
                result.skipped.append((names.printable(str(root / inner)), "not a regular file"))
        pending += reversed(folders)
