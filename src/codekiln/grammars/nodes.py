"""Kinds of syntax nodes, and where a tree has nodes of them."""

from __future__ import annotations

import re
from array import array
from functools import lru_cache
from typing import Any

#: Kinds of syntax nodes as (kind, weight, pattern of node types); the first matching pattern decides. The
#: weights of the first group are report section 4.2; blocks, other statements, calls and arguments are what an
#: editor asks for besides. Grammars name the same thing differently, so the patterns go by words.
_NODES = (
    ("import", 0.10, r"(^|_)(import|include|require|using|use)(_|$)"),
    ("comment", 0.05, r"comment|docstring"),
    ("arguments", 0.10, r"^(value_|call_)?(arguments|argument_list)$"),
    ("call", 0.10, r"^(call|call_expression|function_call(_expression)?|new_expression)$|invocation"),
    ("return", 0.10, r"^return(_|$)"),
    ("if", 0.15, r"^(if|elif|elsif|else|switch|match|case|when|unless)(_|$)|^conditional"),
    ("for", 0.15, r"^(enhanced_|c_style_)?for(each)?(_|$)"),
    ("while", 0.10, r"^(while|until|loop|repeat|do_while)(_|$)|^do_statement$"),
    (
        "class",
        0.10,
        r"^(class|struct|interface|enum|trait|impl|object|record|module|protocol)(_\w+)?_DEF$|^class$",
    ),
    (
        "function",
        0.10,
        r"(function|method|constructor|closure|lambda|procedure)(_\w+)?_DEF$|^(method|lambda)$",
    ),
    ("assignment", 0.05, r"assignment|^(let|lexical|variable|local_variable|short_var|var|const)_decl"),
    ("block", 0.15, r"(^|_)(block|body)$|^compound_statement$|^declaration_list$"),
    ("statement", 0.10, r"_statement$|^decorated_definition$"),
    (
        "expression",
        0.05,
        r"_expression$|_operator$|_comprehension$|^(attribute|subscript|list|dictionary|array)$",
    ),
)
#: Relative weight of each node kind; a kind that a text lacks counts as 0.
NODE_WEIGHTS = {kind: weight for kind, weight, _ in _NODES}
_NODE_RULES = tuple(
    (kind, re.compile(pattern.replace("_DEF", "_(definition|declaration|item|specifier|expression)")))
    for kind, _, pattern in _NODES
)
#: The kinds by their number.
KINDS = tuple(NODE_WEIGHTS)


@lru_cache(maxsize=4096)
def node_kind(kind: str) -> str:
    """The key of NODE_WEIGHTS for a grammar's node type, or "" for one that is never a middle."""
    return next((name for name, rule in _NODE_RULES if rule.search(kind)), "")


def nodes(tree: Any, data: bytes) -> bytes:
    """Named nodes free of parse errors, in document order: three uint32 each, the kind's number, start and end in bytes."""
    cursor = tree.walk()
    found = array("I")
    while True:
        node = cursor.node
        if node is not None and node.is_named and node.end_byte > node.start_byte and not node.has_error:
            kind = node_kind(node.type)
            if kind:
                found.extend((KINDS.index(kind), node.start_byte, node.end_byte))
        if cursor.goto_first_child() or cursor.goto_next_sibling():
            continue
        while cursor.goto_parent():
            if cursor.goto_next_sibling():
                break
        else:
            return found.tobytes()
