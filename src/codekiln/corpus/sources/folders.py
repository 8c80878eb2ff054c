"""Plain folders as sources: their files, the git repositories inside them, codekiln's own output left out."""

from __future__ import annotations

import os
from pathlib import Path

from codekiln.corpus.sources import git, outputs, walking


def walk_folder(root: Path, *, vendored: bool = False) -> tuple[walking.Walk, list[git.Repository]]:
    """A folder outside git, and the repositories in it; one that git cannot open is walked as a plain folder.

    `vendored`: as in `walking.walk`.
    """
    total, repositories = walking.Walk(), []
    pending = [""]
    while pending:
        own: list[str] = []

        def is_output(folder: str, name: str, own: list[str] = own) -> bool:
            inner = f"{folder}/{name}" if folder else name
            if not os.path.lexists(root / inner / outputs.OUTPUT_MARK):
                return False
            own.append(inner)
            return True

        walked, inside = walking.walk(root, start=pending.pop(), leave_out=is_output, vendored=vendored)
        total.files += walked.files
        total.skipped += walked.skipped
        total.skipped += [(f"{name}/", outputs.REASON) for name in own]
        total.beside += walked.beside
        for folder in inside:
            found = git.find(folder)
            # Without a usable .git of its own, `find` climbs to a repository around the folder, if any.
            if (
                found
                and found.folder == str(folder)
                and git.run(found, "rev-parse", "--git-dir", check=False)
            ):
                repositories.append(found)
            else:
                pending.append(folder.relative_to(root).as_posix())
    return total, sorted(repositories, key=lambda repository: repository.folder)
