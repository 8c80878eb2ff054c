"""What compilers made, by what they made it from: the same program is compiled once."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from codekiln.downloads.cachefolder import cache_root

#: Bytes of the cache beyond which what was used longest ago goes, and the part of it that stays.
_LIMIT, _STAYS = 2 * 1024**3, 0.7
#: Looked at once in so many writes.
_SWEEP_EVERY = 200


class Artefacts:
    """A folder of results; several processes may use it at once."""

    def __init__(self, root: Path | None = None) -> None:
        self._root = root or cache_root() / "sandbox" / "artefacts"
        self._written = 0

    def key(self, parts: Mapping[str, object], files: Mapping[str, bytes]) -> str:
        """The name of a result: a hash of all that it depends on."""
        digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
        for path in sorted(files):
            digest.update(f"\0{path}\0{len(files[path])}\0".encode())
            digest.update(files[path])
        return digest.hexdigest()

    def get(self, key: str) -> dict[str, bytes] | None:
        """The files of a result; None where there is none, or not a whole one."""
        folder = self._root / key[:2] / key
        try:
            listed = json.loads((folder / "files.json").read_bytes())
            found = {path: (folder / str(number)).read_bytes() for number, (path, _) in enumerate(listed)}
            if any(hashlib.sha256(found[path]).hexdigest() != told for path, told in listed):
                raise ValueError(key)
            os.utime(folder)
            return found
        except (OSError, ValueError, TypeError):
            return None

    def put(self, key: str, files: Mapping[str, bytes]) -> None:
        """Keep a result; where the disk is full or the folder cannot be written it is not kept."""
        folder = self._root / key[:2] / key
        with suppress(OSError):
            folder.parent.mkdir(parents=True, exist_ok=True)
            made = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
            try:
                for number, content in enumerate(files.values()):
                    (made / str(number)).write_bytes(content)
                listed = [[path, hashlib.sha256(content).hexdigest()] for path, content in files.items()]
                (made / "files.json").write_text(json.dumps(listed))
                shutil.rmtree(folder, ignore_errors=True)  # what was there is damaged, or the same
                made.rename(folder)
            finally:
                shutil.rmtree(made, ignore_errors=True)
            self._written += 1
            if self._written % _SWEEP_EVERY == 1:
                self._sweep()

    def _sweep(self) -> None:
        sizes = []
        for folder in self._root.glob("??/*"):
            with suppress(OSError):
                size = sum(entry.stat().st_size for entry in os.scandir(folder))
                sizes.append((folder.stat().st_mtime, size, folder))
        total = sum(size for _, size, _ in sizes)
        if total <= _LIMIT:
            return
        for used, size, folder in sorted(sizes, key=lambda one: one[0]):
            if total <= _LIMIT * _STAYS or time.time() - used < 60:
                break
            shutil.rmtree(folder, ignore_errors=True)
            total -= size
