"""Signals of OpenCoder's rules (Huang et al. 2024, arXiv 2411.04905), as their released filters define them.

Comments are told from code by one linear scan, and functions, variables and imports by patterns at line starts, where
theirs run a lexer and parsers: thirty times faster, and not equal to the last digit (thresholds:
`codekiln.corpus.opencoder.rules`).
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from codekiln.corpus.opencoder.constructs import SIGNALS, constructs
from codekiln.corpus.opencoder.lexing import parts
from codekiln.corpus.opencoder.repetition import repetition

__all__ = ["SIGNALS", "measure"]

_BLANKS, _DIGITS = b" \t\n\r\x0b\x0c", b"0123456789"
_HEX = re.compile(r"\b0[xX][0-9a-fA-F]+\b")
_GENERATED = re.compile(r"autogen|generate|do not edit", re.IGNORECASE)
#: Each line with such a word, once; over lower case.
_PROMPT = re.compile(r"(?:your code here|fixme|todo)[^\n]*")
_ASSERT = re.compile(r"assert[^\n]*")
_TOKEN = re.compile(r"\w+|[^\w\s]+")
#: Words of a line of a string, and characters of a word of one, above which they are long.
_LONG = 20


def measure(path: str, language: str, data: bytes, text: str, letters: int) -> dict[str, Any]:
    """The signals that OpenCoder's rules ask for; None where a rule does not look at this language.

    Shares are of characters, of lines of code, or of words, as the name says. `letters` are the text's.
    """
    blank = len(data) - len(data.translate(None, _BLANKS))
    visible = len(text) - blank
    code = parts(language, text)
    lines = [line for line in code.code.split("\n") if line.strip()]
    long_lines, characters, long_words = _strings(code.strings)
    hexadecimal = sum(map(len, _HEX.findall(code.code))) if "0x" in code.code or "0X" in code.code else 0
    return {
        "oc_alphabetic_fraction": _share(letters, visible),
        "oc_digit_fraction": _share(len(data) - len(data.translate(None, _DIGITS)), visible),
        "oc_blank_fraction": _share(blank, len(text)),
        "oc_replacement_fraction": _share(text.count("\ufffd"), len(text)),
        "oc_generated": _GENERATED.search(text, 0, 200) is not None,
        "oc_comment_fraction": _share(len(code.comments), len(text)),
        "oc_duplicate_lines": _share(_duplicates(lines), len(lines)),
        "oc_hex_fraction": _share(hexadecimal, len(code.code)),
        "oc_prompt_lines": _share(len(_PROMPT.findall(code.comments.lower())), text.count("\n") + 1),
        "oc_assert_lines": _share(len(_ASSERT.findall(code.code.lower())), len(lines)),
        "oc_long_string_lines": _share(long_lines, len(lines)),
        "oc_string_fraction": _share(characters, len(code.code)),
        "oc_long_word_fraction": _share(long_words, len(code.code)),
        **repetition(data),
        **constructs(path, language, code.code, lines),
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None


def _duplicates(lines: list[str]) -> int:
    """Lines that occur more than once, blanks aside; a lone character or `},` counts as none."""
    counts = Counter("".join(line.split()) for line in lines)
    return sum(count for line, count in counts.items() if count > 1 and len(line) > 1 and line != "},")


def _strings(strings: list[str]) -> tuple[int, int, int]:
    """Lines of strings with more than 20 words, characters of strings, and of their words of more than 20 characters."""
    long_lines = characters = long_words = 0
    for string in strings:
        inner = string.strip("\"'`")
        characters += len(inner)
        if len(inner) > _LONG:
            long_lines += sum(
                len(line) > _LONG and len(_TOKEN.findall(line)) > _LONG for line in inner.split("\n")
            )
            long_words += sum(
                len(word)
                for word in inner.split()
                if len(word) > _LONG and "http://" not in word and "https://" not in word
            )
    return long_lines, characters, long_words
