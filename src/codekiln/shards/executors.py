"""Executors run a function over tasks; which one never changes the result."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

from codekiln.errors import UserError, WorkerDied
from codekiln.shards import guard


def _start_worker() -> None:
    """A worker leaves Ctrl-C to the main process, which ends the pool, and ends itself when that one is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)
    guard.expend()
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    # Nothing else tells: a pool's worker whose main process was killed waits for tasks forever, or goes on
    # writing where the next run has begun.
    parent.join()
    os._exit(1)


_HELD = {signal.SIGINT, signal.SIGTERM}


@contextmanager
def _signals_held() -> Iterator[None]:
    """Hold back Ctrl-C and SIGTERM while workers are started: one that is left half-started complains aloud."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # Started by the first worker otherwise; its start would let the signals through again.
    resource_tracker.ensure_running()
    heard: list[int] = []
    # The mask is for the workers, which inherit it; another thread of this process (Arrow's) still hears the signal.
    handlers = {number: signal.signal(number, lambda caught, _: heard.append(caught)) for number in _HELD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for caught in sorted(set(heard)):
            signal.raise_signal(caught)


class Executor(Protocol):
    """Runs `function(task)` for every task and yields (task number, result) in any order.

    `apart`: never in this process, so that a task that kills its process leaves this one alive.
    """

    def run(
        self, function: Callable[[Any], Any], tasks: Sequence[Any], *, apart: bool = False
    ) -> Iterator[tuple[int, Any]]: ...


@dataclass(frozen=True)
class LocalExecutor:
    """This machine: in-process for one worker or one task, otherwise a pool of processes.

    With several workers, function and tasks must be picklable (a module-level function, possibly wrapped in
    `functools.partial`).
    """

    workers: int = 1

    def run(
        self, function: Callable[[Any], Any], tasks: Sequence[Any], *, apart: bool = False
    ) -> Iterator[tuple[int, Any]]:
        """Yield (task number, result) as tasks end.

        Raises:
            WorkerDied: a process of the pool died; what was not yielded is not done.
        """
        if not apart and (self.workers <= 1 or len(tasks) <= 1):
            for number, task in enumerate(tasks):
                yield number, function(task)
            return
        # "spawn": a fork would copy the locks of threads that torch or Arrow have started.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(
            max(1, min(self.workers, len(tasks))), context, initializer=_start_worker
        ) as pool:
            futures: dict[Future[Any], int] = {}
            try:
                with _signals_held():
                    for number, task in enumerate(tasks):
                        futures[pool.submit(function, task)] = number
                for future in as_completed(futures):
                    yield futures[future], future.result()
            except BrokenProcessPool:
                # The pool waits for ever for a worker that it started just when another one died.
                for child in multiprocessing.active_children():
                    child.terminate()
                raise WorkerDied(
                    "a worker process died (often: out of memory); run again to go on, with fewer --workers"
                ) from None
            finally:
                for future in futures:
                    future.cancel()


def choose(name: str, workers: int) -> Executor:
    """The executor of a name: `local`, `ray` (on this machine, or at RAY_ADDRESS) or an address, `ray://HOST:PORT`.

    Raises:
        UserError: there is no such executor.
    """
    if name == "local":
        return LocalExecutor(workers)
    if name == "ray" or name.startswith("ray://"):
        from codekiln.shards.ray_executor import RayExecutor

        return RayExecutor(None if name == "ray" else name, workers)
    raise UserError(f"--executor {name}: unknown; choose local, ray or ray://HOST:PORT")
