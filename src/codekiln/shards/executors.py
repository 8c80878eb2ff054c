"""Executors run a function over tasks; which one never changes the result."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Protocol

from codekiln.errors import RunError


def _leave_ctrl_c() -> None:
    """A worker leaves Ctrl-C to the main process, which ends the pool."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class Executor(Protocol):
    """Runs `function(task)` for every task and yields (task number, result) in any order."""

    def run(self, function: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[tuple[int, Any]]: ...


@dataclass(frozen=True)
class LocalExecutor:
    """This machine: in-process for one worker or one task, otherwise a pool of processes.

    With several workers, function and tasks must be picklable (a module-level function, possibly wrapped in
    `functools.partial`).
    """

    workers: int = 1

    def run(self, function: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        if self.workers <= 1 or len(tasks) <= 1:
            for number, task in enumerate(tasks):
                yield number, function(task)
            return
        # "spawn": a fork would copy the locks of threads that torch or Arrow have started.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(self.workers, len(tasks)), context, initializer=_leave_ctrl_c) as pool:
            futures = {pool.submit(function, task): number for number, task in enumerate(tasks)}
            try:
                for future in as_completed(futures):
                    yield futures[future], future.result()
            except BrokenProcessPool:
                raise RunError(
                    "a worker process died (often: out of memory); run again to go on, with fewer --workers"
                ) from None
            finally:
                for future in futures:
                    future.cancel()
