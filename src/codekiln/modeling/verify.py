"""Full verification of a model on this machine: every byte against the hash that was recorded for it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from codekiln.errors import RunError
from codekiln.modeling import cache
from codekiln.modeling.fetch import Checkpoint, resolve
from codekiln.shards.disk import hash_file


@dataclass(frozen=True)
class Verification:
    """What was verified: the checkpoint, how many files have a known hash and match it, and which do not match.

    A local folder has no recorded hashes: its structure is checked, `files` is 0 and `damaged` empty.
    """

    checkpoint: Checkpoint
    files: int
    damaged: list[str]


def verify(name_or_path: str) -> Verification:
    """Read every file of a model that is on this machine and compare it with its known SHA-256.

    codekiln's cache records the hashes; the Hugging Face cache names each file by its hash. Never fetches.
    Raises UserError or RunError as `resolve` does, with `allow_fetch=False`.
    """
    checkpoint = resolve(name_or_path, allow_fetch=False)
    record = cache.read_record(checkpoint.path) if (checkpoint.path / cache.RECORD).is_file() else None
    if record is not None:
        return Verification(checkpoint, len(record["files"]), cache.damaged_files(checkpoint.path, record))
    if checkpoint.source == "hub":
        known = {path: digest for path in checkpoint.path.rglob("*") if (digest := _blob_name(path))}
        wrong = [path.name for path, digest in sorted(known.items()) if not _matches(path, digest)]
        return Verification(checkpoint, len(known), wrong)
    return Verification(checkpoint, 0, [])


def require_sound(result: Verification) -> None:
    """Raise RunError naming the damaged files, if any, and what to do about them."""
    if result.damaged:
        mend = cache.mending(result.checkpoint.path)
        if result.checkpoint.source == "hub":
            mend = f"remove {result.checkpoint.path} from the Hugging Face cache and fetch it again"
        raise RunError(
            f"{result.checkpoint.path}: damaged: {', '.join(result.damaged)} (content has another hash); {mend}"
        )


def _blob_name(path: Path) -> str | None:
    """The hash by which the Hugging Face cache stores a file (SHA-256, or git's SHA-1 for small ones)."""
    name = path.resolve().name
    return name if path.is_file() and re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", name) else None


def _matches(path: Path, digest: str) -> bool:
    if len(digest) == 64:
        return hash_file(path) == digest
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest() == digest
