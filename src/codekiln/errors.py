"""The two ways a command can end badly: the user's mistake (exit 2) and a failed run (exit 1)."""

from __future__ import annotations


class CodekilnError(Exception):
    """Base of every error that reaches the terminal as one line, without a traceback.

    The message names what is at fault (file, key or row) and says what to do about it.
    """

    exit_code = 1


class UserError(CodekilnError):
    """The input or configuration is wrong; the user can mend it. Exit code 2."""

    exit_code = 2


class BadSource(UserError):
    """What a source holds is broken; it is left out where there are others to be read."""


class RunError(CodekilnError):
    """The run failed (disk full, corrupt weights, no network); start it again to go on. Exit code 1."""

    exit_code = 1


class WorkerDied(RunError):
    """A worker process ended in the middle of a task; what it was at may be tried again apart."""


def one_line(text: object) -> str:
    """Collapse any message to a single line, so that an error never spills over several."""
    return " ".join(str(text).split())
