"""Ray runs the tasks: a Ray of this process's own on this machine, or a cluster, sharing a file system or an address for shards."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from codekiln.errors import CodekilnError, RunError, UserError, WorkerDied, one_line
from codekiln.shards import guard

#: Tasks submitted ahead for each worker: enough that none waits, few enough that a stop is quick.
_AHEAD = 3


@dataclass(frozen=True)
class RayExecutor:
    """Tasks as Ray tasks of one CPU each; a task whose worker dies is tried again three times.

    Args:
        address: `ray://HOST:PORT` or another address that Ray knows, of a cluster where codekiln is installed and
            what tasks read and write is seen under the same paths, or at addresses (`far.stored`); None starts a Ray on this machine.
        workers: CPUs of a Ray on this machine, and how many tasks are under way at once.
    """

    address: str | None = None
    workers: int = 1

    def run(
        self, function: Callable[[Any], Any], tasks: Sequence[Any], *, apart: bool = False
    ) -> Iterator[tuple[int, Any]]:
        """Yield (task number, result) as tasks end; always apart from this process.

        Raises:
            UserError: Ray is not installed, or nothing answers at the address.
            RunError: Ray did not start on this machine.
            WorkerDied: a worker died again and again; and whatever of codekiln's own errors a task raises.
        """
        if not tasks:
            return
        ray = _connected(self.address, self.workers)
        remote = ray.remote(max_retries=3)(_quiet_call)
        shared = ray.put(function)
        numbers: dict[Any, int] = {}
        waiting = iter(enumerate(tasks))
        at_once = _AHEAD * max(self.workers, int(ray.cluster_resources().get("CPU", 1)))
        try:
            while True:
                while len(numbers) < at_once and (following := next(waiting, None)) is not None:
                    numbers[remote.remote(shared, following[1])] = following[0]
                if not numbers:
                    return
                ended, _ = ray.wait(list(numbers), num_returns=1)
                number = numbers.pop(ended[0])
                yield number, _result(ray, ended[0])
        finally:
            for reference in numbers:
                ray.cancel(reference, force=False)


def _quiet_call(function: Callable[[Any], Any], task: Any) -> Any:
    guard.expend()
    return function(task)


def _result(ray: Any, reference: Any) -> Any:
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, CodekilnError):
            raise error.cause from None
        raise
    except ray.exceptions.RayError as error:
        raise WorkerDied(
            f"a Ray worker died ({one_line(error)[:160]}; often: out of memory); run again to go on, with fewer --workers"
        ) from None


def _connected(address: str | None, workers: int) -> Any:
    try:
        import ray
    except ImportError:
        raise UserError("--executor ray needs Ray: pip install 'codekiln[ray]'") from None
    if ray.is_initialized():
        return ray
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    address = address or os.environ.get("RAY_ADDRESS") or None
    if address is None:
        # Workers are spread over the CPUs that this process was given, whatever the machine has.
        options |= {"address": "local", "num_cpus": workers, "include_dashboard": False}
    else:
        options["address"] = address
    try:
        ray.init(**options)
    except Exception as error:  # Ray raises plain ones, of a node that was too slow for instance
        if address is None:
            raise RunError(
                f"Ray did not start on this machine ({one_line(error)[:160]}); run again, or without --executor ray"
            ) from None
        raise UserError(
            f"no Ray could be reached at {address} ({one_line(error)[:160]}); see `ray status`"
        ) from None
    return ray
