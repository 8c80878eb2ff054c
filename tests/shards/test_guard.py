"""Real processes that die: what dies with them is tried again, alone, and only what kills is left out."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codekiln.errors import RunError
from codekiln.shards import LocalExecutor, Stage, build, guard
from codekiln.shards.disk import hash_file
from codekiln.shards.tables import SKIPPED

STAGE = Stage("guarded", 1)
TASKS = [["a", "b"], ["c", "poison", "d"], ["e", "poison", "worse", "f"], ["g"]]


def survivors(marks: str, items: list[str]) -> tuple[pa.Table, dict[str, int]]:
    rows = []
    for item in items:
        if not guard.enter(f"repo:{item}"):
            continue
        if item in ("poison", "worse"):
            os.kill(os.getpid(), signal.SIGSEGV if item == "poison" else signal.SIGKILL)
        if item == "once" and not (mark := Path(marks) / "tried").exists():
            mark.write_text("")
            os.kill(os.getpid(), signal.SIGKILL)
        rows.append({"repo": "r", "path": item, "reason": "", "size": 1})
        guard.leave()
    if "outside" in items:
        os.kill(os.getpid(), signal.SIGKILL)
    return pa.Table.from_pylist(rows, schema=SKIPPED), {"rows": len(rows)}


def paths(folder: Path) -> list[str]:
    return [row["path"] for name in sorted(folder.glob("part-*.parquet")) for row in _rows(name)]


def _rows(path: Path) -> list[dict[str, str]]:
    import pyarrow.parquet as pq

    return pq.read_table(path).to_pylist()


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hash_file(path) for path in sorted(folder.iterdir())}


def test_what_kills_a_worker_is_left_out_and_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    function = partial(survivors, str(tmp_path))
    made = build(tmp_path / "out", STAGE, SKIPPED, function, TASKS, executor=LocalExecutor(2))
    assert paths(made.path) == list("abcdefg")
    said = capfd.readouterr().err
    assert "repo:poison: a worker process died on it again; it is left out" in said
    assert "repo:worse: a worker process died" in said
    assert sorted(path.name for path in made.path.iterdir()) == [
        "manifest.json",
        *(f"part-{n:05d}.parquet" for n in range(4)),
    ]


def test_who_dies_once_loses_nothing(tmp_path: Path) -> None:
    tasks = [["a", "once"], ["b"], ["c"]]
    killed = build(
        tmp_path / "x", STAGE, SKIPPED, partial(survivors, str(tmp_path)), tasks, executor=LocalExecutor(2)
    )
    assert (tmp_path / "tried").exists()
    undisturbed = build(tmp_path / "y", STAGE, SKIPPED, partial(survivors, str(tmp_path)), tasks)
    assert digests(killed.path) == digests(undisturbed.path)
    assert paths(killed.path) == ["a", "once", "b", "c"]


def test_a_death_outside_every_item_ends_the_run(tmp_path: Path) -> None:
    function = partial(survivors, str(tmp_path))
    with pytest.raises(RunError, match="a worker process died"):
        build(tmp_path / "x", STAGE, SKIPPED, function, [["a"], ["outside"]], executor=LocalExecutor(2))


def test_a_run_of_one_process_goes_on_when_started_again(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); import test_guard as t\n"
        "if __name__ == '__main__':\n"
        "    t.build(Path(sys.argv[2]) / 'x', t.STAGE, t.SKIPPED, t.partial(t.survivors, sys.argv[2]), t.TASKS, executor=t.LocalExecutor(1))\n"
    )
    script = tmp_path / "run.py"
    script.write_text(program)
    command = [sys.executable, str(script), str(Path(__file__).parent), str(tmp_path)]
    first = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert first.returncode == -signal.SIGSEGV
    codes = [subprocess.run(command, capture_output=True, timeout=120).returncode for _ in range(2)]
    assert 0 in codes
    assert paths(tmp_path / "x") == list("abcdefg")


def impatient(items: list[str]) -> pa.Table:
    rows = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guard, "ITEM_SECONDS", 0.4)
        for item in items:
            if not guard.enter(f"repo:{item}"):
                continue
            if item == "endless":
                re.match(
                    r"(a+)+$", "a" * 60 + "b"
                )  # one call of C that no thread and no handler of Python ends
            rows.append({"repo": "r", "path": item, "reason": "", "size": 1})
            guard.leave()
            sum(range(10_000_000))  # work between items is nobody's
    return pa.Table.from_pylist(rows, schema=SKIPPED)


def test_what_never_ends_is_left_out(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tasks = [["a", "endless", "b"], ["c", "d", "e", "f"]]
    made = build(tmp_path / "out", STAGE, SKIPPED, impatient, tasks, executor=LocalExecutor(2))
    assert paths(made.path) == list("abcdef")
    assert "repo:endless: a worker process died on it again; it is left out" in capfd.readouterr().err


def test_the_limit_of_an_item_is_none_of_the_main_process(tmp_path: Path) -> None:
    made = build(tmp_path / "out", STAGE, SKIPPED, slow_items, [["a"], ["b"]], executor=LocalExecutor(1))
    assert paths(made.path) == ["a", "b"]


def slow_items(items: list[str]) -> pa.Table:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guard, "ITEM_SECONDS", 0.05)
        for item in items:
            assert guard.enter(item)
            sum(range(5_000_000))
            guard.leave()
    return pa.Table.from_pylist([{"repo": "r", "path": items[0], "reason": "", "size": 1}], schema=SKIPPED)


@given(st.lists(st.text(min_size=1).filter(lambda text: "\0" not in text), max_size=5))
def test_a_journal_names_the_last_item_until_it_is_left(names: list[str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal"
        with guard.journal(path, []):
            for name in names:
                assert guard.enter(name)
                assert guard.last_entered(path) == name
            guard.leave()
            assert guard.last_entered(path) == ""
        assert not path.exists()
