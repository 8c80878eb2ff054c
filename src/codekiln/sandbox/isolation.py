"""Which level of isolation this machine gives: found by trying, never lowered without a word."""

from __future__ import annotations

from functools import cache
from typing import get_args

from codekiln.errors import CodekilnError, UserError
from codekiln.sandbox.box import Box, Level
from codekiln.sandbox.launch import Shape
from codekiln.sandbox.program import MB
from codekiln.sandbox.step import Step

#: What each level is made of.
LEVELS = {
    "A": "bubblewrap's namespaces, another user, limits, a filter of system calls, control groups",
    "B": "bubblewrap's namespaces, another user, limits, a filter of system calls",
    "C": "Landlock, another user (as root), limits, a filter of system calls; no namespaces",
    "none": "limits alone: programs read this user's files and use the network",
}


@cache
def why_not(level: Level) -> str:
    """ "" where programs run at this level on this machine, else why not, in a line."""
    try:
        with Box(level, Shape(16 * MB)) as box:
            done = box.run(Step({"probe.py": b"print(6 * 7)"}, ["probe.py"], python=True))
    except CodekilnError as error:
        return str(error)
    if (done.status, done.stdout) == ("exited", b"42\n"):
        return ""
    return done.detail or f"a program that prints a number ended as {done.status}"


def choose(wanted: str) -> Level:
    """The level that was asked for or, for "auto", the best that this machine has.

    Raises UserError where there is none; "none" has to be asked for by name.
    """
    levels: tuple[Level, ...] = get_args(Level)
    for level in levels:
        if wanted.lower() == level.lower():
            if reason := why_not(level):
                raise UserError(f"isolation {level} is not to be had here: {reason}")
            return level
    if wanted.lower() != "auto":
        raise UserError(f"isolation {wanted}: not one of auto, {', '.join(levels)}")
    reasons = []
    for level in levels[:3]:
        reason = why_not(level)
        if not reason:
            return level
        reasons.append(f"{level}: {reason}")
    raise UserError(
        f"programs cannot be isolated here ({'; '.join(reasons)}); --isolation none runs them with this user's rights"
    )
