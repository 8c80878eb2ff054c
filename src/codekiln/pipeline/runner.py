"""Runs stages: content-addressed outputs, resume after a kill, one run in a folder at a time.

A stage's key is a hash of its version, configuration and input hashes. Its output stands in a folder with a
stage.json that names the key and every file; an output of the same key is not made again. A stage works in the
sibling `NAME.partial`, where it finds its own unfinished work after a kill, and the folder is renamed when whole.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codekiln.errors import UserError
from codekiln.progress import format_duration, say
from codekiln.shards.kernel import replace_folder
from codekiln.shards.store import disk_errors, hash_file, hash_json, read_json, write_json

RECORD = "stage.json"
#: Files that tell of one execution (timings, host) and so are no part of an output's hash.
UNHASHED = frozenset({RECORD, "run.json", "claim.json"})


@dataclass(frozen=True)
class Stage:
    """One step of a run.

    Attributes:
        version: raised whenever `run` gives another result for the same configuration and inputs.
        config: JSON-able configuration that the result depends on.
        inputs: name -> content hash of what it reads.
        run: fills a folder; finds there what an earlier, killed call left.
    """

    name: str
    version: int
    config: Any
    inputs: dict[str, str]
    run: Callable[[Path], None]

    @property
    def key(self) -> str:
        return hash_json([self.name, self.version, self.config, self.inputs])


def finished(folder: Path, stage: Stage) -> dict[str, Any] | None:
    """The record of a stage's output when it stands whole in `folder` under this key, else None."""
    if not (folder / RECORD).exists():
        return None
    record: dict[str, Any] = read_json(folder / RECORD)
    if record["key"] != stage.key:
        return None
    for name, (size, _) in record["files"].items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != size:
            return None
    return record


def bring(folder: Path, stage: Stage, title: str = "") -> dict[str, Any]:
    """Bring a stage's output in `folder` up to date; returns its record, with `cached`."""
    title = title or stage.name
    record = finished(folder, stage)
    if record is not None:
        say(f"{title}: up to date")
        return {**record, "cached": True}
    say(title)
    begun = time.monotonic()
    work = partial_folder(folder)
    claim = work / "claim.json"
    if work.exists() and not (claim.exists() and read_json(claim) == stage.key):
        shutil.rmtree(work)
    with disk_errors(work):
        work.mkdir(parents=True, exist_ok=True)
    write_json(claim, stage.key)
    if not (work / RECORD).exists():
        stage.run(work)
        files = folder_files(work)
        write_json(
            work / RECORD,
            {
                "stage": stage.name,
                "key": stage.key,
                "version": stage.version,
                "config": stage.config,
                "inputs": stage.inputs,
                "files": files,
                "output_hash": hash_json({name: digest for name, (_, digest) in files.items()}),
                "seconds": round(time.monotonic() - begun, 3),
            },
        )
    made: dict[str, Any] = read_json(work / RECORD)
    replace_folder(work, folder)
    say(f"{title}: done in {format_duration(made['seconds'])}")
    return {**made, "cached": False}


def partial_folder(folder: Path) -> Path:
    """Where a stage works before its folder is whole."""
    return folder.with_name(folder.name + ".partial")


def output_hash(folder: Path) -> str:
    """Content hash of a finished stage's output.

    Raises:
        UserError: no stage has finished there.
    """
    if not (folder / RECORD).exists():
        raise UserError(f"{folder} is not the output of a finished codekiln stage: it has no {RECORD}")
    return str(read_json(folder / RECORD)["output_hash"])


def folder_files(folder: Path) -> dict[str, tuple[int, str]]:
    """Relative path -> (size in bytes, SHA-256) of every hashed file below a folder, sorted."""
    files: dict[str, tuple[int, str]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in UNHASHED:
            files[path.relative_to(folder).as_posix()] = (path.stat().st_size, hash_file(path))
    return files


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for writing; a second process that wants the same one is refused.

    Raises:
        UserError: the path is a file, or another process works there.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; give a folder with -o")
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(lock, 32, 0).decode(errors="replace").strip() or "unknown"
            raise UserError(
                f"another run (process {owner}) works in {folder}; wait for it or give another folder with -o"
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(lock)


def publish(source: Path, target: Path) -> None:
    """Show a stage's file or folder under a plain name: hard links, or copies where links are not possible."""
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    else:
        target.unlink(missing_ok=True)
    with disk_errors(target):
        if source.is_dir():
            shutil.copytree(source, target, copy_function=_link)
        else:
            _link(str(source), str(target))


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target
