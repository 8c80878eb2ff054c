"""Attacks on the sandbox: one table of declarations, run for real by `codekiln sandbox check` and by the tests."""

from __future__ import annotations

from codekiln.sandbox.attacks import disk, endings, kernel, memory, network, processes, reading
from codekiln.sandbox.attacks.attack import Attack, Row
from codekiln.sandbox.attacks.cheats import CHEATS, run_cheats
from codekiln.sandbox.attacks.running import run_attacks

#: All attacks, in the order in which they are run and told of.
ATTACKS: tuple[Attack, ...] = (
    *processes.ATTACKS, *memory.ATTACKS, *disk.ATTACKS, *network.ATTACKS, *reading.ATTACKS, *kernel.ATTACKS,
    *endings.ATTACKS,
)  # fmt: skip

__all__ = ["ATTACKS", "CHEATS", "Attack", "Row", "run_attacks", "run_cheats"]
