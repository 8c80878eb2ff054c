"""Where a file's comments and blocks stand: by tree-sitter where it has a grammar, by indentation elsewhere.

Rows count lines from 0, split at "\\n".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from codekiln.fim import grammar_of

_BODY_FIELDS = ("body", "consequence", "alternative")
#: Owners of bodies that hold declarations rather than steps.
_DECLARATIONS = ("class", "struct", "interface", "enum", "impl", "trait", "module", "namespace", "object")
_COMMENT_MARKS = ("//", "/*", "*/", "* ", "<!--", "--", ";;", "%%", '"""', "'''")
_HASH_IS_CODE = {"c", "c++", "c#", "css", "cuda", "glsl", "objectc++", "php", "rust"}
_STRINGS = ("string", "string_literal", "raw_string_literal", "template_string", "heredoc_body")
_STATEMENT_PLACES = ("block", "module", "expression_statement")
#: Files above this size are not parsed; a parse of a large file can take seconds.
_PARSE_BYTES = 256 * 1024

Rows = tuple[int, int]


@dataclass(frozen=True)
class Outline:
    """Rows that are comments (or inside a string of several lines), and blocks as (first row, last row), both inclusive, in order of the file."""

    comments: frozenset[int]
    blocks: tuple[Rows, ...]


def outline(text: str, language: str) -> Outline:
    """Comments and blocks of a file. Without a grammar, or where it finds no block, blocks go by indentation."""
    lines = text.split("\n")
    comments = {row for row, line in enumerate(lines) if _looks_like_comment(line, language)}
    blocks: set[Rows] = set()
    data = text.encode("utf-8")
    grammar = grammar_of(language.lower())
    if grammar and len(data) <= _PARSE_BYTES:
        from tree_sitter_language_pack import get_parser

        found, blocks = _walk(get_parser(grammar).parse(data), lines)  # type: ignore[arg-type]
        comments |= found
    if not blocks:
        blocks = set(_indented(lines))
    return Outline(frozenset(comments), tuple(sorted(blocks)))


def _walk(tree: Any, lines: list[str]) -> tuple[set[int], set[Rows]]:
    comments: set[int] = set()
    blocks: set[Rows] = set()
    waiting = [tree.root_node]
    while waiting:
        node = waiting.pop()
        waiting.extend(node.named_children)
        first, last = node.start_point[0], node.end_point[0]
        if "comment" in node.type or _is_docstring(node):
            # Code before a comment at the end of a line makes the line code.
            begin = first if not lines[first].encode()[: node.start_point[1]].strip() else first + 1
            comments.update(range(begin, last + 1))
        elif node.type in _STRINGS:
            comments.update(range(first + 1, last + 1))
        if any(word in node.type for word in _DECLARATIONS):
            continue
        for name in _BODY_FIELDS:
            for body in node.children_by_field_name(name):
                # An else clause is no body but owns one; it has its own turn.
                if any(body.child_by_field_name(inner) for inner in _BODY_FIELDS):
                    continue
                rows = _body_rows(body, node.start_point[0], lines)
                if rows:
                    blocks.add(rows)
    return comments, blocks


def _is_docstring(node: Any) -> bool:
    """A string that is a statement of its own."""
    parent = node.parent
    return node.type == "string" and parent is not None and parent.type in _STATEMENT_PLACES


def _body_rows(body: Any, owner_row: int, lines: list[str]) -> Rows | None:
    """The rows of a body that has its lines to itself, without the braces; None for any other body."""
    (first, column), (last, end_column) = body.start_point, body.end_point
    if end_column == 0 and last > first:
        last -= 1
    if lines[first].encode()[column : column + 1] == b"{":
        opened, closed = lines[first].rstrip().endswith("{"), lines[last].lstrip().startswith("}")
        first, last = first + 1, last - 1
        if not (opened and closed):
            return None
    elif first <= owner_row or lines[first].encode()[:column].strip():
        return None
    while first < last and not lines[first].strip():
        first += 1
    while last > first and not lines[last].strip():
        last -= 1
    return (first, last) if first <= last and lines[first].strip() else None


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
