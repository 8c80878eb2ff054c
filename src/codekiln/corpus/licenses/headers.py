"""What a source file says about its own licence: an SPDX tag, a notice, or a whole licence in its first comment."""

from __future__ import annotations

import re
from functools import lru_cache

from codekiln.corpus.licenses.expressions import parse
from codekiln.corpus.licenses.identify import flat, known_texts
from codekiln.corpus.licenses.mentions import mentions
from codekiln.corpus.licenses.verdict import License

#: Bytes in which a file header is looked for.
HEADER_BYTES = 5 * 1024

_TAG = re.compile(
    rb"^[^\w\r\n]{0,16}(?:[Rr][Ee][Mm] |dnl )?SPDX-License-Identifier:[ \t]*([A-Za-z0-9.+() \t:_-]{1,200})",
    re.MULTILINE,
)
_WORTH = (
    b"license",
    b"licence",
    b"redistribut",
    b"permission is",
    b"public domain",
    b"proprietary",
    b"confidential",
)
# The lines a file may begin with before code: empty, or a comment's.
_COMMENT = re.compile(
    rb"[ \t]*(?:$|#|//|/\*|\*|--|;|%|!|'|\"|<!--|<\?|\(\*|\{-|\{\*|\.\.|rem\b|dnl\b|c[ \t]|@|=)",
    re.IGNORECASE,
)
_OPEN = ((b'"""', b'"""'), (b"'''", b"'''"), (b"/*", b"*/"), (b"<!--", b"-->"), (b"(*", b"*)"), (b"{-", b"-}"),
         (b"=begin", b"=end"), (b"=pod", b"=cut"), (b"--[[", b"]]"), (b"<#", b"#>"), (b"%{", b"%}"))  # fmt: skip
_OPENERS = tuple(start for start, _ in _OPEN)
_UNDER = re.compile(
    r"(?:licen[sc]ed?|licen[sc]e:|released|distributed|available|provided|covered|governed|redistributed?|use[d]?|terms"
    r")\b[^.]{0,100}$"
)
_ITSELF = re.compile("licen|public domain")
# The file points elsewhere and says nothing itself, or is compared with something.
_ELSEWHERE = re.compile(r"(?:inspired by|compatible with|not under|not licensed|unlike)\b[^.]{0,60}$")
_CLOSED = re.compile(
    r"proprietary and confidential|confidential and proprietary|unauthorized (?:copying|use|reproduction)|"
    r"non-?commercial use only|all rights reserved\W{1,3}(?:do not|no part)|strictly prohibited"
)


def from_header(data: bytes) -> License | None:
    """The licence that a file declares for itself in its first `HEADER_BYTES`, if it does.

    SPDX tags (several: all hold) come first, then known licence notices and texts in the comment that the file
    begins with, then a licence that this comment names.
    """
    head = data[:HEADER_BYTES]
    if b"SPDX-License-Identifier" in head:
        expressions = [match.decode().strip(" \t-") for match in _TAG.findall(head)]
        if expressions:
            joined = expressions[0] if len(expressions) == 1 else " AND ".join(f"({e})" for e in expressions)
            found = parse(joined)
            if found:
                kind = "permissive" if found.permissive else "non_permissive"
                return License(found.ids, kind, f"SPDX header of the file: {found.text}")
    if not _is_worth(head):
        return None
    comment = first_comment(head)
    return _noticed(comment) if _is_worth(comment) else None


def _is_worth(text: bytes) -> bool:
    """Whether a text may speak of a licence at all."""
    lower = text.lower()
    return any(word in lower for word in _WORTH)


def first_comment(head: bytes) -> bytes:
    """The comments and empty lines that a file begins with, before any code."""
    lines, close = [], b""
    for line in head.removeprefix(b"\xef\xbb\xbf").split(b"\n")[:150]:
        bare = line.strip()
        if close:
            if close in bare:
                close = b""
        else:
            if bare.startswith(_OPENERS):
                opened = next(pair for pair in _OPEN if bare.startswith(pair[0]))
                close = b"" if opened[1] in bare[len(opened[0]) :] else opened[1]
            elif not _COMMENT.match(bare):
                break
        lines.append(bare)
    return b"\n".join(lines)


@lru_cache(maxsize=2048)
def _noticed(comment: bytes) -> License | None:
    found = known_texts(comment)
    if found:
        ids = tuple(dict.fromkeys(match.name for match in found))
        expression = parse(" AND ".join(ids))
        assert expression is not None
        how = ", ".join(
            f"{match.name} ({'notice' if match.notice else 'text'}, {match.closeness:.2f})" for match in found
        )
        kind = "permissive" if expression.permissive else "non_permissive"
        return License(ids, kind, f"head of the file: {how}")
    words = " ".join(flat(comment).decode("utf-8", "replace").split())
    closed = _CLOSED.search(words)
    if closed:
        return License((), "non_permissive", f"head of the file: {closed[0]!r}")
    named = [
        name
        for name, start, end in mentions(words)
        if (_UNDER.search(words[max(0, start - 120) : start]) or _ITSELF.search(words[start:end]))
        and not _ELSEWHERE.search(words[max(0, start - 80) : start])
    ]
    if not named:
        return None
    ids = tuple(dict.fromkeys(named))
    either = len(ids) > 1 and bool(re.search(r"\b(?:or|either|dual|choice)\b", words))
    expression = parse((" OR " if either else " AND ").join(ids))
    assert expression is not None
    kind = "permissive" if expression.permissive else "non_permissive"
    return License(ids, kind, f"head of the file: {expression.text} (named)")
