"""Rows of a file that are comments, and blocks that have their rows to themselves. Rows count from 0, split at "\\n"."""

from __future__ import annotations

from array import array
from typing import Any

_BODY_FIELDS = ("body", "consequence", "alternative")
#: Owners of bodies that hold declarations rather than steps.
_DECLARATIONS = ("class", "struct", "interface", "enum", "impl", "trait", "module", "namespace", "object")
_STRINGS = ("string", "string_literal", "raw_string_literal", "template_string", "heredoc_body")
_STATEMENT_PLACES = ("block", "module", "expression_statement")

Rows = tuple[int, int]


def rows(tree: Any, data: bytes) -> bytes:
    """uint32: how many rows are comments, these rows, then first and last row of each block."""
    comments, blocks = _walk(tree, data.decode().split("\n"))
    return array("I", [len(comments), *comments, *(row for block in blocks for row in block)]).tobytes()


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
