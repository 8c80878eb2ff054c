"""Texts that are put together from several: fences of Markdown, and the form of a commit.

StarCoder and OctoPack mark message, old and new code with tokens that Qwen2.5-Coder does not have; ours is Markdown
that anyone can read, and `parse_commit` takes it apart again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_TICKS = re.compile(r"`{3,}")
_HEAD = re.compile(r"^(Before|After) (.+?)(?:, lines (\d+)-(\d+))?:$")


@dataclass(frozen=True)
class Piece:
    """Lines of a file before and after a commit; `before` is None for a new file.

    Lines are numbered from 1, both ends included; (0, 0) says that the piece is the whole file.
    """

    path: str
    language: str
    before: str | None
    after: str
    old_path: str = ""
    before_lines: tuple[int, int] = (0, 0)
    after_lines: tuple[int, int] = (0, 0)


def fenced(text: str, info: str) -> str:
    """A fenced block of Markdown whose fence is longer than any run of backticks in the text; linear."""
    fence = "`" * max(3, 1 + max(map(len, _TICKS.findall(text)), default=2))
    return f"{fence}{info}\n{text}\n{fence}"


def commit_text(message: str, pieces: Sequence[Piece]) -> str:
    """A commit as text: its message, then each piece before and after the change, in fences.

    The form is stable: `{message}`, an empty line, and for each piece `Before PATH:` or `Before PATH, lines 3-40:`, an
    empty line, a fence with the language; then the same with `After`. A new file has no `Before`.
    """
    parts = ["\n".join(" " + line if _HEAD.match(line) else line for line in message.split("\n"))]
    for piece in pieces:
        if piece.before is not None:
            parts += _part(
                "Before", piece.old_path or piece.path, piece.language, piece.before, piece.before_lines
            )
        parts += _part("After", piece.path, piece.language, piece.after, piece.after_lines)
    return "\n\n".join(parts) + "\n"


def _part(when: str, path: str, language: str, text: str, lines: tuple[int, int]) -> list[str]:
    where = f", lines {lines[0]}-{lines[1]}" if lines != (0, 0) else ""
    return [f"{when} {path}{where}:", fenced(text, language)]


def parse_commit(text: str) -> tuple[str, list[Piece]]:
    """(message, pieces) of a text that `commit_text` made.

    Raises:
        ValueError: it is no such text.
    """
    lines = text.split("\n")
    heads = (number for number, line in enumerate(lines) if _HEAD.match(line))
    at = next(heads, len(lines))
    message = "\n".join(lines[: max(at - 1, 0)])
    pieces: list[Piece] = []
    old: tuple[str, tuple[int, int], str] | None = None
    while at < len(lines) and (head := _HEAD.match(lines[at])):
        if at + 2 >= len(lines) or not (ticks := _TICKS.match(lines[at + 2])):
            raise ValueError("a fence is wanted behind the name of a file")
        try:
            end = lines.index(ticks[0], at + 3)
        except ValueError:
            raise ValueError("a fence is not closed") from None
        body, span = "\n".join(lines[at + 3 : end]), (int(head[3] or 0), int(head[4] or 0))
        if head[1] == "Before":
            old = (head[2], span, body)
        else:
            language = lines[at + 2][len(ticks[0]) :]
            moved = old[0] if old and old[0] != head[2] else ""
            before = (old[2], old[1]) if old else (None, (0, 0))
            pieces.append(Piece(head[2], language, before[0], body, moved, before[1], span))
            old = None
        at = end + 2
    if not pieces:
        raise ValueError("no file of a commit in the text")
    return message, pieces
