"""Where to cut a text for fill-in-the-middle, on characters, never on token ids.

Spans imitate what an editor asks for: a line, the rest of a line, several lines, a syntax node, and now and
then nothing at all. Every choice is a function of (text, language, generator), and a generator comes from
hashes (`document_rng`), so that samples depend on neither order nor workers.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from codekiln.grammars import KINDS, NODE_WEIGHTS, ask, grammar_of

SPAN_KINDS = ("characters", "line", "lines", "line_end", "node")
#: A middle is at most this share of its text, so that context remains, and this long (report section 4.2).
MAX_SHARE = 0.4
MAX_CHARACTERS = 512
MAX_LINES = 10
MIN_NODE = 3

_LINE = re.compile(r"[^\r\n]*\S[^\r\n]*")
_TOKEN = re.compile(r"\w+|[^\w\s]")
_WRAPPED = {"(": ")", "{": "}", "[": "]"}


@dataclass(frozen=True)
class Span:
    """The middle of a text: `text[start:end]` in characters; kind is one of SPAN_KINDS or "empty"."""

    start: int
    end: int
    kind: str

    def cut(self, text: str) -> tuple[str, str, str]:
        """Prefix, middle and suffix."""
        return text[: self.start], text[self.start : self.end], text[self.end :]


def document_rng(seed: int, epoch: int, document_id: str) -> np.random.Generator:
    """The random generator of one document in one epoch: BLAKE2b of the three, as the key of a Philox."""
    name = f"{seed}\0{epoch}\0{document_id}".encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(name, digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


def is_boundary(text: str, offset: int) -> bool:
    """Whether a cut before text[offset] leaves characters whole.

    False between a carriage return and its newline, before a combining mark, variation selector or emoji
    modifier, beside a zero-width joiner, and inside a pair of surrogates.
    """
    if offset <= 0 or offset >= len(text):
        return True
    before, after = text[offset - 1], text[offset]
    if after < "\u0300":
        return not (before == "\r" and after == "\n") and before != "\u200d"
    if before == "\u200d" or after == "\u200d" or "\U0001f3fb" <= after <= "\U0001f3ff":
        return False
    if "\ud800" <= before <= "\udbff" and "\udc00" <= after <= "\udfff":
        return False
    return not unicodedata.category(after).startswith("M")


def middle_limit(text: str) -> int:
    """Most characters that a middle of this text may have."""
    return min(MAX_CHARACTERS, int(MAX_SHARE * len(text)))


def choose_span(
    text: str,
    language: str,
    rng: np.random.Generator,
    weights: Mapping[str, float],
    empty_middle: float = 0.0,
) -> Span:
    """Draw the middle of a text.

    Args:
        language: a language name of the report; one without a grammar falls back to lines.
        weights: relative weight of each of SPAN_KINDS; a missing kind counts as 0.
        empty_middle: probability of an empty middle.

    Returns:
        A span of at most `middle_limit(text)` characters. Where the text has no span of the drawn kind, the
        next simpler kind is taken (node, lines -> line -> line_end -> characters -> empty) and named in `kind`.
    """
    drawn = rng.random()
    shares = np.array([weights.get(kind, 0.0) for kind in SPAN_KINDS], dtype=np.float64)
    kind = SPAN_KINDS[_draw(rng, shares)]
    if drawn < empty_middle:
        return empty_span(text, rng)
    while kind != "empty":
        span = node_span(text, language, rng) if kind == "node" else _SIMPLE[kind](text, rng)
        if span is not None:
            return span
        kind = _SIMPLER[kind]
    return empty_span(text, rng)


def empty_span(text: str, rng: np.random.Generator) -> Span:
    """A place where nothing is missing: half of the time a line's end, otherwise between two tokens."""
    lines = content_lines(text)
    if not lines:
        return Span(0, 0, "empty")
    start, end = lines[int(rng.integers(len(lines)))]
    stops = _stops(text, start, end)
    offset = stops[int(rng.integers(len(stops)))] if stops and rng.random() < 0.5 else end
    while not is_boundary(text, offset):
        offset += 1
    return Span(offset, offset, "empty")


def characters_span(text: str, rng: np.random.Generator) -> Span | None:
    """Any stretch of characters; its length is log-uniform, since short requests are the common ones."""
    limit = middle_limit(text)
    if limit < 1:
        return None
    length = min(limit, int(np.exp(rng.random() * np.log(limit + 1))))
    start = int(rng.integers(len(text) - length + 1))
    return _settle(text, start, start + length, "characters")


def line_span(text: str, rng: np.random.Generator) -> Span | None:
    """One whole line: from behind its indentation up to, but without, its line break."""
    limit = middle_limit(text)
    lines = [line for line in content_lines(text) if line[1] - line[0] <= limit]
    if not lines:
        return None
    return _settle(text, *lines[int(rng.integers(len(lines)))], "line")


