"""Licence and copyright notices: they say nothing about a test item, and half of all files begin with one of a few."""

from __future__ import annotations

import re

# In a comment, what only notices say; in other lines (a string, a README), whole sentences of licences.
_COMMENT_LINE = re.compile(r"[ \t]*(?:#|//|/?\*|--|;|%|\"\"\"|''')")
_SENTENCE = (
    r"in compliance with the license|required by applicable law|without warranties or conditions"
    r"|limitations under the license|permission is hereby granted|redistribution and use in source"
    r"|the above copyright notice"
    r"|software is provided .as is"
)
_NOTICE = re.compile(
    r"copyright\s*(?:\(c\)|©|\d{4})|all rights reserved|licensed under|license found in"
    rf"|spdx-license-identifier|apache\.org/licenses/|{_SENTENCE}",
    re.IGNORECASE,
)
_LICENSE = re.compile(_SENTENCE, re.IGNORECASE)
# Every notice has one of these; looking for them is a hundred times faster than the patterns.
_MARKS = (
    "copyright", "rights reserved", "licensed under", "license found", "spdx-license", "apache.org/licenses",
    "compliance with the", "applicable law", "without warranties", "under the license", "hereby granted", "and use in",
    "software is provided",
)  # fmt: skip


def without_notices(text: str) -> str:
    """A text without its notices; linear in its length.

    Comment lines that follow one another (blank lines between them included), and other lines up to a blank one, are
    left out together where one of them is a notice.
    """
    lower = text.lower()
    if not any(mark in lower for mark in _MARKS):
        return text
    kept: list[str] = []
    block: list[str] = []
    comment = False
    for line in text.split("\n"):
        blank = not line.strip()
        is_comment = _COMMENT_LINE.match(line) is not None
        if block and (is_comment != comment) and not (blank and comment):
            kept += _unless_notice(block, comment)
            block = []
        if not block:
            comment = is_comment
        block.append(line)
        if blank and not comment:
            kept += _unless_notice(block, comment)
            block = []
    return "\n".join(kept + _unless_notice(block, comment))


def _unless_notice(block: list[str], comment: bool) -> list[str]:
    pattern = _NOTICE if comment else _LICENSE
    return [] if any(pattern.search(line) for line in block) else block
