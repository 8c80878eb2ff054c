"""What is run, under which limits, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from codekiln.errors import UserError

#: How a run ended. Whether what it did is right is another question: see verdicts.
Status = Literal[
    "exited", "signalled", "compile_error", "timeout", "memory_limit", "output_limit", "sandbox_error"
]
MB = 1024**2


@dataclass(frozen=True)
class Limits:
    """What a program may use.

    Attributes:
        wall: seconds by the clock, for all of it.
        cpu: seconds of processor time of each process.
        memory: bytes; of each process, and of all together where the level of isolation can ("A").
        processes: processes and threads at a time, beside those that the language's own runtime starts.
        output: bytes of stdout, and of stderr; a program that writes more is ended.
        disk: bytes that it may write, in each of its folders and in shared memory.
    """

    wall: float = 10.0
    cpu: float = 10.0
    memory: int = 1024 * MB
    processes: int = 32
    output: int = 4 * MB
    disk: int = 64 * MB

    def __post_init__(self) -> None:
        """Raise UserError for what is no limit."""
        for name in ("wall", "cpu", "memory", "processes", "output", "disk"):
            value = getattr(self, name)
            kinds = (int, float) if name in ("wall", "cpu") else int
            if isinstance(value, bool) or not isinstance(value, kinds) or not 0 < value < 2**62:
                raise UserError(
                    f"limit {name}: {value!r} is no positive {'number' if name in ('wall', 'cpu') else 'whole number'}"
                )


#: Compilers take more than what they compile.
COMPILE_LIMITS = Limits(wall=60.0, cpu=60.0, memory=4096 * MB, processes=64, output=MB, disk=256 * MB)


@dataclass(frozen=True)
class Program:
    """Source files and how to run them, in an empty folder that nothing else uses.

    Attributes:
        language: one of `languages.names()`.
        files: relative path -> content; the first is the one that is run, unless `main` names another.
        arguments: what the program gets on its command line.
        environment: all that it sees of variables, beside PATH, HOME and LANG.
        compile_limits: of the compiler, in languages that have one.
    """

    language: str
    files: Mapping[str, bytes]
    main: str = ""
    stdin: bytes = b""
    arguments: Sequence[str] = ()
    limits: Limits = Limits()
    compile_limits: Limits = COMPILE_LIMITS
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Execution:
    """What came of a run.

    Attributes:
        exit_code: None unless it exited; signal: None unless it was signalled.
        stdout, stderr: what it wrote; of more than the limit the first and the last half (`truncated`).
        wall_s, cpu_s: seconds of the step that ended it; of processor time those of all its processes.
        peak_memory_mb: largest resident size of one of its processes, in 2 ** 20 bytes.
        isolation: level under which it ran, "A" to "C", or "none".
        step: which step ended it, "compile" or "run".
        detail: of a sandbox_error, what went wrong.
        files: what a compiler made, relative path -> content; empty for programs.
        said: what was written to the program's channel.
    """

    status: Status
    exit_code: int | None = None
    signal: int | None = None
    stdout: bytes = b""
    stderr: bytes = b""
    truncated: bool = False
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_memory_mb: float = 0.0
    isolation: str = ""
    step: Literal["compile", "run"] = "run"
    detail: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    said: bytes = field(default=b"", repr=False)

    def document(self) -> dict[str, Any]:
        """As JSON has it; bytes that are not UTF-8 are replaced."""
        return {
            "status": self.status,
            "exit_code": self.exit_code,
            "signal": self.signal,
            "stdout": self.stdout.decode("utf-8", "replace"),
            "stderr": self.stderr.decode("utf-8", "replace"),
            "truncated": self.truncated,
            "wall_s": round(self.wall_s, 4),
            "cpu_s": round(self.cpu_s, 4),
            "peak_memory_mb": round(self.peak_memory_mb, 1),
            "isolation": self.isolation,
            "step": self.step,
            "detail": self.detail,
        }
