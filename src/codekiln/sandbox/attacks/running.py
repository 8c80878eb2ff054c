"""Attacks, run for real, and what is checked after each of them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from codekiln.sandbox.attacks.attack import SMALL, Attack, Row, Seen, State
from codekiln.sandbox.attacks.outside import Outside
from codekiln.sandbox.attacks.watch import Watch, began, below, starter
from codekiln.sandbox.box import Box, Level
from codekiln.sandbox.launch import Shape
from codekiln.sandbox.program import COMPILE_LIMITS, MB, Execution
from codekiln.sandbox.step import Step
from codekiln.sandbox.toolchain import located

_TOOL = Path(__file__).with_name("tool.py").read_bytes()
_COMMANDS = {"javascript": ["node", "main.js"], "shell": ["bash", "main.sh"], "c++": ["./program"]}
#: Seconds: when a process began is told no finer.
_TICK = 0.01
_COMPILER = ("g++", "-std=c++17", "-O0", "-o", "program", "main.cpp")
_NEEDED = {
    "python": ("python3", "apt-get install python3"),
    "javascript": ("node", "apt-get install nodejs"),
    "shell": ("bash", "apt-get install bash"),
    "c++": ("g++", "apt-get install g++"),
}
_ENDINGS = {"python": "py", "javascript": "js", "shell": "sh", "c++": "cpp"}
#: An honest program: it works, and tells what it finds of others.
_HONEST = b"""
import os
def at(path):
    try:
        return sorted(os.listdir(path))
    except OSError:
        return None
def lines(path):
    try:
        return len(open(path).readlines())
    except OSError:
        return None
print(6 * 7, at("."), at("/tmp"), at("/dev/shm"), lines("/proc/self/mountinfo") if at("/proc") else None,
      [lines("/proc/sysvipc/" + name) for name in ("shm", "sem", "msg")],
      [name for name in at("/proc") or () if name.isdigit() and int(name) not in (1, os.getpid())])
