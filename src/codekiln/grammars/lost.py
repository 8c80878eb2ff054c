"""How much of a file its grammar cannot place."""

from __future__ import annotations

from struct import pack
from typing import Any


def lost(tree: Any, data: bytes) -> bytes:
    """The share of bytes in errors, 0 to 1, as a double."""
    return pack("<d", round(_lost_bytes(tree) / len(data), 6) if tree.root_node.has_error else 0.0)


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
