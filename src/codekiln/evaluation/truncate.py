"""Where a completion ends when the model did not stop: rules that never look at the answer.

A rule may use the text before and after the hole, as an editor could, but neither the reference nor its length.
The hole begins behind the indentation of its first line and ends before the newline of its last one.
"""

from __future__ import annotations

import re

_NEWLINE = re.compile(r"\r\n|\r|\n")
_TAB = 8


def truncate_line(completion: str) -> str:
    """A single-line hole ends at the first newline (LF, CRLF or CR).

    A completion that begins with a newline is therefore empty: the hole stands behind its line's indentation,
    so a newline there leaves the line blank. It is not skipped in search of a better line.
    """
    return _NEWLINE.split(completion, maxsplit=1)[0]


def truncate_block(completion: str, prefix: str, suffix: str) -> str:
    """A block ends before the first line that dedents below the hole, or that repeats what follows the hole.

    The hole's indentation is that of its first line, which stands at the end of `prefix`; tabs advance to the
    next multiple of 8. The line repeated is the first non-blank one of `suffix`, indentation included (a closing
    brace deeper inside the block is no repetition). Blank lines never end a block, but those before the end are
    dropped. What stands on the hole's own first line is only cut as a repetition, since its indentation is given.
    """
    indentation = _indentation(_NEWLINE.split(prefix)[-1])
    depth = _width(indentation)
    following = next((line.rstrip() for line in _suffix_lines(suffix) if line.strip()), None)
    end = 0
    for number, (start, stop) in enumerate(_line_spans(completion)):
        line = completion[start:stop]
        if not line.strip():
            continue
        whole = indentation + line if number == 0 else line
        if number and _width(_indentation(line)) < depth:
            break
        if whole.rstrip() == following:
            break
        end = stop
    return completion[:end]


def _suffix_lines(suffix: str) -> list[str]:
    """Whole lines behind the hole; the rest of the hole's own last line is not one."""
    return _NEWLINE.split(suffix)[1:]


def _line_spans(text: str) -> list[tuple[int, int]]:
    """(start, stop) of every line, newlines left out."""
    spans, start = [], 0
    for match in _NEWLINE.finditer(text):
        spans.append((start, match.start()))
        start = match.end()
    return [*spans, (start, len(text))]


def _indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def _width(indentation: str) -> int:
    column = 0
    for character in indentation:
        column = column // _TAB * _TAB + _TAB if character == "\t" else column + 1
    return column
