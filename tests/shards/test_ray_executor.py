"""Ray in place of processes: the same bytes, the same errors, and a way back after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pyarrow as pa
import pytest

from codekiln.errors import RunError, UserError
from codekiln.shards import Executor, LocalExecutor, Stage, build, choose
from codekiln.shards.ray_executor import RayExecutor
from codekiln.shards.tables import SKIPPED

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def on_ray() -> Iterator[Executor]:
    ray = pytest.importorskip("ray")
    paths = (str(Path(__file__).parent), os.environ.get("PYTHONPATH", ""))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))  # Ray's workers import this module
        yield choose("ray", 2)
        ray.shutdown()


def row(number: int) -> tuple[pa.Table, dict[str, int]]:
    rows = [{"repo": "r", "path": f"p{one}", "reason": "", "size": one} for one in range(number)]
    return pa.Table.from_pylist(rows, schema=SKIPPED), {"rows": number}


def failing(number: int) -> pa.Table:
    if number == 5:
        raise UserError("row 5 is wrong; mend it")
    return row(number)[0]


def dies_once(task: tuple[str, int]) -> pa.Table:
    mark = Path(task[0]) / f"tried-{task[1]}"
    if not mark.exists():
        mark.write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return row(task[1])[0]


def always_dies(number: int) -> pa.Table:
    os.kill(os.getpid(), signal.SIGKILL)
    return row(number)[0]


def test_the_bytes_are_those_of_processes(on_ray: Executor, tmp_path: Path) -> None:
    stage = Stage("numbers", 1)
    hashes = [
        build(tmp_path / name, stage, SKIPPED, row, list(range(20)), executor=executor).content_hash
        for name, executor in (("one", LocalExecutor(1)), ("two", LocalExecutor(2)), ("ray", on_ray))
    ]
    assert len(set(hashes)) == 1
    texts = {(tmp_path / name / "manifest.json").read_text() for name in ("one", "two", "ray")}
    assert len(texts) == 1


def test_an_error_of_a_task_is_the_runs_and_what_stands_stays(on_ray: Executor, tmp_path: Path) -> None:
    stage = Stage("numbers", 2)
    with pytest.raises(UserError, match="row 5 is wrong"):
        build(tmp_path / "x", stage, SKIPPED, failing, list(range(12)), executor=on_ray)
    assert list((tmp_path / "x.partial").glob("part-*.json"))
    build(tmp_path / "x", stage, SKIPPED, row, list(range(12)), executor=on_ray)
    assert not (tmp_path / "x.partial").exists()


def test_a_worker_that_dies_costs_a_second_try_and_one_that_always_dies_the_run(
    on_ray: Executor, tmp_path: Path
) -> None:
    tasks = [(str(tmp_path), number) for number in range(4)]
    dataset = build(tmp_path / "x", Stage("dying", 1), SKIPPED, dies_once, tasks, executor=on_ray)
    assert len(dataset) == 6
    with pytest.raises(RunError, match="a Ray worker died"):
        build(tmp_path / "y", Stage("dying", 2), SKIPPED, always_dies, [1, 2], executor=on_ray)


def write_project(folder: Path) -> Path:
    """Python files of 2 MB in all, in enough bytes of other files for several shards."""
    for number in range(60):
        path = folder / f"pkg{number % 7}/module{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            "".join(f"def f{number}_{n}(value):\n    return value + {n}\n\n\n" for n in range(900))
        )
        (folder / f"table{number}.py").write_bytes(
            f"# {number}\n".encode() + b"# 0123456789 abcdef\n" * 49_000
        )
    return folder


def start(*words: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "codekiln", "corpus", "build", *map(str, words), "--set", "corpus.heldout_minimum=3", "--set", "corpus.licenses=any"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip


def hashes(folder: Path) -> dict[str, str]:
    found = sorted(folder.rglob("manifest.json"))
    return {
        str(path.relative_to(folder)): json.dumps(json.loads(path.read_text())["shards"]) for path in found
    }


def test_a_killed_corpus_goes_on_with_another_executor(tmp_path: Path) -> None:
    source = write_project(tmp_path / "source")
    whole = start(source, "-o", tmp_path / "whole", "--workers", "1")
    assert whole.wait(timeout=200) == 0, whole.stdout and whole.stdout.read()
    process = start(source, "-o", tmp_path / "killed", "--workers", "2", "--executor", "ray")
    try:
        limit = time.monotonic() + 120
        while not list((tmp_path / "killed").rglob("part-*.json")):
            assert process.poll() is None, process.stdout and process.stdout.read()
            assert time.monotonic() < limit
            time.sleep(0.01)
        # Ray's agents take a minute to notice; they write nothing of ours.
        children = [
            one
            for one in psutil.Process(process.pid).children(recursive=True)
            if "Agent" not in " ".join(one.cmdline())
        ]
    finally:
        process.kill()
        process.wait()
    gone, alive = psutil.wait_procs(children, timeout=30)
    assert gone
    assert not alive, [one.cmdline() for one in alive]
    again = start(source, "-o", tmp_path / "killed", "--workers", "2")
    assert again.wait(timeout=200) == 0, again.stdout and again.stdout.read()
    assert hashes(tmp_path / "killed") == hashes(tmp_path / "whole")


def test_nobody_at_the_address_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    for executor, message in (
        ("ray://127.0.0.1:1", "no Ray could be reached at ray://127.0.0.1:1"),
        ("spark", "--executor spark: unknown; choose local, ray or ray://HOST:PORT"),
    ):
        done = start(tmp_path, "-o", tmp_path / "out", "--executor", executor)
        said, _ = done.communicate(timeout=120)
        assert done.returncode == 2, said
        assert message in said.splitlines()[-1]
        assert "Traceback" not in said


def test_a_ray_that_does_not_start_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_slow(**options: object) -> None:
        raise Exception("The node timed out\nduring startup")

    ray = pytest.importorskip("ray")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", too_slow)
    with pytest.raises(
        RunError, match=r"^Ray did not start on this machine \(The node timed out during startup\)"
    ):
        list(RayExecutor().run(str, [1]))
