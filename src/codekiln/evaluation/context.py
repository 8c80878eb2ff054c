"""Cutting text to a number of tokens at line starts; token ids are never cut and decoded."""

from __future__ import annotations

from codekiln.formats import Encoder


def lines_of(text: str) -> list[str]:
    """The lines of a text, each with its newline ("\\n"); joined they are the text."""
    parts = text.split("\n")
    lines = [part + "\n" for part in parts[:-1]]
    return [*lines, parts[-1]] if parts[-1] else lines


def last_lines(encode: Encoder, text: str, limit: int) -> str:
    """The longest run of lines at the end of `text` that encodes to at most `limit` tokens.

    The last line, on which the hole begins, is kept even when it alone is longer.
    """
    if not text or text.endswith("\n"):
        head, open_line = lines_of(text), ""
    else:
        *head, open_line = lines_of(text)
    count, taken = len(encode(open_line)), 0
    while taken < len(head) and (count := count + len(encode(head[-taken - 1]))) <= limit:
        taken += 1
    kept = head[len(head) - taken :]
    while kept and len(encode("".join(kept) + open_line)) > limit:
        kept.pop(0)
    return "".join(kept) + open_line


def first_lines(encode: Encoder, text: str, limit: int) -> str:
    """The longest run of lines at the start of `text` that encodes to at most `limit` tokens."""
    lines = lines_of(text)
    count, taken = 0, 0
    while taken < len(lines) and (count := count + len(encode(lines[taken]))) <= limit:
        taken += 1
    kept = lines[:taken]
    while kept and len(encode("".join(kept))) > limit:
        kept.pop()
    return "".join(kept)
