"""Where a file's comments and blocks stand: by tree-sitter where it has a grammar, by indentation elsewhere.

Rows count lines from 0, split at "\\n".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from codekiln.grammars import ask, grammar_of

_COMMENT_MARKS = ("//", "/*", "*/", "* ", "<!--", "--", ";;", "%%", '"""', "'''")
_HASH_IS_CODE = {"c", "c++", "c#", "css", "cuda", "glsl", "objectc++", "php", "rust"}
#: Files above this size are not parsed; a parse of a large file can take seconds.
_PARSE_BYTES = 256 * 1024

Rows = tuple[int, int]


@dataclass(frozen=True)
class Outline:
    """Rows that are comments (or inside a string of several lines), and blocks as (first row, last row), both inclusive, in order of the file."""

    comments: frozenset[int]
    blocks: tuple[Rows, ...]


def outline(text: str, language: str) -> Outline:
    """Comments and blocks of a file. Without a grammar that survives it, or where it finds no block, blocks go by indentation."""
    lines = text.split("\n")
    comments = {row for row, line in enumerate(lines) if _looks_like_comment(line, language)}
    blocks: set[Rows] = set()
    data = text.encode("utf-8")
    grammar = grammar_of(language.lower())
    if grammar and len(data) <= _PARSE_BYTES:
        answer = ask("rows", grammar, data)
        if answer is not None:
            count, *rows = np.frombuffer(answer, np.uint32).tolist()
            comments.update(rows[:count])
            blocks = set(zip(rows[count::2], rows[count + 1 :: 2]))
    if not blocks:
        blocks = set(_indented(lines))
    return Outline(frozenset(comments), tuple(sorted(blocks)))


def _indented(lines: list[str]) -> list[Rows]:
    """Every run of lines deeper than the line before it."""
    blocks: list[Rows] = []
    open_blocks: list[tuple[int, int]] = []  # (depth of the owner, first row)
    previous, last_row = -1, -1
    for row, line in [*enumerate(lines), (len(lines), "\0")]:
        if not line.strip():
            continue
        depth = -1 if line == "\0" else len(line.expandtabs(8)) - len(line.expandtabs(8).lstrip())
        while open_blocks and open_blocks[-1][0] >= depth:
            blocks.append((open_blocks.pop()[1], last_row))
        if previous >= 0 and depth > previous:
            open_blocks.append((previous, row))
        previous, last_row = depth, row
    return blocks


def _looks_like_comment(line: str, language: str) -> bool:
    text = line.strip()
    if text.startswith("#"):
        return language.lower() not in _HASH_IS_CODE
    return text.startswith(_COMMENT_MARKS) or text == "*"
