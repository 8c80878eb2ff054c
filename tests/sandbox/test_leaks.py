"""Nothing accumulates, however many programs ran, and nothing stays of a harness that was killed."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from codekiln.sandbox import Limits, Program, Sandbox
from codekiln.sandbox.attacks.checking import LEVELS
from codekiln.sandbox.attacks.watch import began, below, starter
from codekiln.sandbox.box import Box, Level
from codekiln.sandbox.isolation import why_not
from codekiln.sandbox.launch import Shape
from codekiln.sandbox.program import MB

_LIMITS = Limits(wall=5.0, cpu=5.0, memory=256 * MB, processes=16, output=100_000, disk=16 * MB)
#: What programs do, in turn, and how they end: honest ones, and some that leave what they can.
_MIXED = (
    ("print(6 * 7)", "exited"),
    ("import sys; print(sum(map(int, sys.stdin)))", "exited"),
    ("1 / 0", "exited"),
    ("import os; os._exit(7)", "exited"),
    ("import os\nif os.fork() == 0:\n  os.setsid()\n  while True: pass", "exited"),
    ("x = bytearray(1 << 30)", "memory_limit"),
    ("import os\nwhile True: os.write(1, b'x' * 65536)", "output_limit"),
    ("import os\nos.makedirs('a/b'); os.symlink('/', 'a/l'); open('a/f', 'w').write('x' * 100000); os.chmod('a', 0)", "exited"),
    ("import os\nos.kill(os.getpid(), 9)", "signalled"),
    ("import socket\nheld = [socket.socketpair() for _ in range(50)]\nopen('/proc/self/fd/1', 'w').write('x')", "exited"),
    ("import os, sys\nsys.setrecursionlimit(10 ** 5)\nf = lambda: f()\ntry: f()\nexcept RecursionError: pass", None),
    ("import json, random, re, unittest; print(len(json.dumps([random.random() for _ in range(99)])) > 9)", "exited"),
)  # fmt: skip


def programs(count: int) -> Iterator[Program]:
    for number in range(count):
        code, _ = _MIXED[number % len(_MIXED)]
        yield Program("python", {"main.py": code.encode()}, stdin=b"1\n2\n", limits=_LIMITS)


def run_mixed(sandbox: Sandbox, count: int) -> None:
    for number, done in enumerate(sandbox.map(programs(count))):
        _, expected = _MIXED[number % len(_MIXED)]
        assert expected is None or done.status == expected, (number, done)


def starters(sandbox: Sandbox) -> list[tuple[Box, int]]:
    """Boxes, and of each the process that starts its programs."""
    boxes = [box for place in sandbox._all for box in place.values()]
    return [(box, starter(box.process)) for box in boxes]


def counted(sandbox: Sandbox) -> dict[str, object]:
    """All that could accumulate, of this process, of the boxes and of the machine."""
    gc.collect()
    user = os.getuid() == 0
    boxes = starters(sandbox)
    return {
        "boxes": sorted(pid for _, pid in boxes),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "mounts": len(Path("/proc/self/mountinfo").read_text().splitlines()),
        "processes": [len(below(box.process, box.user if user else 0)) for box, _ in boxes],
        "their descriptors": [len(os.listdir(f"/proc/{pid}/fd")) if user else 0 for _, pid in boxes],
        "their mounts": [
            len(Path(f"/proc/{pid}/mountinfo").read_text().splitlines()) if user and box.level != "C" else 0
            for box, pid in boxes
        ],
        "folders": len(locked_by(os.getpid())),
        "groups": [str(path) for path in groups() if f"-{os.getpid()}-" in path.name],
    }


def groups() -> list[Path]:
    root = Path("/sys/fs/cgroup")
    found = [*root.glob("codekiln-*"), *root.glob("pids/codekiln-*"), *root.glob("memory/**/codekiln-*")]
    return sorted(set(found))


def resident(pid: int) -> int:
    """Bytes of memory of a process that no file holds."""
    _, all_of_it, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
    return (int(all_of_it) - int(shared)) * os.sysconf("SC_PAGE_SIZE")


def leaks(level: Level, count: int) -> None:
    with Sandbox(2, level) as sandbox:
        run_mixed(sandbox, 6 * len(_MIXED))
        time.sleep(0.2)  # what waits for the next program is there then
        before, boxes = counted(sandbox), starters(sandbox)
        own, theirs = resident(os.getpid()), [resident(pid) for _, pid in boxes]
        run_mixed(sandbox, count)
        patience = time.monotonic() + 2
        while counted(sandbox) != before and time.monotonic() < patience:
            time.sleep(0.02)
        assert counted(sandbox) == before
        assert resident(os.getpid()) - own < 8 * MB
        for (_, pid), size in zip(boxes, theirs, strict=True):
            assert resident(pid) - size < 2 * MB
        processes = [box.process for box, _ in boxes]
    assert not any(Path(f"/proc/{pid}").exists() for pid in processes)


@pytest.fixture
def best() -> Level:
    level = next((level for level in LEVELS if not why_not(level)), None)
    if level is None:
        pytest.skip(f"programs cannot be isolated here: {why_not('B')}")
    return level


def test_nothing_is_left_of_three_hundred_programs(best: Level) -> None:
    leaks(best, 300)


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
def test_nothing_is_left_of_ten_thousand_programs(level: Level) -> None:
    if reason := why_not(level):
        pytest.skip(f"isolation {level} is not to be had here: {reason}")
    leaks(level, 10_000 if level == "A" else 2_000)


_HARNESS = """
import sys
from codekiln.sandbox import Program, Sandbox
level, count = sys.argv[1], int(sys.argv[2])
with Sandbox(1, level) as sandbox:
    for number in range(count):
        done = sandbox.run(Program("python", {"main.py": b"print(%d)" % number}))
        assert done.stdout == b"%d\\n" % number, done
    if len(sys.argv) > 3:
        print("ready", flush=True)
        code = b"import os\\nwhile True:\\n  try: os.fork()\\n  except OSError: open('left', 'w').write('x')"
        sandbox.run(Program("python", {"main.py": code}))
