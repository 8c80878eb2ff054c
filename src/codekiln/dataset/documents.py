"""Files to documents: line-aligned windows that fit a row, each plain or fill-in-the-middle.

A file is first divided into cells of about four rows by its size alone, so that an epoch can be put in random
order, and cut short, without tokenising the corpus. A cell is then cut into windows that fill a row. Text is
brought into Unicode's normal form C before anything else, since Qwen's tokenizer would do so anyway and a
sample must rebuild exactly the text that is trained.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from codekiln import formats
from codekiln.dataset.config import DatasetConfig
from codekiln.errors import RunError
from codekiln.fim import choose_span, is_boundary

_MANY_MARKS = re.compile(r"[^\w\x00-\x7f]{31,}")

#: Characters of code per token, roughly, for planning only; the tokenizer decides.
CHARACTERS_PER_TOKEN = 3.5
ROWS_PER_CELL = 4
#: Tokens of a row kept free of text: four control tokens of a FIM sample, and growth at its two borders.
RESERVE = 8

_CONTROL = frozenset(formats.CONTROL_IDS.values())
#: A line break before a line with content: blank lines stay with the line above them, as they do in tokens.
_UNIT_BREAK = re.compile(r"(?:\r\n|\r|\n)(?=[^\S\r\n]*\S)")


class Tokenizer(Protocol):
    """What the dataset needs of a tokenizer; special tokens in text stay text."""

    def encode(self, text: str) -> list[int]: ...
    def encode_batch(self, texts: list[str]) -> list[list[int]]: ...


@dataclass(frozen=True)
class Window:
    """A stretch of a file: its id (`file#cell.window`), text, token ids, and whether it ends the file."""

    id: str
    text: str
    ids: list[int]
    last: bool


@dataclass(frozen=True)
class Document:
    """What attention sees as one: a sample, its form (`plain`, `fim:line`, `repository:plain`, …) and its
    source (`repository:path`, several joined by newlines)."""

    id: str
    sample: formats.Sample
    form: str
    source: str


def normalise(text: str) -> str:
    """The text as it is trained: Unicode normal form C.

    One with more than 30 combining marks in a row, which no language has (Unicode TR 15), stays as it is: putting them in
    order takes time that grows with their square.
    """
    for run in _MANY_MARKS.finditer(text):
        if sum(unicodedata.combining(letter) > 0 for letter in run[0]) > 30:
            return text
    return unicodedata.normalize("NFC", text)


def cell_count(size: int, length: int) -> int:
    """How many cells a file of `size` bytes is divided into, for rows of `length` tokens."""
    return max(1, round(size / (CHARACTERS_PER_TOKEN * ROWS_PER_CELL * length)))


def cell_text(text: str, cell: int, cells: int) -> tuple[str, bool]:
    """One cell of a normalised text, cut at line starts, and whether it reaches the text's end."""
    start, end = _cell_start(text, cell, cells), _cell_start(text, cell + 1, cells)
    return text[start:end], end == len(text)


def _cell_start(text: str, cell: int, cells: int) -> int:
    if cell <= 0:
        return 0
    wanted = len(text) * cell // cells
    found = _UNIT_BREAK.search(text, max(wanted - 1, 0)) if cell < cells else None
    return found.end() if found else len(text)


def line_units(text: str) -> list[str]:
    """The text in pieces that a cut may separate: a line with content and the blank lines behind it."""
    starts = [0, *(match.end() for match in _UNIT_BREAK.finditer(text)), len(text)]
    return [text[start:end] for start, end in pairwise(starts) if end > start]


