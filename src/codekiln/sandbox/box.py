"""A box: a process that starts one program after another, held by what the level of isolation gives.

A program sees a read-only system (the toolchains' folders), a work folder that is empty but for its files, and nothing
else of this machine: no network, no other processes, no environment.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import struct
import time
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Literal

from codekiln.errors import RunError, UserError, one_line
from codekiln.sandbox import launch, rlimits
from codekiln.sandbox.groups import Group, new_group
from codekiln.sandbox.program import MB, Execution, Status
from codekiln.sandbox.step import Step, ran_out
from codekiln.sandbox.streams import Sink

Level = Literal["A", "B", "C", "none"]
#: Seconds beyond a program's own limit after which its box is not answering.
_PATIENCE = 10.0


class Box:
    """One box; not to be shared by threads.

    Attributes:
        level: "A" bubblewrap and control groups, "B" bubblewrap, "C" Landlock and a filter of system calls, "none" only
            limits and another user.
    """

    def __init__(self, level: Level, shape: launch.Shape) -> None:
        """Start a box of exactly this level.

        Raises:
            UserError: what the level needs is not installed.
            RunError: it does not start.
        """
        self.level = level
        self._group: Group | None = None
        if level == "A":
            self._group = new_group()
            if self._group is None:
                raise UserError("no control group can be made here: use --isolation B")
        try:
            if level in ("A", "B"):
                self._started = launch.in_bubblewrap(shape, self._group)
            else:
                self._started = launch.bare(shape, confined=level == "C")
        except BaseException:
            if self._group:
                self._group.remove()
            raise
        self._process, self._connection, self._held = self._started.process, self._started.connection, b""
        self._connection.settimeout(_PATIENCE)
        if self._line() != b"ready":
            complaint = self._complaint()
            self.close()
            raise RunError(
                f"the sandbox does not start at level {level} ({complaint}); see `codekiln sandbox check`"
            )

    def __enter__(self) -> Box:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def user(self) -> int:
        """The number of the user that programs run as."""
        return self._started.user or os.getuid()

    @property
    def process(self) -> int:
        """The process that holds everything of this box below it."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        """End the box and everything in it."""
        self._connection.close()
        if self.level in ("A", "B"):
            self._process.kill()  # the kernel ends all that is in a PID namespace with its PID 1
        try:
            self._process.wait(
                _PATIENCE
            )  # without namespaces it ends by itself, once nothing of a program is left
        except Exception:
            self._process.kill()
        self._process.wait()
        if self._process.stderr:
            self._process.stderr.close()
        for one in self._started.held:
            one.close()
        if self._started.folder:
            self._started.folder.close()
        if self._group:
            self._group.remove()

    def run(self, step: Step) -> Execution:
        """Run a step to its end; nothing of it is left then but what the answer holds."""
        kills = 0
        if self._group:
            try:
                self._group.limit(step.limits.memory, step.limits.processes * (1 + bool(step.judge)))
                kills = self._group.kills()
            except OSError as error:
                return self._broken(f"its control group: {error}")
        sinks = [Sink(step.limits.output) for _ in range(2)]
        words = json.dumps({"command": list(step.command), "environment": dict(step.environment)}).encode()
        given = [_memory("files", b"".join([*step.files.values(), words])), _memory("stdin", step.stdin)]
        given += [sink.inlet for sink in sinks]
        if step.channel is not None:
            sinks.append(Sink(MB))
            given += [_memory("channel", step.channel), sinks[-1].inlet]
        try:
            try:
                self._send(step, len(words), given)
            except OSError:
                return self._broken("it has ended")
            finally:
                for one in given:
                    os.close(one)
            done = self._outcome(step, sinks)
        except BaseException:
            self.close()  # its answer is still to come, and would be taken for the next one's
            raise
        finally:
            for sink in sinks:
                sink.close()
        if self._group and self.alive and self._group.kills() > kills:
            done = replace(done, status="memory_limit")
        return replace(done, isolation=self.level)

    def _send(self, step: Step, words: int, descriptors: list[int]) -> None:
        limits = step.limits
        header = {
            "words": words,
            "python": step.python,
            "judge": step.judge,
            "hidden": step.hidden,
            "keep": step.keep,
            "kept": list(step.kept),
            "wall": limits.wall,
            "files": [[path, len(content)] for path, content in step.files.items()],
            "rlimits": rlimits.of_step(step, self._processes(limits.processes)),
        }
        told = json.dumps(header).encode()
        socket.send_fds(self._connection, [b"r"], descriptors)
        self._connection.sendall(struct.pack("<Q", len(told)) + told)

    def _processes(self, limit: int) -> int:
        """What RLIMIT_NPROC has to be: it counts all processes of a user."""
        if self._started.user or self.level in ("A", "B"):
            return limit
        own, found = os.getuid(), 0
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    if os.stat(f"/proc/{name}").st_uid == own:
                        found += len(os.listdir(f"/proc/{name}/task"))
                except OSError:
                    continue  # it has ended
        return found + limit

    def _outcome(self, step: Step, sinks: list[Sink]) -> Execution:
        limits, flooded = step.limits, False
        deadline, late = time.monotonic() + limits.wall + _PATIENCE / 2, False
        answer: dict[str, Any] | None = None
        with selectors.DefaultSelector() as selector:
            selector.register(self._connection, selectors.EVENT_READ)
            for sink in sinks:
                selector.register(sink.outlet, selectors.EVENT_READ, sink)
            while answer is None or any(sink.open for sink in sinks):
                # All who hold the other ends are gone when there is an answer.
                ready = selector.select(max(0.0, deadline - time.monotonic()) if answer is None else 0.5)
                if not ready:
                    if answer is not None:
                        break
                    if late:
                        return self._broken("it does not answer")
                    # The machine itself may have stood still, as virtual ones do: the box has its turn first.
                    deadline, late = time.monotonic() + _PATIENCE / 2, True
                for key, _ in ready:
                    if key.fileobj is self._connection:
                        line = self._line()
                        if not line:
                            return self._broken("it has ended")
                        answer = json.loads(line)
                        selector.unregister(self._connection)
                    elif not key.data.read():
                        selector.unregister(key.data.outlet)
                        key.data.open = False
                if not flooded and answer is None and any(sink.full for sink in sinks):
                    flooded = True
                    with suppress(OSError):  # that it has ended is told when it is read from
                        self._connection.sendall(b"k")
        if "error" in answer:
            return Execution("sandbox_error", detail=answer["error"])
        try:
            made = {path: self._bytes(length) for path, length in answer["files"]}
        except OSError:
            return self._broken("it has ended")
        return _told(answer, sinks, step, made)

    def _line(self) -> bytes:
        """The next line of the process inside, b"" where it is gone."""
        try:
            while b"\n" not in self._held:
                part = self._connection.recv(65536)
                if not part:
                    return b""
                self._held += part
        except OSError:
            return b""
        line, _, self._held = self._held.partition(b"\n")
        return line

    def _bytes(self, length: int) -> bytes:
        parts = [self._held[:length]]
        self._held = self._held[length:]
        length -= len(parts[0])
        while length:
            part = self._connection.recv(min(length, 1 << 20))
            if not part:
                raise OSError("the connection has ended")
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def _broken(self, why: str) -> Execution:
        self.close()
        return Execution("sandbox_error", isolation=self.level, detail=why)

    def _complaint(self) -> str:
        self._process.kill()
        _, said = self._process.communicate()
        lines = said.decode("utf-8", "replace").strip().splitlines()
        return one_line(lines[-1])[:200] if lines else f"exit code {self._process.returncode}"


def _memory(name: str, content: bytes) -> int:
    """A read-only descriptor of content in memory."""
    made = os.memfd_create(name, os.MFD_CLOEXEC)
    try:
        with open(made, "wb", closefd=False) as stream:
            stream.write(content)
        return os.open(f"/proc/self/fd/{made}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(made)


def _told(answer: dict[str, Any], sinks: list[Sink], step: Step, made: dict[str, bytes]) -> Execution:
    cpu = step.limits.cpu
    code = os.waitstatus_to_exitcode(answer["status"])
    status: Status = "exited" if code >= 0 else "signalled"
    flooded = any(sink.full for sink in sinks)
    if flooded:
        status = "output_limit"
    elif (
        answer["ended"] == "timeout"
        or -code == signal.SIGXCPU
        or (code == -signal.SIGKILL and answer["cpu"] >= cpu)
        # Of a program with a judge: how it ended itself.
        or -os.waitstatus_to_exitcode(answer["program"]) == signal.SIGXCPU
    ):
        status = "timeout"
    elif code != 0 and ran_out(step, code, answer["peak"] * 1024, sinks[1].kept()):
        status = "memory_limit"
    exited = status in ("exited", "memory_limit", "output_limit") and code >= 0
    return Execution(
        status,
        code if exited else None,
        -code if code < 0 else None,
        stdout=sinks[0].kept(),
        stderr=sinks[1].kept(),
        truncated=flooded,
        wall_s=answer["wall"],
        cpu_s=answer["cpu"],
        peak_memory_mb=answer["peak"] / 1024,
        detail=answer["problem"],
        files=made,
        said=sinks[2].kept() if len(sinks) > 2 else b"",
    )
