"""The process that parses, seen from the one that asks it."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
from contextlib import suppress
from struct import Struct

from codekiln.errors import RunError

#: Lengths of the names of what is asked and of the grammar, and of the text; the length of the answer, -1 for none.
REQUEST, ANSWER = Struct("<BBQ"), Struct("<q")

_PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from codekiln.grammars.worker import serve; serve()"
#: Signals that a text does not cause: whoever sent one, the answer must not depend on it.
_FROM_OUTSIDE = (-signal.SIGKILL, -signal.SIGTERM)


class Grammars:
    """A process that parses; it is started at the first text, and again after one that ended it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, what: str, grammar: str, data: bytes) -> bytes | None:
        """What `worker.JOBS[what]` says about a text; None where its parse crashed or passed the limits of `worker`.

        Raises:
            RunError: the process does not even start.
        """
        for again in (True, False):
            try:
                return self._exchange(what.encode(), grammar.encode(), data)
            except ChildProcessError:
                status = self.close()
                if not again:
                    raise RunError(
                        f"the process that parses does not start (exit status {status}); is there memory for it?"
                    ) from None
            except (BrokenPipeError, EOFError):
                if self.close() not in _FROM_OUTSIDE:
                    return None
            except BaseException:
                self.close()  # or the next question would get this one's answer
                raise
        return None

    def close(self) -> int | None:
        """End the process, if there is one; returns its exit status if it had ended by itself."""
        process, self._process = self._process, None
        if process is None:
            return None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.close()
        with suppress(BrokenPipeError):
            process.stdin.close()
        try:
            return process.wait(1)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None

    def _exchange(self, what: bytes, grammar: bytes, data: bytes) -> bytes | None:
        started = self._process is None
        process = self._process = self._process or _start()
        assert process.stdin is not None
        assert process.stdout is not None
        if started and not process.stdout.read(1):  # it says that it is ready
            raise ChildProcessError
        process.stdin.write(REQUEST.pack(len(what), len(grammar), len(data)) + what + grammar + data)
        process.stdin.flush()
        head = process.stdout.read(ANSWER.size)
        if len(head) < ANSWER.size:
            raise EOFError
        (length,) = ANSWER.unpack(head)
        answer = process.stdout.read(max(length, 0))
        if len(answer) < length:
            raise EOFError
        return None if length < 0 else answer


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, *sys.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


_OWN: dict[int, Grammars] = {}


def ask(what: str, grammar: str, data: bytes) -> bytes | None:
    """`Grammars.ask` of the one process that belongs to this one, which ends with it."""
    own = _OWN.get(os.getpid())
    if own is None:
        own = _OWN[os.getpid()] = Grammars()
        atexit.register(own.close)
    return own.ask(what, grammar, data)