def encode_checked(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    """Encode texts and make sure that none turned into a control token.

    Raises:
        RunError: the tokenizer reads control tokens out of plain text.
    """
    batch = tokenizer.encode_batch(texts)
    for ids in batch:
        if not _CONTROL.isdisjoint(ids):
            raise RunError(
                "the tokenizer turned source text into control tokens; use it with special tokens off"
            )
    return batch


def encoder(tokenizer: Tokenizer) -> formats.Encoder:
    """`encode_checked` for one text at a time."""
    return lambda text: encode_checked(tokenizer, [text])[0] if text else []


def cut_windows(text: str, tokenizer: Tokenizer, room: int) -> list[tuple[str, list[int]]]:
    """Cut a text at line starts into consecutive windows of at most `room` tokens: (text, token ids) each.

    Windows are as full as lines allow. A last one of less than an eighth takes a third of itself and the one before it.
    A single line longer than `room` is cut between characters.
    """
    pieces = [part for unit in line_units(text) for part in _halve(unit, 16 * room)]
    counts = [len(ids) for ids in encode_checked(tokenizer, pieces)]
    groups: list[list[int]] = []
    filled = room + 1
    for number, count in enumerate(counts):
        if filled + count > room:
            groups.append([])
            filled = 0
        groups[-1].append(number)
        filled += count
    if len(groups) > 1 and filled < room // 8:
        groups[-2:] = _thirds([*groups[-2], *groups[-1]], counts)
    return [
        window
        for group in groups
        for window in _fitting([pieces[number] for number in group], tokenizer, room)
    ]


def _thirds(numbers: list[int], counts: list[int]) -> list[list[int]]:
    """Split into two runs of about two thirds and one third: a third finds a row to share, a half would not."""
    sums = np.cumsum([counts[number] for number in numbers])
    at = max(1, int(np.searchsorted(sums, sums[-1] * 2 / 3)))
    return [part for part in (numbers[:at], numbers[at:]) if part]


def _fitting(pieces: list[str], tokenizer: Tokenizer, room: int) -> list[tuple[str, list[int]]]:
    """Join the pieces into one window, or into several where they do not fit together after all."""
    text = "".join(pieces)
    ids = encode_checked(tokenizer, [text])[0]
    if len(ids) <= room:
        return [(text, ids)]
    if len(pieces) == 1:
        pieces = _halve(text, len(text) - 1)
    middle = len(pieces) // 2
    return _fitting(pieces[:middle], tokenizer, room) + _fitting(pieces[middle:], tokenizer, room)


def _halve(text: str, most: int) -> list[str]:
    """Cut a text between characters until no part has more than `most`."""
    if len(text) <= max(most, 1):
        return [text]
    at = len(text) // 2
    near = (at + shift for shift in range(min(64, len(text) - at)))
    at = next((offset for offset in near if is_boundary(text, offset)), at)
    return _halve(text[:at], most) + _halve(text[at:], most)


def windows_of(
    file_id: str, text: str, cell: int, cells: int, tokenizer: Tokenizer, room: int
) -> list[Window]:
    """The windows of one cell of a normalised text, each of at most `room` tokens."""
    part, ends = cell_text(text, cell, cells)
    cut = cut_windows(part, tokenizer, room)
    return [
        Window(f"{file_id}#{cell}.{number}", text, ids, ends and number == len(cut) - 1)
        for number, (text, ids) in enumerate(cut)
    ]


def window_sample(
    window: Window,
    language: str,
    tokenizer: Tokenizer,
    rng: np.random.Generator,
    config: DatasetConfig,
    *,
    rate: float,
    room: int,
) -> tuple[formats.Sample, str]:
    """Make a window a FIM sample with probability `rate`, otherwise plain text; never more than `room` tokens.

    Returns:
        The sample and its form: `plain`, `fim:KIND`, or `plain:unfit` for a FIM sample whose middle alone is
        longer than the row. Plain text that is not a file's end has no end-of-text.
    """
    form = "plain"
    if rng.random() < rate:
        span = choose_span(window.text, language, rng, config.spans, config.empty_middle)
        sample = fit_fim(encoder(tokenizer), *span.cut(window.text), room)
        if sample is not None:
            return sample, f"fim:{span.kind}"
        form = "plain:unfit"
    plain = formats.plain(lambda _: window.ids, window.text)
    return (plain if window.last else plain[:-1]), form


def fit_fim(
    encode: formats.Encoder, prefix: str, middle: str, suffix: str, room: int
) -> formats.Sample | None:
    """A FIM sample of at most `room` tokens.

    What is too much is taken from the prefix's head and the suffix's tail, at line starts, from the longer of
    the two until they are even; middle and end-of-text are never cut. None when the middle alone is too long.
    """
    while True:
        sample = formats.fim(encode, prefix, middle, suffix)
        over = sum(len(segment.ids) for segment in sample) - room
        if over <= 0:
            return sample
        before, after = len(sample[1].ids), len(sample[3].ids)
        if before == after == 0:
            return None
        both = before + after - over
        if before >= after:
            drop = before - max(both // 2, both - after)
            prefix = prefix[_head_cut(prefix, -(-len(prefix) * drop // before)) :]
        else:
            drop = after - max(both // 2, both - before)
            suffix = suffix[: _tail_cut(suffix, len(suffix) - -(-len(suffix) * drop // after))]


def _head_cut(text: str, wanted: int) -> int:
    """Offset from which to keep: the line start at or behind `wanted`, else the last line start, else `wanted`."""
    starts = [match.end() for match in _UNIT_BREAK.finditer(text)]
    later = [start for start in starts if start >= wanted]
    if later or starts:
        return later[0] if later else starts[-1]
    return next(
        offset for offset in range(min(wanted, len(text)), len(text) + 1) if is_boundary(text, offset)
    )


def _tail_cut(text: str, wanted: int) -> int:
    """Offset up to which to keep: the line start at or before `wanted`, else the first one, else `wanted`."""
    starts = [match.end() for match in _UNIT_BREAK.finditer(text)]
    earlier = [start for start in starts if start <= wanted]
    if earlier or starts:
        return earlier[-1] if earlier else starts[0]
    return next(offset for offset in range(max(wanted, 0), -1, -1) if is_boundary(text, offset))