def lines_span(text: str, rng: np.random.Generator) -> Span | None:
    """Two to ten lines with content, from behind the first one's indentation to the last one's end."""
    limit = middle_limit(text)
    lines = content_lines(text)
    first = [n for n in range(len(lines) - 1) if lines[n + 1][1] - lines[n][0] <= limit]
    if not first:
        return None
    begin = first[int(rng.integers(len(first)))]
    last = [
        n
        for n in range(begin + 1, min(begin + MAX_LINES, len(lines)))
        if lines[n][1] - lines[begin][0] <= limit
    ]
    return _settle(text, lines[begin][0], lines[last[int(rng.integers(len(last)))]][1], "lines")


def line_end_span(text: str, rng: np.random.Generator) -> Span | None:
    """From behind a token of a line to the line's end, without its line break."""
    limit = middle_limit(text)
    lines = content_lines(text)
    for number in rng.permutation(len(lines))[:32]:
        start, end = lines[int(number)]
        stops = [stop for stop in _stops(text, start, end) if end - stop <= limit]
        if stops:
            span = _settle(text, stops[int(rng.integers(len(stops)))], end, "line_end")
            if span is not None:
                return span
    return None


def node_span(text: str, language: str, rng: np.random.Generator) -> Span | None:
    """A syntax node; its kind is drawn by NODE_WEIGHTS among the kinds that the text has.

    The inside is taken of arguments and blocks in brackets, because editors close brackets by themselves.
    None when the language has no grammar or the text has no node that fits.
    """
    limit = middle_limit(text)
    found: dict[str, list[tuple[int, int]]] = {}
    for kind, start, end in syntax_nodes(text, language):
        if kind in ("arguments", "block") and _WRAPPED.get(text[start]) == text[end - 1] and end - start > 1:
            start, end = start + 1, end - 1
        piece = text[start:end]
        end -= len(piece) - len(piece.rstrip())
        start += len(piece) - len(piece.lstrip())
        if MIN_NODE <= end - start <= limit:
            found.setdefault(kind, []).append((start, end))
    kinds = [kind for kind in NODE_WEIGHTS if kind in found]
    if not kinds:
        return None
    spans = found[kinds[_draw(rng, np.array([NODE_WEIGHTS[kind] for kind in kinds]))]]
    return _settle(text, *spans[int(rng.integers(len(spans)))], "node")


def syntax_nodes(text: str, language: str) -> list[tuple[str, int, int]]:
    """Named nodes free of parse errors as (kind, start, end) in characters, in document order.

    Empty for a language without a grammar, and for a text that its grammar does not survive (`codekiln.grammars`). Text
    that begins or ends inside a construct is fine: the broken nodes are left out and the whole ones inside them stay.
    """
    grammar = grammar_of(language)
    if not grammar or not text:
        return []
    data = text.encode("utf-8", "surrogatepass")
    answer = ask("nodes", grammar, data)
    if answer is None:
        return []
    found = np.frombuffer(answer, np.uint32).reshape(-1, 3)
    places = found[:, 1:]
    if len(data) != len(text):
        starts = (np.frombuffer(data, np.uint8) & 0xC0) != 0x80
        places = np.concatenate([[0], np.cumsum(starts)])[places]
    return [(KINDS[kind], start, end) for kind, (start, end) in zip(found[:, 0].tolist(), places.tolist())]


def content_lines(text: str) -> list[tuple[int, int]]:
    """(start, end) of each line with content: behind its indentation, before its line break."""
    return [
        (match.end() - len(match.group().lstrip()), match.end())
        for match in _LINE.finditer(text)
        if match.group().strip()
    ]


def _stops(text: str, start: int, end: int) -> list[int]:
    """Places behind a token of the line, before its last one."""
    stops = [match.end() for match in _TOKEN.finditer(text, start, end)][:-1]
    return [stop for stop in stops if text[stop:end].strip()]


def _settle(text: str, start: int, end: int, kind: str) -> Span | None:
    """Move both ends inwards to whole characters; None when nothing is left."""
    while start < end and not is_boundary(text, start):
        start += 1
    while end > start and not is_boundary(text, end):
        end -= 1
    return Span(start, end, kind) if end > start else None


def _draw(rng: np.random.Generator, weights: np.ndarray) -> int:
    """An index with probability in proportion to its weight."""
    bounds = np.cumsum(weights)
    return min(int(np.searchsorted(bounds, rng.random() * bounds[-1], side="right")), len(bounds) - 1)


_SIMPLE = {"characters": characters_span, "line": line_span, "lines": lines_span, "line_end": line_end_span}
_SIMPLER = {
    "node": "line",
    "lines": "line",
    "line": "line_end",
    "line_end": "characters",
    "characters": "empty",
}
