"""What an attack is: a program that tries something, and how one tells whether it was held."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from codekiln.sandbox.program import MB, Execution, Limits, Status
from codekiln.sandbox.step import Memory

#: Small, so that a bomb that is not held shows before it hurts.
SMALL = Limits(wall=5.0, cpu=5.0, memory=256 * MB, processes=16, output=MB, disk=16 * MB)

#: "held"; "escaped": it got through; "open": it got through where it cannot be held, as is declared; "not tried":
#: what it needs is not installed.
State = Literal["held", "escaped", "open", "not tried"]


@dataclass(frozen=True)
class Seen:
    """What the harness saw of an attack, from outside.

    Attributes:
        processes: most processes and threads of the box at a time, its own one left out.
        memory: most bytes of memory that they had for themselves, all together.
        wall: seconds until the box answered.
    """

    done: Execution
    limits: Limits
    processes: int
    memory: int
    wall: float


def nothing(seen: Seen) -> str:
    """For attacks where what is checked after every attack says all."""
    return ""


@dataclass(frozen=True)
class Attack:
    """One attack.

    A program says THROUGH and what, for each thing that it reached, and TRIED at its end; whether it did, what the
    harness sees of it and of its own processes, files and sockets, and whether the box runs an honest program
    afterwards with nothing left of this one, decide. See `running.py`.

    Attributes:
        tries: what it does, in a few words.
        told_by: how one tells that it was held, beside what is checked after every attack.
        code: the program; `from tool import *` comes before it where it is Python, `tried()` after it.
        language: "python", "c++", "javascript" or "shell".
        files: further files.
        ends: how it may end.
        check: from outside; what got through, or "".
        open_at: level -> why it cannot be held there.
        quick: it takes less than half a second.
        before: a Python program that runs before it in the same box.
        memory: which limit its processes bear.
        keep: bytes of new files that are taken out afterwards.
        needs: a program without which it cannot be tried.
    """

    name: str
    tries: str
    told_by: str
    code: str
    language: Literal["python", "c++", "javascript", "shell"] = "python"
    files: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = SMALL
    ends: Sequence[Status] = ("exited",)
    check: Callable[[Seen], str] = nothing
    open_at: Mapping[str, str] = field(default_factory=dict)
    quick: bool = True
    before: str = ""
    memory: Memory = "address"
    keep: int = 0


@dataclass(frozen=True)
class Row:
    """What came of an attack at a level."""

    attack: str
    level: str
    state: State
    detail: str
    seconds: float

    def document(self) -> dict[str, Any]:
        return {
            "attack": self.attack,
            "level": self.level,
            "state": self.state,
            "detail": self.detail,
            "seconds": round(self.seconds, 3),
        }
