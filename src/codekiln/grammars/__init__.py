"""tree-sitter's grammars over text that nobody vouches for.

Grammars are C code that was never meant for hostile input: some end with a segmentation fault, some never end, some take
gigabytes. They therefore run in a process of their own with limits (`worker`), and a text that ends it has no answer.
"""

from __future__ import annotations

from codekiln.grammars.names import grammar_of
from codekiln.grammars.nodes import KINDS, NODE_WEIGHTS
from codekiln.grammars.process import Grammars, ask

__all__ = ["KINDS", "NODE_WEIGHTS", "Grammars", "ask", "grammar_of"]
