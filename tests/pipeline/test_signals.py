"""A run that is interrupted, terminated or loses its workers stops in one line, leaves no process, and goes on later."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from pipeline_kit import codekiln, git, group, kill_group, leftovers, start, wait_for


def training(folder: Path) -> tuple[str, list[dict[str, Any]]]:
    """Output hash and metrics of a finished training stage."""
    record = json.loads((folder / "stages/training/stage.json").read_text())
    lines = (folder / "stages/training/metrics.jsonl").read_text().splitlines()
    return record["output_hash"], [json.loads(line) for line in lines]


@pytest.mark.slow
def test_signals_stop_training_at_a_checkpoint(recipe: Path, tmp_path: Path) -> None:
    folder, log = tmp_path / "run", tmp_path / "log"
    # No checkpoint but the one that a signal asks for.
    arguments: list[str | Path] = [
        "run", recipe, "-o", folder, "--threads", "1", "--workers", "2", "--until", "training", "--tokens", "3000",
        "--set", "training.checkpoint_seconds=3600",
    ]  # fmt: skip
    partial = folder / "stages/training.partial"
    reached = 0
    for number, code, word, send in (
        (signal.SIGTERM, 143, "terminated", os.kill),  # as `kill PID` does
        (signal.SIGINT, 130, "interrupted", os.killpg),  # as a terminal does
    ):
        process = start(log, *arguments)
        try:
            wait_for("stages/training.partial/metrics.jsonl", folder, process, log)
            while len((partial / "metrics.jsonl").read_text().splitlines()) <= reached:
                time.sleep(0.002)
            send(process.pid, number)
            assert process.wait(timeout=60) == code, log.read_text()
        finally:
            kill_group(process)
        said = log.read_text()
        assert said.splitlines()[-1] == f"codekiln: {word}; run the same command again to go on"
        assert "stopping with a checkpoint after this step; once more to stop now" in said
        assert "Traceback" not in said
        states = [path.name for path in partial.glob("state-*")]
        assert len(states) == 1
        assert int(states[0].removeprefix("state-")) > reached
        reached = int(states[0].removeprefix("state-"))
        assert len((partial / "metrics.jsonl").read_text().splitlines()) == reached
    assert codekiln(*arguments).returncode == 0
    resumed, metrics = training(folder)
    assert len(metrics) > reached
    assert not leftovers(folder)

    shutil.rmtree(folder / "stages/training")
    codekiln(*arguments)
    whole, same = training(folder)
    assert (resumed, metrics) == (whole, same)

    plant_leftovers(folder)
    codekiln(*arguments)
    assert training(folder) == (whole, same)
    assert not leftovers(folder)


def plant_leftovers(folder: Path) -> None:
    """What kills at moments too short to aim at leave behind, all at once, in a folder that ran up to training."""
    stages = folder / "stages"
    (stages / ".corpus.codekiln.old").mkdir()
    (stages / ".corpus.codekiln.old/half.parquet").write_text("")
    os.replace(stages / "training", stages / "training.partial")
    work = stages / "training.partial"
    os.replace(work / "stage.json", work / "stage.json.tmp")
    (work / "state.tmp").mkdir()
    (work / "state.tmp/tensors.safetensors").write_bytes(b"\0" * 100)
    for name, kept in (("state-000003", "tensors.safetensors"), ("state-000005", "state.json")):
        (work / name).mkdir()
        (work / name / kept).write_text("{}")


@pytest.fixture
def wide(repository: Path, tmp_path: Path) -> Path:
    """A repository of several shards, so that a pool of processes reads it: 40 MB of lines that a rule drops."""
    folder = tmp_path / "wide"
    shutil.copytree(repository, folder)
    for number in range(40):
        lines = (hashlib.sha256(f"{number} {line}".encode()).hexdigest() for line in range(15_000))
        (folder / f"table{number:02d}.py").write_text("".join(f"# {line}\n" for line in lines))
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "tables")
    return folder


def is_worker(process: psutil.Process) -> bool:
    """Whether a process is one of a pool, and no helper of it."""
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.Error:
        return False


def hashes(folder: Path) -> dict[str, str]:
    found = (folder / "stages").glob("*/stage.json")
    return {path.parent.name: json.loads(path.read_text())["output_hash"] for path in found}


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that a failed test must not leave behind."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        kill_group(process)


@pytest.mark.slow
def test_a_pool_of_processes_ends_with_the_run(
    recipe: Path, wide: Path, tmp_path: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    folder, log = tmp_path / "run", tmp_path / "log"

    def arguments(out: Path, workers: int) -> list[str | Path]:
        return ["run", recipe, "--source", wide, "-o", out, "--workers", str(workers), "--until", "corpus"]

    codekiln(*arguments(tmp_path / "whole", 1))
    endings = [
        ("sources", signal.SIGKILL, os.kill, -9),  # as the kernel does when memory runs out: the workers live on
        ("sources", signal.SIGKILL, os.killpg, -9),
        ("sources", signal.SIGINT, os.killpg, 130),
        ("corpus", signal.SIGINT, os.killpg, 130),
        ("corpus", signal.SIGTERM, os.killpg, 143),
        ("corpus", signal.SIGTERM, os.kill, 143),
        ("corpus", signal.SIGKILL, os.kill, -9),
    ]  # fmt: skip
    for number, (stage, what, send, code) in enumerate(endings):
        process = start(log, *arguments(folder, 2))
        processes.append(process)
        wait_for(f"stages/{stage}.partial/*/claim.json", folder, process, log)
        time.sleep(number % 3 * 0.2)  # from workers that start to workers at work
        send(process.pid, what)
        assert process.wait(timeout=120) == code, (stage, what, log.read_text())
        said = log.read_text()
        if code > 0:  # after kill -9, a worker that was just being started may complain
            assert "Traceback" not in said, (stage, what, said)
            assert said.splitlines()[-1].endswith("; run the same command again to go on")
        limit = time.monotonic() + 20
        while left := group(process.pid):
            assert time.monotonic() < limit, left
            time.sleep(0.05)
    codekiln(*arguments(folder, 2))
    assert hashes(folder) == hashes(tmp_path / "whole")
    assert not leftovers(folder)


@pytest.mark.slow
def test_a_worker_that_dies_costs_nothing(
    recipe: Path, wide: Path, tmp_path: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    folder, log = tmp_path / "run", tmp_path / "log"
    arguments = ["run", recipe, "--source", wide, "-o", folder, "--workers", "2", "--until", "sources"]
    process = start(log, *arguments)
    processes.append(process)
    limit = time.monotonic() + 300
    while not (workers := [one for one in psutil.Process(process.pid).children() if is_worker(one)]):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < limit, log.read_text()
        time.sleep(0.01)
    workers[0].kill()
    # Killed before it began a task, it may as well be a machine without memory: that ends the run, in one line.
    code = process.wait(timeout=300)
    said = log.read_text()
    assert code == 0 or said.splitlines()[-1].startswith("codekiln: error: a worker process died")
    assert "left out" not in said
    assert "Traceback" not in said
    codekiln(*arguments)
    assert not leftovers(folder)
    codekiln(*arguments[:5], tmp_path / "whole", *arguments[6:])
    assert hashes(folder) == hashes(tmp_path / "whole")
