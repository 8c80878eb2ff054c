"""All tasks of a stage are made, whichever of them kills its worker: those are tried alone, item by item if need be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from codekiln.errors import WorkerDied
from codekiln.progress import say
from codekiln.shards.executors import Executor
from codekiln.shards.guard import last_entered
from codekiln.shards.store import ShardInfo, read_json, write_json

#: Of each task, the items on which a worker died twice.
LEFT_OUT = "left-out.json"
#: Before the item's name in the counters of a manifest.
DIED = "left out, a worker died on it: "


def journal_of(work: Path, number: int) -> Path:
    """Where the task of a shard says which item it is at."""
    return work / f"part-{number:05d}.doing"


def standing(work: Path, tasks: int) -> dict[int, ShardInfo]:
    """The shards that an earlier run has finished, by number."""
    records = ((number, work / f"part-{number:05d}.json") for number in range(tasks))
    return {n: ShardInfo.model_validate(read_json(path)) for n, path in records if path.exists()}


def make_all(
    make: Callable[[Any], ShardInfo],
    work: Path,
    tasks: Sequence[Any],
    done: dict[int, ShardInfo],
    executor: Executor,
) -> Iterator[tuple[int, ShardInfo]]:
    """Yield (number, shard) of every task that is not in `done`; the caller adds to `done` what it is given.

    `make` takes (number, task, items to leave out). A task that was under way when a worker died, now or in an earlier
    run, is tried again in a process of its own; the item on which it dies there is left out for good and named aloud.

    Raises:
        WorkerDied: a worker died twice on a task outside every item, or before it began one.
    """
    left_out = _left_out(work)

    def task(number: int) -> tuple[int, Any, list[str]]:
        return number, tasks[number], left_out.get(number, [])

    def missing() -> list[int]:
        return [number for number in range(len(tasks)) if number not in done]

    while numbers := missing():
        begun = [number for number in numbers if journal_of(work, number).exists()]
        for number in begun:
            yield number, _alone(make, work, number, task, left_out, executor)
        rest = [number for number in numbers if number not in begun]
        try:
            for position, info in executor.run(make, [task(number) for number in rest]):
                yield rest[position], info
        except WorkerDied:
            yield from ((n, info) for n, info in standing(work, len(tasks)).items() if n not in done)
            if not any(journal_of(work, number).exists() for number in missing()):
                raise


def _alone(
    make: Callable[[Any], ShardInfo],
    work: Path,
    number: int,
    task: Callable[[int], tuple[int, Any, list[str]]],
    left_out: dict[int, list[str]],
    executor: Executor,
) -> ShardInfo:
    while True:
        try:
            ((_, info),) = executor.run(make, [task(number)], apart=True)
            return info
        except WorkerDied:
            item = last_entered(journal_of(work, number))
            if not item or item in left_out.get(number, []):
                raise
            say(f"{item}: a worker process died on it again; it is left out")
            left_out.setdefault(number, []).append(item)
            write_json(work / LEFT_OUT, {str(key): value for key, value in sorted(left_out.items())})


def _left_out(work: Path) -> dict[int, list[str]]:
    path = work / LEFT_OUT
    return {int(key): value for key, value in read_json(path).items()} if path.exists() else {}
