"""What the pipeline's tests share: the real command, real git, and hashes of a run."""

from __future__ import annotations

import contextlib
import ctypes
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

from codekiln.shards import Dataset
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


def module(number: int) -> str:
    """Python that no rule drops and that is no near copy of another module."""
    names = [
        f"{word}_{number * 7 + at}"
        for at, word in enumerate(("read", "parse", "write", "merge", "close", "count"))
    ]
    return "".join(
        f"def {name}(value, other={at}):\n    total = value * {number + at} + other\n    return total - len('{name}')\n\n\n"
        for at, name in enumerate(names)
    )


def write_modules(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"m{number}.py").write_text(module(number))
    return folder


def run(
    recipe: Path, folder: Path, *arguments: str | Path, until: str = "corpus", check: int = 0, **options: Any
) -> subprocess.CompletedProcess[str]:
    """`codekiln run` up to a stage; a run that ends badly has to say why in one last line, and nothing on stdout."""
    stop = ("--until", until) if until else ()
    done = codekiln(
        "run",
        recipe,
        "-o",
        folder,
        "--workers",
        "1",
        "--threads",
        "1",
        *stop,
        *arguments,
        check=check,
        **options,
    )
    if check:
        said = done.stderr.strip().splitlines()
        assert said[-1].startswith("codekiln: error: "), done.stderr
        assert sum("error:" in line for line in said) == 1
        assert "internal error" not in done.stderr
        assert done.stdout == ""
    return done


def files(folder: Path) -> dict[str, dict[str, Any]]:
    """Rows of `files` by path, without the licence columns' worth of detail."""
    return {row["path"]: row for row in Dataset.open(folder / "stages/sources/files").rows()}


def skipped(folder: Path) -> dict[str, str]:
    return {row["path"]: row["reason"] for row in Dataset.open(folder / "stages/sources/skipped").rows()}


def powerless() -> None:
    """Take from root what reads files whatever their mode, so that modes count for the tests as for a user."""
    if os.getuid() == 0:
        drop, override, search = 24, 1, 2  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in (override, search):
            if libc.prctl(drop, capability, 0, 0, 0):
                raise OSError(ctypes.get_errno(), "prctl")