print("done")
"""


@pytest.mark.parametrize("level", ["best", "C"])
def test_one_of_four_harnesses_is_killed(level: Level, best: Level) -> None:
    level = best if level == "best" else level
    if reason := why_not(level):
        pytest.skip(f"isolation {level} is not to be had here: {reason}")
    own = Path(__file__).parents[2] / "src"
    environment = {**os.environ, "PYTHONPATH": str(own)}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _HARNESS, level, "40", *(["bomb"] if number == 0 else [])],
            env=environment, stdout=subprocess.PIPE, text=True,
        )
        for number in range(4)
    ]  # fmt: skip
    victim, others = started[0], started[1:]
    assert victim.stdout is not None
    assert victim.stdout.readline() == "ready\n"
    time.sleep(0.3)
    doomed = {pid: began(pid) for pid in below(victim.pid, 0)}
    assert len(doomed) > 3
    folders = locked_by(victim.pid)
    assert bool(folders) == (level == "C")
    victim.send_signal(signal.SIGKILL)
    victim.communicate()
    for one in others:
        assert one.communicate(timeout=60)[0] == "done\n"
    patience = time.monotonic() + 10
    while any(lives(pid, when) for pid, when in doomed.items()) and time.monotonic() < patience:
        time.sleep(0.02)
    assert [pid for pid, when in doomed.items() if lives(pid, when)] == []
    with Box(level, Shape(16 * MB)):  # the next box removes what the kernel does not
        pass
    assert not [path for path in folders if path.exists()]
    assert not [path for path in groups() if f"-{victim.pid}-" in path.name]


def locked_by(pid: int) -> list[Path]:
    """The folders of boxes that a process holds."""
    locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    inodes = {int(words[5].rpartition(":")[2]) for words in locks if words[4] == str(pid)}
    found = []
    for path in Path("/tmp").glob("codekiln-box-*"):
        with contextlib.suppress(OSError):  # another's, removed meanwhile
            if path.stat().st_ino in inodes:
                found.append(path)
    return found


def lives(pid: int, when: float) -> bool:
    """Whether a process is still there, and the one that began then."""
    with contextlib.suppress(OSError):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state not in "ZX" and began(pid) == when
    return False
