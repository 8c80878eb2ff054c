"""Folders that codekiln itself wrote: nothing in them is ever a source of code."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from codekiln.errors import UserError
from codekiln.shards.store import OUTPUT_MARK

REASON = "codekiln's own output"


def refuse_output(text: str, path: Path) -> None:
    """Refuse a source that is, or lies in, a folder that codekiln wrote.

    Raises:
        UserError: it is one.
    """
    for place in (path, *path.parents):
        if os.path.lexists(place / OUTPUT_MARK):
            raise refusal(text, str(place))


def refusal(text: str, place: str) -> UserError:
    """The one line for a source in the output folder `place`."""
    return UserError(
        f"source {text} is {REASON} ({place} holds {OUTPUT_MARK}), which is never learned from; "
        "give the code itself, or delete that file if this is no output"
    )


def output_folders(paths: Iterable[str], root: Path | None = None) -> list[str]:
    """The outermost folders among those of `paths` that hold the mark; "" is the top.

    Args:
        root: where the paths lie on disk: a mark there counts too. None: only marks among the paths do.
    """
    paths = list(paths)
    found = {folder for folder, _, name in (path.rpartition("/") for path in paths) if name == OUTPUT_MARK}
    if root is not None:
        folders: set[str] = set()
        for path in paths:
            while path and (path := path.rpartition("/")[0]) not in folders:
                folders.add(path)
        found |= {folder for folder in folders if os.path.lexists(root / folder / OUTPUT_MARK)}
    return sorted(folder for folder in found if not any(inside(folder, other) for other in found - {folder}))


def inside(path: str, folder: str) -> bool:
    """Whether a relative path is a folder (with or without a slash at its end) or lies below it."""
    return not folder or path == folder or path.startswith(folder + "/")


def below(folders: Iterable[str]) -> Callable[[str], bool]:
    """A test whether a path is one of the folders or lies below one."""
    chosen = set(folders)

    def test(path: str) -> bool:
        while path not in chosen:
            if not path:
                return False
            path = path.rpartition("/")[0]
        return True

    return test if chosen else lambda path: False
