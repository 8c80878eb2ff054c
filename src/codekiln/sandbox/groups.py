"""Control groups of a box: how much memory and how many processes all that is in it may take, whatever each one takes."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
#: Bytes of the box's own Python, beside what a program may take.
_OWN = 64 * 1024**2


@dataclass
class Group:
    """The folders of one group: one in version 2, one a controller in version 1.

    `memory` and `pids` may be the same.
    """

    memory: Path
    pids: Path
    _limits: tuple[int, int] = (0, 0)
    _events: int = -1

    @property
    def _unified(self) -> bool:
        return self.memory == self.pids

    def add(self, pid: int) -> None:
        """Put a process into the group; what it starts from now on is in it too."""
        for folder in {self.memory, self.pids}:
            (folder / "cgroup.procs").write_text(str(pid))

    def limit(self, memory: int, processes: int) -> None:
        """Limit what a program that is about to start may take, in bytes and in processes."""
        if (memory, processes) == self._limits:
            return
        name = "memory.max" if self._unified else "memory.limit_in_bytes"
        (self.memory / name).write_text(str(memory + _OWN))
        (self.pids / "pids.max").write_text(str(processes + 3))
        self._limits = (memory, processes)

    def keep_in_memory(self) -> None:
        """Let nothing of it go to where the limit of memory does not count."""
        file = self.memory / ("memory.swap.max" if self._unified else "memory.swappiness")
        if file.exists():  # a kernel without swap has neither
            file.write_text("0")

    def kills(self) -> int:
        """How many processes were ended so far because the group's memory was full."""
        if self._events < 0:
            name = "memory.events" if self._unified else "memory.oom_control"
            self._events = os.open(self.memory / name, os.O_RDONLY | os.O_CLOEXEC)
        for line in os.pread(self._events, 4096, 0).splitlines():
            name, _, value = line.decode().partition(" ")
            if name == "oom_kill":
                return int(value)
        return 0

    def remove(self) -> None:
        """Remove the group; its processes have been killed, and are given a second to be gone."""
        if self._events >= 0:
            os.close(self._events)
            self._events = -1
        for folder in {self.memory, self.pids}:
            for _ in range(200):
                try:
                    folder.rmdir()
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.005)


def new_group() -> Group | None:
    """A group below that of this process; None where none can be made."""
    name = f"codekiln-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    own = _own_groups()
    places = [own[""]] * 2 if "" in own and _has(own[""], "memory", "pids") else None
    if places is None and {"memory", "pids"} <= set(own):
        places = [own["memory"], own["pids"]]
    if places is None:
        return None
    for place in set(places):
        _sweep(place)
    group = Group(places[0] / name, places[1] / name)
    try:
        for folder in (group.memory, group.pids):
            folder.mkdir(exist_ok=True)
        group.limit(1024**3, 64)
        group.keep_in_memory()
        group.kills()
    except OSError:
        group.remove()
        return None
    return group


def _sweep(place: Path) -> None:
    """Remove the groups of processes that were ended before they could; those that hold a process stay."""
    for folder in place.glob("codekiln-*-*"):
        pid = folder.name.split("-")[1]
        if pid.isdigit() and not os.path.exists(f"/proc/{pid}"):
            with contextlib.suppress(OSError):
                folder.rmdir()


def _own_groups() -> dict[str, Path]:
    """The folder of this process's group for each controller of version 1, and under "" for version 2."""
    found: dict[str, Path] = {}
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return found
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            found[""] = _ROOT / path.lstrip("/")
        for one in controllers.split(","):
            if one in ("memory", "pids"):
                found[one] = _ROOT / one / path.lstrip("/")
    return found


def _has(folder: Path, *controllers: str) -> bool:
    """Whether groups below a folder of version 2 have these controllers."""
    try:
        given = (folder / "cgroup.subtree_control").read_text().split()
    except OSError:
        return False
    return set(controllers) <= set(given)
