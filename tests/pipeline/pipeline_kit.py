"""What the pipeline's tests share: the real command, real git, and hashes of a run."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from codekiln.shards.store import OUTPUT_MARK


def git(folder: Path, *arguments: str, **environment: str) -> None:
    identity = {f"GIT_{who}_{what}": "x@y" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(
        ["git", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        env={**os.environ, **identity, **environment},
    )


def codekiln(
    *arguments: str | Path,
    check: int | None = 0,
    timeout: float = 300,
    before: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[str]:
    """The real command in a process of its own; a traceback is a failure whatever the exit code.

    `before` runs in the new process ahead of the command: limits, capabilities.
    """
    done = subprocess.run(
        [sys.executable, "-m", "codekiln", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        preexec_fn=before,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert "Traceback" not in done.stderr, done.stderr
    if check is not None:
        assert done.returncode == check, done.stderr
    return done


def results(folder: Path) -> dict[str, Any]:
    """What a run has to reproduce: every output hash, the exported files, and the metrics of the report."""
    report = json.loads((folder / "report.json").read_text())
    files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if (
            path.is_file()
            and name.parts[0] != "stages"
            and name.name not in ("report.json", "report.html", "run.json")
        ):
            files[str(name)] = hashlib.sha256(path.read_bytes()).hexdigest()
    files.pop(OUTPUT_MARK, None)
    return {
        "stages": {row["stage"]: row["output_hash"] for row in report["stages"]},
        "files": files,
        "metrics": report["metrics"],
    }


def start(log: Path, *arguments: str | Path) -> subprocess.Popen[bytes]:
    """Start the real command in a process group of its own; what it prints goes to `log`."""
    with open(log, "wb") as stream:
        return subprocess.Popen(
            [sys.executable, "-m", "codekiln", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )


def wait_for(
    pattern: str,
    folder: Path,
    process: subprocess.Popen[bytes],
    log: Path,
    over: Callable[[], bool] = lambda: False,
) -> None:
    """Wait until the process has made a path that fits (what stood before its start does not count), or it is over."""
    begun, limit = time.time_ns(), time.monotonic() + 300
    while not over() and not any(_changed(path) > begun for path in folder.glob(pattern)):
        assert process.poll() is None, f"ended before {pattern}: {log.read_text()}"
        assert time.monotonic() < limit, f"never came to {pattern}: {log.read_text()}"
        time.sleep(0.002)


def _changed(path: Path) -> int:
    try:
        return path.stat().st_ctime_ns
    except FileNotFoundError:
        return 0


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL a process that `start` started and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def group(leader: int) -> list[str]:
    """Command lines of the living processes of a process group."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
    return found


def leftovers(folder: Path) -> list[str]:
    """Unfinished work below a run's folder: nothing of it may be there when the run has ended well."""
    patterns = ("*.partial", "*.tmp", "*.old", "state-*", "*.documents", "shuffle")
    return sorted(str(path.relative_to(folder)) for pattern in patterns for path in folder.rglob(pattern))
