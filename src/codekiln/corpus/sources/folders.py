"""Plain folders as sources: their files, the git repositories inside them, codekiln's own output left out."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from codekiln.corpus.sources import git, outputs, walking


def walk_folder(root: Path, *, vendored: bool = False) -> tuple[walking.Walk, list[git.Repository]]:
    """A folder outside git, and the repositories in it; one that git cannot open is walked as a plain folder.

    `vendored`: as in `walking.walk`.
    """
    total, repositories = walking.Walk(), []
    pending = [root]
    while pending:
        top = pending.pop()
        prefix = "" if top == root else top.relative_to(root).as_posix() + "/"
        own: list[str] = []

        def is_output(folder: str, name: str, top: Path = top, own: list[str] = own) -> bool:
            inner = f"{folder}/{name}" if folder else name
            if not os.path.lexists(top / inner / outputs.OUTPUT_MARK):
                return False
            own.append(inner)
            return True

        walked, inner = walking.walk(top, leave_out=is_output, vendored=vendored)
        dropped = _ignored_above(root, prefix)
        total.files += [(prefix + name, size) for name, size in walked.files if not dropped(prefix + name)]
        total.skipped += [(prefix + name, why) for name, why in walked.skipped if not dropped(prefix + name)]
        total.skipped += [(f"{prefix}{name}/", outputs.REASON) for name in own]
        total.beside += walked.beside
        for folder in inner:
            found = git.find(folder)
            # Without a usable .git of its own, `find` climbs to a repository around the folder, if any.
            if (
                found
                and found.folder == str(folder)
                and git.run(found, "rev-parse", "--git-dir", check=False)
            ):
                repositories.append(found)
            else:
                pending.append(folder)
    return total, sorted(repositories, key=lambda repository: repository.folder)


def _ignored_above(root: Path, prefix: str) -> Callable[[str], bool]:
    """Whether a .gitignore above the folder `prefix` rules out a path below it, or a folder on the way."""
    above = ["/".join(prefix.split("/")[:depth]) for depth in range(prefix.count("/"))]
    rules = [
        (folder, walking._ignore_rules(root, f"{folder}/.gitignore".lstrip("/")))
        for folder in reversed(above)
        if os.path.lexists(root / folder / ".gitignore")
    ]

    def test(path: str) -> bool:
        ends = [at + 1 for at, letter in enumerate(path) if letter == "/" and at >= len(prefix)]
        return bool(rules) and any(walking._ignored(path[:end], rules) for end in {*ends, len(path)})

    return test
