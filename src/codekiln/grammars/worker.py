"""The process that runs the grammars (`codekiln.grammars.process`).

It reads requests from stdin and answers on stdout, one text at a time, under limits of memory and processor time.
"""

from __future__ import annotations

import resource
import signal
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from codekiln.grammars.lost import lost
from codekiln.grammars.nodes import nodes
from codekiln.grammars.process import ANSWER, REQUEST
from codekiln.grammars.rows import rows

#: What can be asked about the tree of a text.
JOBS: dict[str, Callable[[Any, bytes], bytes]] = {"lost": lost, "nodes": nodes, "rows": rows}
#: Steps that a parse may take: so many, and so many a byte. Of 9,300 real files none needed more than 0.05 a byte (each
#: step is 100 operations of the parser). A count and not a clock: the answer is the same on every machine.
_STEPS, _STEPS_A_BYTE = 1_000, 0.1
#: Where steps are not counted (scanners written in C, walks) the kernel ends the process: seconds of processor time, and
#: more for each byte, ten times what the slowest real file took; bytes of address space.
_SECONDS, _SECONDS_A_BYTE = 3.0, 1e-5
_MEMORY = 2 * 1024**3
_CHUNK = 1 << 16


def serve() -> None:
    """Answer requests until stdin ends."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when this ends
    source, answers = sys.stdin.buffer, sys.stdout.buffer
    answers.write(b"\n")  # ready: what ends from here on is a text's doing
    answers.flush()
    while head := source.read(REQUEST.size):
        what, name, length = REQUEST.unpack(head)
        job, grammar, data = JOBS[source.read(what).decode()], source.read(name).decode(), source.read(length)
        signal.setitimer(signal.ITIMER_PROF, _SECONDS + _SECONDS_A_BYTE * length)  # SIGPROF ends the process
        tree = _parse(grammar, data)
        answer = None if tree is None else job(tree, data)
        signal.setitimer(signal.ITIMER_PROF, 0)
        answers.write(ANSWER.pack(-1) if answer is None else ANSWER.pack(len(answer)) + answer)
        answers.flush()


def _parse(grammar: str, data: bytes) -> Any:
    """The tree of a text, or None when its parse takes too many steps."""
    parser, steps = _parser(grammar), 0
    limit = _STEPS + int(len(data) * _STEPS_A_BYTE)

    def too_long(offset: int, failed: bool) -> bool:
        nonlocal steps
        steps += 1
        return steps > limit

    tree = parser.parse(lambda offset, point: data[offset : offset + _CHUNK], progress_callback=too_long)
    if tree is None:
        parser.reset()  # or it would go on with this text at the next one
    return tree


@lru_cache(maxsize=128)
def _parser(grammar: str) -> Any:
    from tree_sitter_language_pack import get_parser

    return get_parser(grammar)  # type: ignore[arg-type]
