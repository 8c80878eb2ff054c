"""All tasks of a stage are made, whichever of them kills its worker: those are tried alone, item by item if need be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from codekiln.errors import WorkerDied
from codekiln.progress import say
from codekiln.shards import places
from codekiln.shards.disk import read_json, write_json
from codekiln.shards.executors import Executor
from codekiln.shards.guard import last_entered
from codekiln.shards.places import Place
from codekiln.shards.store import Dataset, ShardInfo

#: Of each task, the items on which a worker died twice.
LEFT_OUT = "left-out.json"
#: Before the item's name in the counters of a manifest.
DIED = "left out, a worker died on it: "
#: The same of an item that could not be made; the reason and "): " stand between.
FAILED = "left out, it failed ("


#: What is made of a task: its shard, and what its making noted.
Result: TypeAlias = "tuple[ShardInfo, Any]"
#: What a worker is given: number, task, items to leave out, and whether it is tried alone.
Attempt: TypeAlias = "tuple[int, Any, list[str], bool]"


def left_out(dataset: Dataset) -> dict[str, int]:
    """The counters of a dataset that name what is not in it."""
    return {name: n for name, n in dataset.manifest.counters.items() if name.startswith((DIED, FAILED))}


def journal_of(place: Place, number: int) -> Place:
    """Where the task of a shard says which item it is at."""
    return places.join(place, f"part-{number:05d}.doing")


def record_of(work: Path, number: int) -> Path:
    """Where it is written down that a shard stands."""
    return work / f"part-{number:05d}.json"


def standing(work: Path, place: Place, tasks: int) -> dict[int, ShardInfo]:
    """The shards that an earlier run has finished, by number; of those at an address, the ones that are still there."""
    records = ((number, record_of(work, number)) for number in range(tasks))
    infos = {n: ShardInfo.model_validate(read_json(path)) for n, path in records if path.exists()}
    if infos and not isinstance(place, Path):
        there = places.listing(place)
        infos = {n: info for n, info in infos.items() if there.get(info.name) == info.bytes}
    return infos


def make_all(
    make: Callable[[Attempt], Result],
    work: Path,
    place: Place,
    tasks: Sequence[Any],
    done: dict[int, ShardInfo],
    executor: Executor,
) -> Iterator[tuple[int, Result]]:
    """Yield (number, result) of every task that is not in `done`; the caller adds to `done` what it is given.

    `make` takes an attempt. Tasks that were under way when an earlier run ended are tried first, apart from this process;
    when a worker dies, those that were under way are tried again each in a process of its own, and the item on which
    one dies there is left out for good and named aloud.

    Raises:
        WorkerDied: a worker died twice on a task outside every item, or before it began one.
    """
    left_out = _left_out(work)

    def attempt(number: int, alone: bool = False) -> Attempt:
        return number, tasks[number], left_out.get(number, []), alone

    def missing() -> list[int]:
        return [number for number in range(len(tasks)) if number not in done]

    died = False
    while numbers := missing():
        begun = _begun(place, numbers)
        if died:
            for number in begun:
                yield number, _alone(make, work, place, number, attempt, left_out, executor)
        rest = [number for number in numbers if number not in begun]
        try:
            for some, apart in (([] if died else begun, True), (rest, False)):
                for position, result in (
                    executor.run(make, [attempt(n) for n in some], apart=apart) if some else ()
                ):
                    yield some[position], result
        except WorkerDied:
            died = True
            if not _begun(place, missing()):
                raise


def _begun(place: Place, numbers: list[int]) -> list[int]:
    """Those tasks whose journal is there: a process died while it was at them."""
    if isinstance(place, Path):
        names = {path.name for path in place.glob("part-*.doing")}
    else:
        names = set(places.listing(place))
    return [number for number in numbers if f"part-{number:05d}.doing" in names]


def _alone(
    make: Callable[[Attempt], Result],
    work: Path,
    place: Place,
    number: int,
    attempt: Callable[[int, bool], Attempt],
    left_out: dict[int, list[str]],
    executor: Executor,
) -> Result:
    while True:
        try:
            ((_, result),) = executor.run(make, [attempt(number, True)], apart=True)
            return result
        except WorkerDied:
            item = last_entered(journal_of(place, number))
            if not item or item in left_out.get(number, []):
                raise
            say(f"{item}: a worker process died on it again; it is left out")
            left_out.setdefault(number, []).append(item)
            write_json(work / LEFT_OUT, {str(key): value for key, value in sorted(left_out.items())})


def _left_out(work: Path) -> dict[int, list[str]]:
    path = work / LEFT_OUT
    return {int(key): value for key, value in read_json(path).items()} if path.exists() else {}
