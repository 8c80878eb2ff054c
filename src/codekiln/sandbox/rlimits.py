"""The limits of a process, by name of the `resource` module."""

from __future__ import annotations

from math import ceil

from codekiln.sandbox.program import MB
from codekiln.sandbox.step import Step

#: Bytes of stack that a process has unless it asks for more, and of addresses that a runtime may reserve unused.
_STACK, _RESERVED = 8 * MB, 64 * 1024 * MB


def of_step(step: Step, processes: int) -> dict[str, list[int]]:
    """Name -> [soft, hard] for each process of a step; `processes` is what the user of its programs may have."""
    limits = step.limits
    seconds = max(1, ceil(limits.cpu))
    return {
        **_memory(step),
        "RLIMIT_CPU": [seconds, seconds + 1],  # a signal, then the end
        "RLIMIT_NPROC": [processes] * 2,
        "RLIMIT_FSIZE": [limits.disk] * 2,
        "RLIMIT_CORE": [
            1,
            1,
        ],  # for 0 a machine's own program for core files is called, for 1 it is not: core(5)
        "RLIMIT_NOFILE": [256, 256],
        "RLIMIT_MSGQUEUE": [0, 0],
    }


def _memory(step: Step) -> dict[str, list[int]]:
    """What it maps; or what it can write to, its stack, and (page tables are not free) what it maps, far larger."""
    size = step.limits.memory
    if step.memory == "address":
        return {"RLIMIT_AS": [size] * 2}
    return {
        "RLIMIT_DATA": [size] * 2,
        "RLIMIT_STACK": [min(size, _STACK), size],
        "RLIMIT_AS": [size + _RESERVED] * 2,
    }
