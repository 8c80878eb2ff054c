"""What is known of a machine's sandbox before it is attacked: the level, why not a higher one, versions."""

from __future__ import annotations

import ctypes
import platform
import shutil
import subprocess

from codekiln.errors import UserError
from codekiln.sandbox import isolation
from codekiln.sandbox.box import Level

#: The levels that attacks are declared for, best first.
LEVELS: tuple[Level, ...] = ("A", "B", "C")
#: landlock_create_ruleset(2), asked for its version.
_LANDLOCK, _ASK_VERSION = 444, 1


def chosen(wanted: str) -> tuple[Level, dict[str, str]]:
    """The level that was asked for, or for "auto" the best one; and of those above it why they are not to be had.

    Raises UserError where there is none, and for "none", which promises nothing.
    """
    if wanted == "none":
        raise UserError("isolation none holds nothing that could be checked: give auto, A, B or C")
    level = isolation.choose(wanted)
    above = LEVELS[: LEVELS.index(level)]
    return level, {one: isolation.why_not(one) for one in above}


def versions() -> dict[str, str]:
    """Of bubblewrap, of the kernel and of Landlock; "" for what is not there."""
    bubblewrap, said = shutil.which("bwrap"), ""
    if bubblewrap:
        done = subprocess.run(
            [bubblewrap, "--version"], capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL
        )
        said = done.stdout.strip().removeprefix("bubblewrap ")
    landlock = ctypes.CDLL(None, use_errno=True).syscall(_LANDLOCK, None, 0, _ASK_VERSION)
    return {
        "bubblewrap": said,
        "kernel": platform.release(),
        "landlock": str(landlock) if landlock > 0 else "",
    }
