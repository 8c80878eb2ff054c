"""How much of a file its grammar cannot place: the share of bytes in parse errors.

tree-sitter parses anything, and marks what fits nowhere as an error. Counted are the bytes of error nodes outside the
complete constructs inside them: one stray bracket makes an error of a whole file that is sound but for it.
"""

from __future__ import annotations

from struct import unpack

from codekiln.grammars import Grammars, grammar_of


class Parser:
    """Parse errors of one file after another, by a process of its own."""

    def __init__(self) -> None:
        self._grammars = Grammars()

    def errors(self, language: str, path: str, data: bytes) -> float | None:
        """The share of a file's bytes in parse errors, 0 to 1.

        None where it is not known: no grammar for the language, an empty file, or one that its grammar does not survive
        (`codekiln.grammars`).
        """
        # TypeScript with JSX has a grammar of its own.
        grammar = (
            "tsx" if language == "typescript" and path.lower().endswith(".tsx") else grammar_of(language)
        )
        if not grammar or not data:
            return None
        answer = self._grammars.ask("lost", grammar, data)
        return None if answer is None else float(unpack("<d", answer)[0])

    def close(self) -> None:
        """End the process, if there is one."""
        self._grammars.close()
