"""codekiln's own cache of prepared checkpoints: whole folders or none.

A checkpoint is a folder `models/v1/NAME` with a `codekiln.json` that records where it came from and the size and
SHA-256 of every file.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codekiln.downloads.cachefolder import cache_root, sync
from codekiln.errors import RunError
from codekiln.modeling.catalogue import CATALOGUE
from codekiln.shards.disk import hash_file

RECORD = "codekiln.json"
#: Goes up when the way a checkpoint is prepared changes its bytes; older ones are then prepared anew.
_LAYOUT = "v1"


def model_folder(name: str) -> Path:
    """Where the prepared checkpoint of a name is or will be."""
    return cache_root() / "models" / _LAYOUT / name


def read_record(folder: Path) -> dict[str, Any] | None:
    """The record of a prepared checkpoint after a check of every file's size; None when there is no folder.

    Raises RunError naming the file that is missing or has a wrong size, and the way out.
    """
    if not folder.is_dir():
        return None
    mend = mending(folder)
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        files = {str(name): int(value["size"]) for name, value in record["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{folder / RECORD}: missing or damaged; {mend}") from error
    for name, size in files.items():
        path = folder / name
        found = path.stat().st_size if path.is_file() else None
        if found != size:
            what = "missing" if found is None else f"{found} bytes, {size} expected"
            raise RunError(f"{path}: {what}: the cached checkpoint is damaged; {mend}")
    return dict(record)


def mending(folder: Path) -> str:
    """What the user does about a damaged checkpoint of the cache."""
    if folder.name in CATALOGUE:
        return f"run `codekiln models fetch {folder.name} --force`, or remove {folder}"
    return f"remove {folder} and start again"


def damaged_files(folder: Path, record: dict[str, Any]) -> list[str]:
    """Names of the recorded files whose content no longer has the recorded SHA-256 (reads everything)."""
    return [name for name, value in record["files"].items() if hash_file(folder / name) != value["sha256"]]


def prepare(folder: Path, provenance: dict[str, Any], fill: Callable[[Path], object]) -> dict[str, Any]:
    """Make a cached checkpoint: `fill` writes into a temporary sibling, which is recorded, synced and renamed.

    Returns the record. A process that dies leaves nothing but the sibling, which the next one removes; hold
    `locked` around the call. An existing `folder` is replaced. Raises RunError when the disk refuses.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        fill(partial)
        files = {
            path.name: {"size": path.stat().st_size, "sha256": hash_file(path)}
            for path in sorted(partial.iterdir())
        }
        record = {**provenance, "files": files}
        (partial / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        for path in partial.iterdir():
            sync(path)
        sync(partial)
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
        sync(folder.parent)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise RunError(
            f"{folder.parent}: cannot write the checkpoint: {error.strerror or error}; free some space or set "
            "CODEKILN_CACHE to another disk"
        ) from error
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return record
