"""Training rows made readable."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any, Protocol

from codekiln import formats

_NAMES = {number: token.strip("<|>") for token, number in formats.CONTROL_IDS.items()}


class Decoder(Protocol):
    """What rendering needs of a tokenizer."""

    def decode(self, ids: list[int]) -> str: ...


def render_row(row: Mapping[str, Any], tokenizer: Decoder) -> str:
    """A row of schema SEQUENCES as text, one document behind the other, each under a line that names it.

    Control tokens stand as `⟦fim_prefix⟧`, so that they differ from source text that spells one out; other
    unprintable characters are escaped, so that no text can drive the terminal.
    """
    parts: list[str] = []
    start = 0
    total = sum(row["lengths"])
    for number, length in enumerate(row["lengths"]):
        ids = list(row["input_ids"][start : start + length])
        targets = sum(row["loss_mask"][start : start + length])
        source = _printable(row["documents"][number].split("\n")[-1])
        parts.append(
            f"── row {row['row']} · {total} tokens · document {number + 1}/{len(row['lengths'])} · {source} · "
            f"{row['forms'][number]} · {length} tokens, {targets} targets ──"
        )
        parts.append(render_ids(ids, tokenizer))
        start += length
    return "\n".join(parts) + "\n"


def render_ids(ids: list[int], tokenizer: Decoder) -> str:
    """Token ids as text, with visible control tokens."""
    pieces: list[str] = []
    for control, group in groupby(ids, key=lambda number: number in _NAMES):
        numbers = list(group)
        if control:
            pieces += [f"⟦{_NAMES[number]}⟧" for number in numbers]
        else:
            pieces.append(_printable(tokenizer.decode(numbers)))
    return "".join(pieces)


def _printable(text: str) -> str:
    return "".join(
        char if char in "\n\t" or char.isprintable() else char.encode("unicode_escape").decode()
        for char in text
    )
