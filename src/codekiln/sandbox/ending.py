"""Where the main part of a program ends: for statements that are run last.

Texts of untrusted programs are read in linear time; what is wrong in them stays so, and is for the compiler to tell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from codekiln.errors import UserError

_COMMENTS = r"//[^\n]*|/\*[\s\S]*?(?:\*/|\Z)"
_STRING = r'"(?:[^"\\\n]|\\[\s\S])*+"?'
_CHARACTER = r"'(?:[^'\\\n]|\\[\s\S])*+'?"
#: What is no code, by family of languages; what comes first at a place is what it is.
_NO_CODE = {
    "c": rf'{_COMMENTS}|\bR"(?P<raw>[^()\\\s"]{{0,16}})\([\s\S]*?(?:\)(?P=raw)"|\Z)|{_STRING}|(?<![0-9a-fA-F]){_CHARACTER}',
    "java": rf'{_COMMENTS}|"""(?:[^"\\]|\\[\s\S]|"(?!""))*+(?:"""|\Z)|{_STRING}|{_CHARACTER}',
    "c#": rf'{_COMMENTS}|(?:@\$?|\$@)"(?:[^"]|"")*+"?|{_STRING}|{_CHARACTER}',
    "go": rf"{_COMMENTS}|`[^`]*+`?|{_STRING}|{_CHARACTER}",
    "rust": rf"""{_COMMENTS}|\bb?r(?P<raw>\#{{0,8}})"[\s\S]*?(?:"(?P=raw)|\Z)|"(?:[^"\\]|\\[\s\S])*+"?|'(?:[^'\\\n]|\\[^\n][^'\n]{{0,9}})'""",
}
_PATTERNS = {family: re.compile(pattern) for family, pattern in _NO_CODE.items()}
_LAST_RETURN = re.compile(r"\s*return\b[^;{}]*;?\s*\Z")
_STRUCTURE = re.compile(r"[{};]")


def code_only(source: str, family: str) -> str:
    """The text with comments and literals blanked, so that every place stays where it is; line ends stay, too."""
    return _PATTERNS[family].sub(lambda found: re.sub(r"[^\n]", " ", found[0]), source)


@dataclass(frozen=True)
class Block:
    """Where a function's body is: in how many others, places of the end of its header's match and of its braces.

    With the whole text, literals blanked.
    """

    depth: int
    header: int
    begin: int
    end: int
    code: str


def block_of(source: str, header: re.Pattern[str], family: str, what: str) -> Block:
    """The body of the outermost function whose header matches, the last of several.

    Raises UserError where there is none.
    """
    code = code_only(source, family)
    ends = [found.end() for found in header.finditer(code)][::-1]
    opened: list[int] = []
    best: Block | None = None
    waiting = -1  # the end of a header whose brace has not come yet
    held: dict[int, int] = {}
    for found in _STRUCTURE.finditer(code):
        while ends and ends[-1] <= found.start():
            waiting = ends.pop()
        if found[0] == ";":
            waiting = -1  # no more than a declaration, or a call
        elif found[0] == "{":
            if waiting >= 0:
                held[found.start()] = waiting
            waiting = -1
            opened.append(found.start())
        elif opened:
            begin = opened.pop()
            if begin in held and (best is None or len(opened) <= best.depth):
                best = Block(len(opened), held[begin], begin, found.start(), code)
    if best is None:
        raise UserError(f"the program has no {what} to end with further statements")
    return best


def at_end_of(source: str, header: re.Pattern[str], statements: str, family: str, what: str) -> str:
    """The program with statements at the end of that function, before its last `return`.

    Raises UserError where there is none.
    """
    block = block_of(source, header, family, what)
    body = block.code[block.begin + 1 : block.end]
    start = max(body.rstrip().removesuffix(";").rfind(one) for one in ";{}") + 1
    place = block.begin + 1 + (start if _LAST_RETURN.match(body, start) else len(body))
    return f"{source[:place]}{statements}\n{source[place:]}"


def before_line(source: str, marks: re.Pattern[str], statements: str) -> str:
    """The script with statements after all that is run: before the first line that matches `marks`, or at its end."""
    found = marks.search(source)
    place = found.start() if found else len(source)
    gap = "" if source[:place].endswith("\n") or not place else "\n"
    return f"{source[:place]}{gap}{statements}\n{source[place:]}"


def at_end(source: str, statements: str) -> str:
    """The script with statements at its end."""
    return f"{source}\n{statements}\n"
