"""Comments, strings and code of a file, told apart by one scan for what opens a comment or a string.

Nothing is parsed: a quote that is no quote (a Rust lifetime, a Haskell prime) reaches at most to the end of its line. What
is left open ends with the file. The scan is linear, whatever is in the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_REST = r"[^\n]*"
#: Comments by what opens them: to the end of the line, or to what closes them.
_LINE = {
    "#": "#", "//": "//", "--": "--", ";": ";", "%": "%", "!": "!", "'": "'", "rem": r"(?i:rem)\b", "::": "::",
}  # fmt: skip
_PAIR = {
    "/*": r"/\*(?s:.*?)(?:\*/|\Z)", "(*": r"\(\*(?s:.*?)(?:\*\)|\Z)", "{-": r"\{-(?s:.*?)(?:-\}|\Z)",
    "<!--": r"<!--(?s:.*?)(?:-->|\Z)", "--[[": r"--\[\[(?s:.*?)(?:\]\]|\Z)", "#|": r"#\|(?s:.*?)(?:\|#|\Z)",
    "<#": r"<#(?s:.*?)(?:#>|\Z)", "/-": r"/-(?s:.*?)(?:-/|\Z)", "{": r"\{(?s:.*?)(?:\}|\Z)", "#=": r"#=(?s:.*?)(?:=#|\Z)",
}  # fmt: skip
_STRING = {
    '"': r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"?',
    "'": r"'[^'\\\n]*(?:\\.[^'\\\n]*)*'?",
    "`": r"`[^`\\]*(?:\\(?s:.)[^`\\]*)*`?",
    '"""': r'"""(?s:.*?)(?:"""|\Z)',
    "'''": r"'''(?s:.*?)(?:'''|\Z)",
}

#: Comments and strings of each family of languages.
_FAMILIES = (
    (
        "// /*", "\" '",
        "c c++ c# cuda dart glsl java java-server-pages objectc++ protocol-buffer rust scala solidity stan swift"
        " systemverilog verilog zig antlr yacc bluespec",
    ),
    ("// /*", "\" ' `", "javascript typescript vue kotlin go"),
    ("// /*", "\" ' '''", "groovy"),
    ("// # /*", "\" '", "php thrift"),
    ("/*", "\" '", "css sas"),
    ("#", "\" ' ''' \"\"\"", "python"),
    ("#", "\" '", "shell tcsh ruby perl r awk makefile cmake dockerfile yaml sparql"),
    ("#", '" """', "elixir coffeescript literate-coffeescript"),
    ("#", '"', "tcl"),
    ("#= #", '"', "julia"),
    ("<# #", "\" '", "powershell"),
    ("-- /*", "\" '", "sql"),
    ("{- --", '"', "haskell elm idris agda literate-haskell literate-agda"),
    ("--", '"', "ada vhdl"),
    ("--[[ --", "\" '", "lua"),
    ("(* --", '"', "applescript"),
    ("-- // /*", '"', "alloy"),
    ("/- --", '"', "lean"),
    ("#| ;", '"', "common-lisp emacs-lisp clojure scheme racket"),
    ("; # // /*", '"', "assembly"),
    ("%", '"', "erlang matlab"),
    ("% /*", "\" '", "prolog"),
    ("(*", '"', "ocaml standard-ml isabelle mathematica augeas"),
    ("(* //", '"', "f#"),
    ("(* // {", "'", "pascal"),
    ("!", "\" '", "fortran"),
    ("'", '"', "visual-basic"),
    ("(* #", '"', "maple"),
    ("// /*", '"', "stata"),
    ("rem ::", '"', "batchfile"),
    ("<!--", "\" '", "xslt"),
)  # fmt: skip


@dataclass(frozen=True)
class Parts:
    """Code without comments (docstrings of Python are comments), the comments, and the strings of the code."""

    code: str
    comments: str
    strings: list[str]


def parts(language: str, text: str) -> Parts:
    """The parts of a text; where nothing is known of the language, all of it is code without strings."""
    scan = _scans().get(language)
    if scan is None:
        return Parts(text, "", [])
    code: list[str] = []
    comments: list[str] = []
    strings: list[str] = []
    position = 0
    for match in scan.finditer(text):
        found = match[0]
        if match.lastgroup or (language == "python" and _is_docstring(text, match.start(), found)):
            code.append(text[position : match.start()])
            comments.append(found)
            position = match.end()
        else:
            strings.append(found)
    code.append(text[position:])
    return Parts("".join(code), "\n".join(comments), strings)


def _is_docstring(text: str, start: int, found: str) -> bool:
    """Whether a string of three quotes begins its line."""
    if found[:3] not in ('"""', "'''"):
        return False
    begin = text.rfind("\n", max(0, start - 200), start) + 1
    return not text[begin:start].strip(" \trRbBuU")


@lru_cache(maxsize=1)
def _scans() -> dict[str, re.Pattern[str]]:
    scans: dict[str, re.Pattern[str]] = {}
    for comments, strings, languages in _FAMILIES:
        ways = [_PAIR[word] if word in _PAIR else _LINE[word] + _REST for word in comments.split()]
        quotes = [_STRING[word] for word in sorted(strings.split(), key=len, reverse=True)]
        pattern = re.compile("|".join([f"(?P<comment>{'|'.join(ways)})", *quotes]))
        scans |= dict.fromkeys(languages.split(), pattern)
    return scans
