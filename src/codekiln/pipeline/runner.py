"""Runs stages: content-addressed outputs, resume after a kill, one run in a folder at a time.

A stage's key is a hash of its version, configuration and input hashes. Its output stands in a folder with a
stage.json that names the key and every file; an output of the same key is not made again. A stage works in the
sibling `NAME.partial`, where it finds its own unfinished work after a kill, and the folder is renamed when whole.
What codekiln has not made it neither replaces nor removes.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codekiln.errors import UserError
from codekiln.machine import release_memory
from codekiln.progress import format_duration, say
from codekiln.shards import far, places
from codekiln.shards.disk import disk_errors, hash_file, hash_json, read_json, write_bytes, write_json
from codekiln.shards.folders import (
    CLAIM,
    RECORD,
    discard_partial,
    not_ours,
    partial_folder,
    remove_leftover,
    replace_folder,
    require_ours,
)
from codekiln.shards.store import OUTPUT_MARK

#: Files that tell of one execution (timings, host) or help the next one, and so are no part of an output's hash.
UNHASHED = frozenset({RECORD, "run.json", "pieces.json", CLAIM, places.RECORD})


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
    record = read_record(folder)
    if record["key"] != stage.key:
        return None
    far_away = far.sizes_of(folder)
    for name, (size, _) in record["files"].items():
        path = folder / name
        if (path.stat().st_size if path.is_file() else far_away.get(name)) != size:
            return None
    return record


def read_record(folder: Path) -> dict[str, Any]:
    """The stage.json of a folder.

    Raises:
        RunError: it is missing or no JSON.
        UserError: it is not what codekiln writes.
    """
    record: Any = read_json(folder / RECORD)
    shape = {
        "stage": str,
        "key": str,
        "config": dict,
        "files": dict,
        "output_hash": str,
        "seconds": float | int,
    }
    if (
        not isinstance(record, dict)
        or any(not isinstance(record.get(key), kind) for key, kind in shape.items())
        or not all(map(_is_entry, record["files"].values()))
    ):
        raise UserError(f"{folder / RECORD} is not what codekiln wrote; delete {folder} and run again")
    return record


def _is_entry(entry: Any) -> bool:
    """Whether a value of `files` is a size and a hash."""
    return isinstance(entry, list) and len(entry) == 2 and type(entry[0]) is int and isinstance(entry[1], str)


def bring(folder: Path, stage: Stage, title: str = "") -> dict[str, Any]:
    """Bring a stage's output in `folder` up to date; returns its record, with `cached`.

    Raises:
        UserError: codekiln has not made what stands there, or in `folder`.partial.
    """
    title = title or stage.name
    record = finished(folder, stage)
    if record is not None:
        remove_leftover(folder)
        say(f"{title}: up to date")
        return {**record, "cached": True}
    require_ours(folder)
    work = partial_folder(folder)
    require_ours(work)
    say(title)
    begun = time.monotonic()
    claim = work / CLAIM
    if not (claim.exists() and read_json(claim) == stage.key):
        discard_partial(folder)
    with disk_errors(work):
        work.mkdir(parents=True, exist_ok=True)
    write_json(claim, stage.key)
    if not (work / RECORD).exists():
        stage.run(work)
        release_memory()  # one stage's model must not stand beside the next one's
        for path in work.rglob("*.tmp"):  # a kill while a file was written leaves its beginning
            if path.is_file():
                path.unlink()
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
    made = read_record(work)
    replace_folder(work, folder)
    say(f"{title}: done in {format_duration(made['seconds'])}")
    return {**made, "cached": False}


def output_hash(folder: Path) -> str:
    """Content hash of a finished stage's output.

    Raises:
        UserError: no stage has finished there.
    """
    if not (folder / RECORD).exists():
        inner = sorted(path.parent for path in folder.glob(f"*/{RECORD}"))
        hint = f"; did you mean {' or '.join(map(str, inner))}?" if inner else ""
        raise UserError(f"{folder} is not the output of a finished codekiln stage: it has no {RECORD}{hint}")
    return str(read_record(folder)["output_hash"])


def folder_files(folder: Path) -> dict[str, tuple[int, str]]:
    """Relative path -> (size in bytes, SHA-256) of every hashed file below a folder, sorted.

    A shard at an address counts as the file that it would be.
    """
    files = far.shards_of(folder)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in UNHASHED:
            files[path.relative_to(folder).as_posix()] = (path.stat().st_size, hash_file(path))
    return dict(sorted(files.items()))


@contextmanager
def locked(
    folder: Path, stages: Sequence[str], shown: Sequence[str] = (), sources: Sequence[str] = ()
) -> Iterator[None]:
    """Hold a folder for writing; a second process that wants the same one is refused.

    A new folder gets a .gitignore over all that is in it, so that a run inside a repository is no part of its code.
    Arguments and errors are those of `check_folder`; another process at work there is a UserError as well.
    """
    check_folder(folder, stages, shown, sources)
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / OUTPUT_MARK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(lock, 32, 0).decode(errors="replace").strip() or "unknown"
            raise UserError(
                f"another run (process {owner}) works in {folder}; wait for it or give another folder with -o"
            ) from None
        os.ftruncate(lock, 0)
        with disk_errors(folder):
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        if os.listdir(folder) == [OUTPUT_MARK]:
            write_bytes(folder / ".gitignore", b"*\n")
        yield
    finally:
        os.close(lock)


def check_folder(
    folder: Path, stages: Sequence[str], shown: Sequence[str] = (), sources: Sequence[str] = ()
) -> None:
    """Whether a folder may be written to, before anything is.

    Args:
        stages: folders in it that are replaced where codekiln has made them.
        shown: plain names in it that are replaced where an earlier such command has left its stages there.
        sources: paths that are read; the folder may lie in one of them, but not hold one.

    Raises:
        UserError: the path is a file or a repository, or holds a source, or what somebody else has made and would be replaced.
    """
    for place in (folder, *folder.parents):
        if os.path.lexists(place):
            if not place.is_dir():
                raise UserError(f"{place} is a file; give a folder with -o")
            break
    real = Path(os.path.realpath(folder))
    for source in sources:
        if source and Path(os.path.realpath(os.path.expanduser(source))).is_relative_to(real):
            raise UserError(f"{folder} holds the source {source}; give a folder of its own with -o")
    with disk_errors(folder):
        names = set(os.listdir(folder)) if folder.exists() else set()
    if (
        ".git" in names and OUTPUT_MARK not in names
    ):  # marked as output, it could no longer be read as a source
        raise UserError(f"{folder} is a git repository; give a folder of its own with -o")
    begun = OUTPUT_MARK in names and any(name.partition("/")[0] in names for name in stages)
    if not begun and (taken := sorted(names.intersection(shown))):
        raise not_ours(folder / taken[0])
    for name in stages:
        require_ours(folder / name)
        require_ours(partial_folder(folder / name))


def publish(source: Path, target: Path) -> None:
    """Show a stage's file or folder under a plain name: hard links, or copies where links are not possible."""
    withdraw(target)
    with disk_errors(target):
        if source.is_dir():
            shutil.copytree(source, target, copy_function=_link)
        else:
            _link(str(source), str(target))


def withdraw(target: Path) -> None:
    """Remove what `publish` put there, if anything."""
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    else:
        target.unlink(missing_ok=True)


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target
