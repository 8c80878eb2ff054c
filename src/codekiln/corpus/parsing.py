"""How much of a file its grammar cannot place: the share of bytes in parse errors.

tree-sitter parses anything, and marks what fits nowhere as an error. Counted are the bytes of error nodes outside the
complete constructs inside them: one stray bracket makes an error of a whole file that is sound but for it.

Grammars are C code that was never meant for hostile input: some end with a segmentation fault, some take gigabytes. They
therefore run in a process of their own with limits (`parse_worker`), and a file that ends it has no answer.
"""

from __future__ import annotations

import subprocess
import sys
from struct import Struct

from codekiln.fim import grammar_of

#: Lengths of the grammar's name and of the text; the share of errors, NaN where there is none.
REQUEST, ANSWER = Struct("<HQ"), Struct("<d")

_PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from codekiln.corpus.parse_worker import serve; serve()"


class Parser:
    """A process that parses; it is started at the first file, and again after one that ended it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def errors(self, language: str, path: str, data: bytes) -> float | None:
        """The share of a file's bytes in parse errors, 0 to 1.

        None where it is not known: no grammar for the language, an empty file, or one whose parse crashed or passed the
        limits of `parse_worker`.
        """
        # TypeScript with JSX has a grammar of its own.
        grammar = (
            "tsx" if language == "typescript" and path.lower().endswith(".tsx") else grammar_of(language)
        )
        if not grammar or not data:
            return None
        process = self._process = self._process or _start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(REQUEST.pack(len(grammar), len(data)) + grammar.encode() + data)
            process.stdin.flush()
            answer = process.stdout.read(ANSWER.size)
        except BrokenPipeError:
            answer = b""
        if len(answer) < ANSWER.size:
            self.close()
            return None
        share = float(ANSWER.unpack(answer)[0])
        return None if share != share else share

    def close(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, *sys.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
