"""Which languages have a grammar, and what it is called."""

from __future__ import annotations

import re
from functools import lru_cache

#: Languages of the report whose grammar has another name; the others are looked up as they are.
_GRAMMARS = dict(
    re.findall(
        r"(\S+)=(\S+)",
        "assembly=asm c#=csharp c++=cpp common-lisp=commonlisp emacs-lisp=elisp f#=fsharp makefile=make "
        "objectc++=objc protocol-buffer=proto restructuredtext=rst rmarkdown=markdown shell=bash "
        "systemverilog=verilog tex=latex xslt=xml",
    )
)


@lru_cache(maxsize=256)
def grammar_of(language: str) -> str:
    """The grammar's name for a language of the report, or "" when there is none."""
    from tree_sitter_language_pack import get_parser

    name = _GRAMMARS.get(language, language)
    try:
        get_parser(name)
    except LookupError:
        return ""
    return name
