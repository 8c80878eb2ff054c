"""Programs through boxes: compiled where they have to be, several at a time."""

from __future__ import annotations

import atexit
import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import PurePosixPath
from types import TracebackType
from typing import TypeVar

from codekiln.errors import UserError
from codekiln.machine import available_cores
from codekiln.sandbox import isolation
from codekiln.sandbox.artefacts import Artefacts
from codekiln.sandbox.box import Box, Level
from codekiln.sandbox.languages import toolchain, toolchains
from codekiln.sandbox.launch import Shape, open_to_all
from codekiln.sandbox.program import MB, Execution, Limits, Program
from codekiln.sandbox.step import Step
from codekiln.sandbox.toolchain import Files, Toolchain
from codekiln.sandbox.turns import Turns
from codekiln.sandbox.warm import warm_folder

Item = TypeVar("Item")
Result = TypeVar("Result")
#: Bytes that a compiler's results may have.
_KEPT = 256 * MB


class Sandbox:
    """Boxes, started when they are needed and used again; threads may share it, forked processes may not.

    Attributes:
        level: how programs are isolated, the same for all of them.
        shared: whether programs are another user's and see this machine's own folders, which must be open to it.
    """

    def __init__(
        self,
        workers: int = 1,
        isolation_level: str = "auto",
        folders: Sequence[str] = (),
        packages: Sequence[str] = (),
        preload: Sequence[str] = (),
        artefacts: Artefacts | None = None,
    ) -> None:
        """Find out how programs can be isolated here.

        Args:
            workers: boxes, that is programs at a time.
            isolation_level: "auto" for the best that this machine can, or one of "A", "B", "C", "none".
            folders: further folders that programs may read.
            packages: folders of Python packages that programs may import.
            preload: Python modules that are loaded before programs start.

        Raises:
            UserError: the level is not to be had here, or none is.
        """
        if workers < 1:
            raise UserError(f"a sandbox of {workers} workers runs nothing: give 1 or more")
        self.level: Level = isolation.choose(isolation_level)
        self.shared = self.level in ("C", "none") and os.getuid() == 0
        warm = warm_folder()
        self._warm = warm.is_dir() and not (self.shared and not open_to_all(str(warm)))
        self.workers = workers
        self._artefacts = artefacts or Artefacts()
        self._folders, self._packages, self._preload = tuple(folders), tuple(packages), tuple(preload)
        self._process = os.getpid()
        self._turns = Turns()
        self._places: queue.LifoQueue[dict[int, Box]] = queue.LifoQueue()
        for _ in range(workers):
            self._places.put({})
        self._all: list[dict[int, Box]] = list(self._places.queue)

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all boxes; programs that are running end as `sandbox_error`."""
        if os.getpid() != self._process:
            return
        for boxes in self._all:
            for box in list(boxes.values()):
                box.close()
            boxes.clear()

    def run(self, program: Program) -> Execution:
        """Compile a program where its language asks for it, run it, and tell what came of it.

        Raises UserError for a language or a path that cannot be, and for what is not installed.
        """
        ready, failed = self.compiled(program)
        return failed or self.step(ready)

    def map(self, programs: Iterable[Program]) -> Iterator[Execution]:
        """Run many, `workers` at a time; what comes of them in their order."""
        yield from self.each(self.run, programs)

    def each(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """`function` of each item, `workers` at a time, in order; no more than twice as many are taken ahead."""
        waiting: deque[Future[Result]] = deque()
        with ThreadPoolExecutor(self.workers, "sandbox") as threads:
            try:
                for item in items:
                    waiting.append(threads.submit(function, item))
                    if len(waiting) > 2 * self.workers:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for one in waiting:
                    one.cancel()

    def compiled(self, program: Program) -> tuple[Step, Execution | None]:
        """The step that runs a program, and what came of compiling it where that failed."""
        tools = toolchain(program.language)
        tools.need(self.shared)
        files, main = tools.arrange(*_checked(program))
        limits = program.limits
        if tools.compile:
            made = self._compile(program, tools, files, main)
            if isinstance(made, Execution):
                return Step(files, ()), made
            files = {**{path: files[path] for path in files if path not in made}, **made}
        words = [*tools.command(tools.run, files, main, limits.memory, limits.processes), *program.arguments]
        step = Step(
            files, words, tools.python, program.stdin, _with_own(limits, tools), tools.memory, tools.out_of_memory,
            {**tools.environment, **program.environment},
        )  # fmt: skip
        return step, None

    def step(self, step: Step, alone: bool = False) -> Execution:
        """Run one step in a free box; one that broke is replaced, and the step run once more.

        `alone` waits until no other step of this Sandbox runs, and lets none begin meanwhile.
        """
        with self._turns.alone() if alone else self._turns.beside():
            boxes = self._places.get()
            try:
                done = self._in_box(boxes, step)
                if done.status == "sandbox_error" and step.limits.disk not in boxes:
                    done = self._in_box(boxes, step)
                return done
            finally:
                self._places.put(boxes)

    def _in_box(self, boxes: dict[int, Box], step: Step) -> Execution:
        """Boxes differ by how much may be written in them: one for programs, one for compilers."""
        if os.getpid() != self._process:
            raise RuntimeError("a Sandbox cannot be used in a forked process: make another there")
        disk = step.limits.disk
        box = boxes.pop(disk, None)
        if box is None or not box.alive:
            if box:
                box.close()
            while len(boxes) > 1:
                boxes.pop(next(iter(boxes))).close()  # used longest ago
            box = Box(self.level, self._shape(disk))
        boxes[disk] = box
        done = box.run(step)
        if not box.alive:
            del boxes[disk]
        return done

    def _shape(self, disk: int) -> Shape:
        folders = [folder for one in toolchains().values() if one.found() for folder in one.folders()]
        folders += [str(warm_folder())] if self._warm else []
        return Shape(disk, [*folders, *self._folders], self._packages, self._preload)

    def _compile(
        self, program: Program, tools: Toolchain, files: Files, main: str
    ) -> dict[str, bytes] | Execution:
        """What the compiler makes of a program, or what went wrong."""
        limits = program.compile_limits
        words = tools.command(tools.compile, files, main, limits.memory, limits.processes)
        words += tools.compile_words(files, main)
        environment = dict(tools.environment)
        if self._warm:
            words += tools.warm_words(files, main)
            environment |= tools.warm_environment()
        key = self._artefacts.key(
            {"command": words, "tools": tools.version_text(), "environment": environment}, files
        )
        kept = self._artefacts.get(key)
        if kept is not None:
            return kept
        done = self.step(
            Step(
                files, words, False, b"", limits, "data", environment=environment, keep=_KEPT, kept=tools.kept
            )
        )
        if done.status == "exited" and done.exit_code == 0 and not done.detail:
            self._artefacts.put(key, done.files)
            return dict(done.files)
        if done.status == "exited":
            done = replace(done, status="compile_error", detail=done.detail)
        return replace(done, step="compile", files={})


_own: dict[int, Sandbox] = {}
_lock = threading.Lock()


def run(program: Program) -> Execution:
    """Run one program in a sandbox that this process keeps; see `Sandbox.run`."""
    with _lock:
        own = _own.get(os.getpid())
        if own is None:
            _own.clear()  # after a fork: those boxes are the other process's
            own = _own[os.getpid()] = Sandbox(available_cores())
            atexit.register(own.close)
    return own.run(program)


def _with_own(limits: Limits, tools: Toolchain) -> Limits:
    """A program's limits and what its language's runtime takes."""
    return replace(
        limits,
        memory=limits.memory + tools.own_memory,
        processes=limits.processes + tools.own_processes,
    )


def _checked(program: Program) -> tuple[Files, str]:
    """The files and the name of the main one.

    Raises UserError for a path that leads out of the folder, and for a main file that is not there.
    """
    if not program.files:
        raise UserError("a program without files cannot be run")
    files = dict(program.files)
    for path in files:
        pure = PurePosixPath(path)
        if pure.is_absolute() or ".." in pure.parts or str(pure) != path or path == "." or "\0" in path:
            raise UserError(f"{path!r}: files of a program need plain paths below its folder")
    main = program.main or next(iter(files))
    if main not in files:
        raise UserError(f"{main}: not among the program's files")
    return files, main
