"""One command over files: what a box runs. A program is one step, or two where it is compiled."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from codekiln.sandbox.program import Limits

#: What RLIMIT bounds a process's memory: the address space, or (for runtimes that reserve far more than they use) what
#: it can write to.
Memory = Literal["address", "data"]
#: Of its limit: with so much resident, what a program asked for last was refused.
_ALL_BUT = 0.9


@dataclass(frozen=True)
class Step:
    """A command in an empty folder with these files.

    Attributes:
        command: words; where `python`, the name of a file that a warm interpreter runs, and its arguments.
        out_of_memory: what stderr's end holds where it failed because memory ran out.
        keep: bytes of new files that are taken out of the folder afterwards, 0 for none.
        kept: patterns of their names; none for all of them.
        channel: gives the program two more descriptors: 3, to read this from, and 4, for what `Execution.said` is then.
        judge: run `inside/trial.py`'s judge in a process beside the program, which then is one of functions that the
            judge calls; the channel is the judge's alone, as its descriptors 4 and 5.
        hidden: close the program's own memory to its files in /proc.
    """

    files: Mapping[str, bytes]
    command: Sequence[str]
    python: bool = False
    stdin: bytes = b""
    limits: Limits = field(default_factory=Limits)
    memory: Memory = "address"
    out_of_memory: Sequence[bytes] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    keep: int = 0
    kept: Sequence[str] = ()
    channel: bytes | None = None
    judge: bool = False
    hidden: bool = False


def ran_out(step: Step, code: int, peak: int, said: bytes) -> bool:
    """Whether a failure is one of memory: its runtime says so, or it broke off with its memory all but used.

    What C makes of a null pointer is no message but a signal.

    Args:
        code: exit code, or a signal's number below zero.
        peak: largest resident size, in bytes.
    """
    if any(sign in part for sign in step.out_of_memory for part in (said[:4000], said[-4000:])):
        return True
    return -code in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS) and peak > _ALL_BUT * step.limits.memory
