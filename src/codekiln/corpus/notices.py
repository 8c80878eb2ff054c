"""Licence and copyright notices in comments: they say nothing about a test item, and many files share them."""

from __future__ import annotations

import re

_COMMENT_LINE = re.compile(r"[ \t]*(?:#|//|/?\*|--|;|%|\"\"\"|''')")
_NOTICE = re.compile(
    r"copyright\s*(?:\(c\)|©|\d{4})|all rights reserved|licensed under|spdx-license-identifier|apache\.org/licenses/"
    r"|permission is hereby granted|redistribution and use in source",
    re.IGNORECASE,
)
# Every notice has one of these; looking for them is a hundred times faster than the pattern.
_MARKS = ("copyright", "rights reserved", "licensed under", "spdx-license", "/licenses/", "hereby granted", "and use in")


def without_notices(text: str) -> str:
    """A text without the comments that are licence or copyright notices; linear in its length."""
    lower = text.lower()
    if not any(mark in lower for mark in _MARKS):
        return text
    kept: list[str] = []
    comment: list[str] = []
    for line in [*text.split("\n"), None]:
        if line is not None and (_COMMENT_LINE.match(line) or (comment and not line.strip())):
            comment.append(line)
            continue
        if comment and not any(_NOTICE.search(one) for one in comment):
            kept += comment
        comment = []
        if line is not None:
            kept.append(line)
    return "\n".join(kept)
