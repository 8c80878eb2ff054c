"""The process that runs tree-sitter's grammars over text that nobody vouches for (`codekiln.corpus.parsing`).

It reads requests from stdin and answers on stdout, one file at a time, under limits of memory and processor time.
"""

from __future__ import annotations

import resource
import signal
import sys
from functools import lru_cache
from typing import Any

from codekiln.corpus.parsing import ANSWER, REQUEST

#: Steps that a parse may take: so many, and so many a byte. Of 9,300 real files none needed more than 0.05 a byte (each
#: step is 100 operations of the parser). A count and not a clock: the answer is the same on every machine.
_STEPS, _STEPS_A_BYTE = 1_000, 0.1
#: Where steps are not counted (scanners written in C) the kernel ends the process: seconds of processor time, and more
#: for each byte, ten times what the slowest real file took; bytes of address space.
_SECONDS, _SECONDS_A_BYTE = 3.0, 1e-5
_MEMORY = 2 * 1024**3
_CHUNK = 1 << 16


def serve() -> None:
    """Answer requests until stdin ends."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when this ends
    source, answers = sys.stdin.buffer, sys.stdout.buffer
    while head := source.read(REQUEST.size):
        name, length = REQUEST.unpack(head)
        grammar, data = source.read(name).decode(), source.read(length)
        signal.setitimer(signal.ITIMER_PROF, _SECONDS + _SECONDS_A_BYTE * length)  # SIGPROF ends the process
        share = error_share(grammar, data)
        signal.setitimer(signal.ITIMER_PROF, 0)
        answers.write(ANSWER.pack(float("nan") if share is None else share))
        answers.flush()


def error_share(grammar: str, data: bytes) -> float | None:
    """The share of bytes in errors, or None when the parse takes too many steps. Never call it on hostile text."""
    parser, steps = _parser(grammar), 0
    limit = _STEPS + int(len(data) * _STEPS_A_BYTE)

    def too_long(offset: int, failed: bool) -> bool:
        nonlocal steps
        steps += 1
        return steps > limit

    tree = parser.parse(lambda offset, point: data[offset : offset + _CHUNK], progress_callback=too_long)
    if tree is None:
        parser.reset()  # or it would go on with this file at the next one
        return None
    return round(_lost_bytes(tree) / len(data), 6) if tree.root_node.has_error else 0.0


@lru_cache(maxsize=128)
def _parser(grammar: str) -> Any:
    from tree_sitter_language_pack import get_parser

    return get_parser(grammar)  # type: ignore[arg-type]


def _lost_bytes(tree: Any) -> int:
    """Bytes of error nodes that are in no complete construct; a walk with a cursor, whatever the depth."""
    cursor, lost = tree.walk(), 0
    inside = [False]  # of an error, for each level of the tree down to the node
    while True:
        node = cursor.node
        if node.has_error and node.child_count:
            inside.append(inside[-1] or node.is_error)
            cursor.goto_first_child()
            continue
        if node.is_error or (inside[-1] and not (node.is_named and node.child_count)):
            lost += node.end_byte - node.start_byte
        while not cursor.goto_next_sibling():
            inside.pop()
            if not cursor.goto_parent():
                return lost