"""


@dataclass(frozen=True)
class _Arena:
    """A box that attacks run in, and how it was before them."""

    box: Box
    honest: bytes
    starter: int

    @property
    def user(self) -> int:
        """The user of its programs where that is theirs alone, else 0."""
        return self.box.user if self.box.user != os.getuid() else 0


def run_attacks(level: Level, attacks: Sequence[Attack]) -> Iterator[Row]:
    """Run attacks at a level, one after another in one box, and tell of each what came of it.

    Raises UserError or RunError where there is no box of this level.
    """
    arena = None
    with Outside() as outside:
        try:
            for attack in attacks:
                if missing := _missing(attack):
                    yield Row(attack.name, level, "not tried", missing, 0.0)
                    continue
                if arena is None or not arena.box.alive:
                    if arena:
                        arena.box.close()
                    arena = _arena(level)
                yield _judged(attack, arena, outside)
        finally:
            if arena:
                arena.box.close()


def _missing(attack: Attack) -> str:
    program, install = _NEEDED[attack.language]
    return "" if located(program) else f"{program} is not installed: {install}"


def _arena(level: Level) -> _Arena:
    box = Box(level, Shape(SMALL.disk))
    return _Arena(box, _honest(box), starter(box.process))


def _honest(box: Box) -> bytes:
    done = box.run(Step({"honest.py": _HONEST}, ["honest.py"], python=True))
    return done.stdout if done.status == "exited" else done.status.encode() + b" " + done.detail.encode()


def _judged(attack: Attack, arena: _Arena, outside: Outside) -> Row:
    descriptors = len(os.listdir("/proc/self/fd"))
    outside.damage()
    begun = time.monotonic()
    if attack.before:
        arena.box.run(_former(attack.before))
    with Watch(arena.box.process, arena.user) as watch:
        started = time.monotonic()
        done = _run(attack, arena.box, outside)
        wall = time.monotonic() - started
    texts = [done.stdout, done.stderr, done.said, *done.files.values()]
    found = [f"a program says: {line[8:]}" for line in _lines(done.stdout) if line.startswith("THROUGH ")]
    found += [*outside.damage(), *outside.leaked(*texts)]
    found += [attack.check(Seen(done, attack.limits, watch.processes, watch.memory, wall))]
    left = list(_left(arena))
    found += [_proved(attack, done), *left]
    if left:  # what comes next is not to be blamed for it
        arena.box.close()
    if len(os.listdir("/proc/self/fd")) > descriptors:
        found.append("descriptors of the harness are left open")
    detail = "; ".join(dict.fromkeys(one for one in found if one))
    state: State = "held"
    if detail:
        state = "open" if arena.box.level in attack.open_at else "escaped"
    return Row(attack.name, arena.box.level, state, detail, time.monotonic() - begun)


def _former(code: str) -> Step:
    """A program that runs before an attack; its words must not be there afterwards."""
    return Step(
        {"former.py": code.encode()}, ["former.py", "the-former-program-argument-here"], python=True,
        stdin=b"the-former-program-input-here", limits=SMALL,
        environment={"FORMER": "the-former-program-variable-here"},
    )  # fmt: skip


def _lines(text: bytes) -> list[str]:
    return text.decode("utf-8", "replace").splitlines()


def _proved(attack: Attack, done: Execution) -> str:
    """Why what came of it proves nothing, or ""."""
    if done.status not in attack.ends:
        last = (_lines(done.stderr) or [""])[-1]
        return f"it ended as {done.status} {done.detail} {last}".strip()
    if done.status == "exited" and "TRIED" not in _lines(done.stdout):
        return f"it ended before all was tried: {(_lines(done.stderr) or [''])[-1]}"
    return ""


def _left(arena: _Arena) -> Iterator[str]:
    """What is left of it, and whether the box still works."""
    if not arena.box.alive:
        yield "the box has ended"
        return
    begun = time.clock_gettime(time.CLOCK_BOOTTIME)
    honest = _honest(arena.box)
    if honest != arena.honest:
        yield f"an honest program afterwards: {honest.decode('utf-8', 'replace').strip()[:200]}"
    if not arena.box.alive:
        return
    # What is left stays: one that is just about to be gone on a busy machine is not there at the second look.
    if _processes(arena, begun):
        time.sleep(0.2)
        if count := _processes(arena, begun):
            yield f"{count} processes are left"


def _processes(arena: _Arena, begun: float) -> int:
    """How many processes there are that should not be."""
    found = [one for one in below(arena.box.process, arena.user) if one != arena.starter]
    left = [one for one in found if began(one) < begun - _TICK]
    # One that began after the honest program may be there: it waits for the next one.
    return len(left) or len(found) * (len(found) > 1)


def _run(attack: Attack, box: Box, outside: Outside) -> Execution:
    main = f"main.{_ENDINGS[attack.language]}"
    python = attack.language == "python"
    code = f"from tool import *\n{attack.code}\ntried()\n" if python else attack.code
    files = {
        main: code.encode(),
        "host.json": json.dumps(outside.told()).encode(),
        **{path: content.encode() for path, content in attack.files.items()},
    }
    keep = 0
    if python:
        files["tool.py"] = _TOOL
    if attack.language == "c++":
        compiled = replace(COMPILE_LIMITS, wall=20.0, cpu=20.0, memory=1024 * MB, disk=SMALL.disk)
        made = box.run(Step(files, _COMPILER, limits=compiled, memory="data", keep=16 * MB))
        if made.status != "exited" or made.exit_code != 0 or "program" not in made.files:
            failed = made.status == "exited"
            return replace(made, status="compile_error" if failed else made.status, step="compile")
        files = {"program": made.files["program"]}
    elif attack.keep:
        keep = attack.keep
    command = [main] if python else _COMMANDS[attack.language]
    return box.run(
        Step(
            files, command, python=python, limits=attack.limits, memory=attack.memory, keep=keep,
            out_of_memory=(b"MemoryError", b"bad_alloc", b"heap out of memory"),
        )
    )  # fmt: skip
