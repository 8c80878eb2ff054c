"""What a box's programs take while they run, read from /proc of this machine."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType

#: Seconds between looks.
_EVERY = 0.02
_PAGE = os.sysconf("SC_PAGE_SIZE")


def below(process: int, user: int) -> list[int]:
    """Processes that descend from one, and all that run as `user` (0 for nobody)."""
    parents: dict[int, list[int]] = {}
    found: set[int] = set()
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            stat = _stat(int(name))
            if user and os.stat(f"/proc/{name}").st_uid == user:
                found.add(int(name))
        except OSError:
            continue  # it has ended
        parents.setdefault(int(stat[1]), []).append(int(name))
    waiting = [process]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found.update(children)
        waiting += children
    return sorted(found)


def starter(process: int) -> int:
    """The process that starts a box's programs, of the one that holds it: its child, or without namespaces itself."""
    name = Path(f"/proc/{process}/comm").read_text().strip()
    if name != "bwrap":
        return process
    children = [one for one in below(process, 0) if _stat(one)[1] == str(process)]
    return children[0] if children else process


def began(process: int) -> float:
    """When a process began, in seconds since the machine did; infinity where it has ended."""
    try:
        return int(_stat(process)[19]) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return float("inf")


def _stat(process: int) -> list[str]:
    """What the kernel tells of a process, from its state on."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def _private(process: int) -> int:
    """Bytes of memory of a process that no file holds."""
    _, resident, shared, *_ = Path(f"/proc/{process}/statm").read_text().split()
    return (int(resident) - int(shared)) * _PAGE


class Watch:
    """Looks again and again, in a thread, until it is left; a context.

    Attributes:
        processes: most at a time, threads counted, without those that were there before.
        memory: most bytes at a time that they had beside what they began with.
    """

    def __init__(self, process: int, user: int) -> None:
        self.processes = self.memory = 0
        self._process, self._user = process, user
        self._known = set(below(process, user))
        self._own = max((_private(one) for one in self._known), default=0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(_EVERY):
            count = memory = 0
            for one in below(self._process, self._user):
                if one in self._known:
                    continue
                try:
                    count += len(os.listdir(f"/proc/{one}/task"))
                    memory += max(0, _private(one) - self._own)
                except OSError:
                    continue
            self.processes, self.memory = max(self.processes, count), max(self.memory, memory)
