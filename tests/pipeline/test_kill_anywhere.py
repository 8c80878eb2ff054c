"""A run that is killed anywhere ends, started again, with what an undisturbed run makes."""

from __future__ import annotations

import json
import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pipeline_kit import group, kill_group, leftovers, results, start, wait_for

STAGES = ("sources", "corpus", "plan", "before", "dataset", "training", "export", "after")
#: Where a kill is aimed at -> the stage, and the files below the run's folder that tell that it has come to that.
AIMS = {
    **{stage: (stage, f"stages/{stage}.partial/claim.json") for stage in STAGES},
    "after a checkpoint": ("training", "stages/training.partial/state-*"),
    "half a checkpoint": ("training", "stages/training.partial/state.tmp"),
    "half a GGUF": ("export", "stages/export.partial/.model-*.gguf.partial"),
    "half the results": ("", "model/config.json"),
    "the report": ("", "stages/after/stage.json"),
}


@dataclass(frozen=True)
class Point:
    """A kill: when the run has come to `aim`, and a share of the time that the aim's stage takes has passed."""

    aim: str
    share: float = 0.0


def command(recipe: Path, folder: Path, *arguments: str) -> list[str | Path]:
    # A checkpoint after every step: they do not change the result, and a kill finds one.
    often = ("--set", "training.checkpoint_seconds=0.001")
    return ["run", recipe, "-o", folder, "--threads", "1", "--workers", "2", *often, *arguments]


def kill_at(
    point: Point, folder: Path, log: Path, arguments: list[str | Path], seconds: dict[str, float]
) -> str:
    """Start the run and SIGKILL its whole process group at a point; returns where it was (see `landed`).

    A machine that is faster now than in the undisturbed run may leave the stage while the share of its time is
    waited for: the kill then comes at once.
    """
    stage, pattern = AIMS[point.aim]

    def over() -> bool:
        return (folder / "stages" / stage / "stage.json").exists()

    process = start(log, *arguments)
    try:
        wait_for(pattern, folder, process, log, over)
        until = time.monotonic() + point.share * seconds.get(stage, 0.0)
        while time.monotonic() < until and not over():
            time.sleep(0.002)
    finally:
        kill_group(process)
    assert process.returncode == -signal.SIGKILL, log.read_text()
    assert not group(process.pid)
    return landed(folder)


def landed(folder: Path) -> str:
    """The stage that was at work, "training after a checkpoint", or "between" where it was none."""
    at_work = [path.stem for path in (folder / "stages").glob("*.partial")]
    assert len(at_work) <= 1
    if at_work == ["training"] and any(
        (path / "state.json").exists() for path in (folder / "stages/training.partial").glob("state-*")
    ):
        return "training after a checkpoint"
    return at_work[0] if at_work else "between"


def finish(folder: Path, log: Path, arguments: list[str | Path]) -> dict[str, Any]:
    """Run to the end undisturbed, and return what came out."""
    process = start(log, *arguments)
    assert process.wait(timeout=600) == 0, log.read_text()
    assert not group(process.pid)
    assert not leftovers(folder)
    return results(folder)


TWENTY = [
    ["sources", "before", "after a checkpoint", "export", "after"],
    ["corpus", "plan", "dataset", "half a checkpoint", "half a GGUF"],
    ["sources", "before", "before", "training", "half the results"],
    ["corpus", "dataset", "after a checkpoint", "export", "the report"],
]


@pytest.mark.slow
def test_a_killed_run_ends_as_an_undisturbed_one(recipe: Path, tmp_path: Path) -> None:
    draw, log = random.Random(1), tmp_path / "log"
    reference = finish(tmp_path / "whole", log, command(recipe, tmp_path / "whole"))
    report = json.loads((tmp_path / "whole/report.json").read_text())
    seconds = {row["stage"]: row["seconds"] for row in report["stages"]}
    hit: list[str] = []
    for number, aims in enumerate(TWENTY):
        folder = tmp_path / f"killed-{number}"
        for aim in aims:
            # Training's time is mostly over when there is a checkpoint; other halves last milliseconds.
            share = draw.uniform(0, 0.7 if aim in STAGES else 0.2 if aim == "after a checkpoint" else 0)
            hit.append(kill_at(Point(aim, share), folder, log, command(recipe, folder), seconds))
        assert finish(folder, log, command(recipe, folder)) == reference, f"{aims}: killed at {hit}"
        shutil.rmtree(folder)
    assert len(hit) == 20
    cover(hit, lambda number: command(recipe, tmp_path / f"more-{number}"), tmp_path, reference)


def cover(
    hit: list[str], arguments: Callable[[int], list[str | Path]], tmp_path: Path, reference: dict[str, Any]
) -> None:
    """Kill at once on arrival in every stage that the drawn moments missed (a stage may last milliseconds)."""
    wanted = [*STAGES[:5], "training after a checkpoint", "training after a checkpoint", *STAGES[6:]]
    for number in range(12):
        missing = [where for where in wanted if hit.count(where) < wanted.count(where)]
        if not missing:
            break
        folder = tmp_path / f"more-{number}"
        aim = "after a checkpoint" if "checkpoint" in missing[0] else missing[0]
        hit.append(kill_at(Point(aim), folder, tmp_path / "log", arguments(number), {}))
        assert finish(folder, tmp_path / "log", arguments(number)) == reference, hit
        shutil.rmtree(folder)
    assert not [where for where in wanted if hit.count(where) < wanted.count(where)], hit
