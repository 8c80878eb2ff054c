"""Signals: what is measured once about every file, so that thresholds can change without reading again.

Every measure is a linear pass in C (bytes.translate, regular expressions, numpy); cheap necessary conditions
stand before the costly patterns. Sources of the measures: report section 2.1 (StarCoder2, DeepSeek-Coder).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from contextlib import closing
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from codekiln.corpus import opencoder
from codekiln.corpus.generated import is_generated
from codekiln.corpus.parsing import Parser
from codekiln.formats import CONTROL_IDS
from codekiln.shards.tables import COMPOSED_KINDS, SIGNALS

#: ASCII letters 2, digits 1, all else 0.
_ALPHABET = bytes(
    2 if chr(byte).isalpha() else int(chr(byte).isdigit()) for byte in range(128)
) + bytes(128)  # fmt: skip

_ASCII = bytes(range(128))
_CONTROL_TOKENS = re.compile("|".join(re.escape(token) for token in CONTROL_IDS))


def _table(members: bytes) -> bytes:
    """A translation table: members become `a`, other bytes a space."""
    return bytes(0x61 if byte in members else 0x20 for byte in range(256))


_BASE64_BYTES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_HEX_BYTES = b"0123456789abcdefABCDEF"
_SPACES = b" \t\r\n"
_IN_BASE64, _IN_HEX = _table(_BASE64_BYTES), _table(_HEX_BYTES + b"xX\\,")
_NOT_SPACE = bytes(byte not in _SPACES for byte in range(256))

# A run of at least 64 characters on a line, with the lines of at least 16 that go on with it: wrapped base64,
# yet not a list of one identifier a line.
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{64,}={0,2}(?:\r?\n[ \t]*[A-Za-z0-9+/]{16,}={0,2})*")
# At least 8 pairs of hexadecimal digits in a row, plain or as `0x..` or `\x..`, with commas or spaces between.
_HEX = re.compile(rb"(?<![0-9A-Za-z])(?:(?:0[xX]|\\x)?[0-9a-fA-F]{2}(?:[ \t]*,)?[ \t]*(?:\r?\n[ \t]*)?){8,}")
_UNICODE = re.compile(rb"(?:\\u[0-9a-fA-F]{4}){8,}")
_LETTERED = re.compile(rb"[a-fA-FxX]")


def measure(
    path: str, language: str, data: bytes, text: str, rulesets: Collection[str] = ("starcoder2",)
) -> dict[str, Any]:
    """All signals of one file but its id and its parse errors.

    Lengths are in characters of the decoded text; a line ends at a newline, and a carriage return before it
    belongs to the line end. Fractions are of all characters; visible text is measured for HTML alone (else null),
    what only OpenCoder's rules ask for where `rulesets` has them.
    """
    characters = len(text)
    lengths = _line_lengths(data, text)
    lines = len(lengths)
    letters, alphanumeric = _alphabet(data, text)
    matched, longest = _encoded(data)
    visible = len(visible_text(text)) if language == "html" else None
    measured = {
        "content_hash": hashlib.blake2b(data, digest_size=16).hexdigest(),
        "lines": lines,
        "characters": characters,
        "mean_line_length": round(int(lengths.sum()) / lines, 6) if lines else 0.0,
        "max_line_length": int(lengths.max()) if lines else 0,
        "alphabetic_fraction": round(letters / characters, 6) if characters else 0.0,
        "alphanumeric_fraction": round(alphanumeric / characters, 6) if characters else 0.0,
        "encoded_fraction": round(matched / len(data), 6) if data else 0.0,
        "encoded_longest": longest,
        "visible_text_characters": visible,
        "visible_text_fraction": None if visible is None else round(visible / max(characters, 1), 6),
        "xml_declaration": "<?xml version=" in text[:100],
        "generated": is_generated(text),
        "control_tokens": len(_CONTROL_TOKENS.findall(text)) if "<|" in text else 0,
    }
    if "opencoder" in rulesets:
        measured |= opencoder.measure(path, language, data, text, letters)
    return measured


def _line_lengths(data: bytes, text: str) -> npt.NDArray[np.int64]:
    """Characters of each line, without its end."""
    if b"\r\n" in data:
        text = text.replace("\r\n", "\n")
        data = text.encode()
    raw = np.frombuffer(data, np.uint8)
    (ends,) = (raw == 10).nonzero()
    if data and not data.endswith(b"\n"):
        ends = np.append(ends, len(data))
    lengths = ends.copy()
    lengths[1:] -= ends[:-1] + 1
    if len(data) != len(text) and len(ends):
        # Bytes that go on with a character are none of their own; no newline is one of them.
        inner = np.concatenate([[0], np.cumsum((raw & 0xC0) == 0x80, dtype=np.int64)])
        lengths -= np.diff(inner[np.minimum(ends, len(data))], prepend=0)
    return lengths


def _alphabet(data: bytes, text: str) -> tuple[int, int]:
    """Alphabetic and alphanumeric characters, in any script."""
    marks = np.frombuffer(data.translate(_ALPHABET), np.uint8)
    letters, alphanumeric = int(np.count_nonzero(marks > 1)), int(np.count_nonzero(marks))
    if len(data) != len(text):
        points, times = np.unique(
            np.frombuffer(data.translate(None, _ASCII).decode("utf-8", "replace").encode("utf-32-le"), "<u4"),
            return_counts=True,
        )
        for point, count in zip(points.tolist(), times.tolist()):
            letters += count * chr(point).isalpha()
            alphanumeric += count * chr(point).isalnum()
    return letters, alphanumeric


def _encoded(data: bytes) -> tuple[int, int]:
    """Bytes inside encoded data (base64, hex, Unicode escapes; overlaps counted once) and the longest match."""
    spans: list[tuple[int, int]] = []
    marks = data.translate(_IN_BASE64)
    start = marks.find(b"a" * 64)
    while start >= 0 and (match := _BASE64.match(data, start)):
        spans.append(match.span())
        start = marks.find(b"a" * 64, match.end())
    spans += _hexadecimal(data)
    if b"\\" in data and data.count(b"\\u") >= 8:
        spans += [match.span() for match in _UNICODE.finditer(data)]
    if not spans:
        return 0, 0
    total = reach = 0
    for start, end in sorted(spans):
        total += max(0, end - max(start, reach))
        reach = max(reach, end)
    return total, max(end - start for start, end in spans)


def _hexadecimal(data: bytes) -> list[tuple[int, int]]:
    """Matches of `_HEX` with a letter or an `x`: rows of two-digit decimal numbers are tables, not encoded bytes."""
    packed = data.translate(_IN_HEX, _SPACES)
    if b"a" * 16 not in packed:
        return []
    # A match lies in a run of bytes that it may be made of, white space left out; the pattern is slow elsewhere.
    edges = np.flatnonzero(np.frombuffer(b" " + packed + b" ", np.uint8) == 0x20)
    (long,) = (edges[1:] - edges[:-1] > 16).nonzero()
    places = np.append(np.flatnonzero(np.frombuffer(data.translate(_NOT_SPACE), np.bool_)), len(data))
    found: list[tuple[int, int]] = []
    for start, end in zip(places[edges[long]].tolist(), places[edges[long + 1] - 1].tolist()):
        if _LETTERED.search(data, start, end):
            spans = (match.span() for match in _HEX.finditer(data, start, end))
            found += [span for span in spans if _LETTERED.search(data, *span)]
    return found


def visible_text(html: str) -> str:
    """What a reader sees of an HTML page: no scripts, styles, comments or tags; white space collapsed.

    Linear in the length of the page, whatever is left unclosed.
    """
    lower = html.lower() if len(html.lower()) == len(html) else html
    pieces: list[str] = []
    position = 0
    while (found := _HIDDEN.search(lower, position)) is not None:
        pieces.append(html[position : found.start()])
        close = "-->" if found[0] == "<!--" else f"</{found[1]}"
        end = lower.find(close, found.end())
        if end < 0:
            position = len(html)
            break
        position = end + (len(close) if close == "-->" else 0)
    pieces.append(html[position:])
    return " ".join(_TAG.sub(" ", "\n".join(pieces)).split())


_HIDDEN = re.compile(r"<!--|<(script|style|template|noscript|svg)\b")
_TAG = re.compile(r"<[^<>]*>|&(?:nbsp|#160);")


def measure_table(
    files: pa.Table, rulesets: Collection[str] = ("starcoder2",), parse: bool = False
) -> tuple[pa.Table, dict[str, int]]:
    """Signals of a table of `files`, row for row; counts the control tokens seen.

    What `rulesets` do not ask for, and parse errors unless `parse`, are null. Of a commit or a conversation nobody asks
    whether it says that it is generated or begins with a declaration of XML.
    """
    rows = []
    columns = files.select(["id", "path", "language", "content", "kind"])
    with closing(Parser()) as parser:
        for batch in columns.to_batches():
            for identity, path, language, content, kind in zip(*(one.to_pylist() for one in batch.columns)):
                data = content.encode()
                row = {"id": identity} | measure(path, language, data, content, rulesets)
                if kind in COMPOSED_KINDS:
                    row |= {"generated": None, "xml_declaration": None}
                rows.append(row | {"parse_errors": parser.errors(language, path, data)} if parse else row)
    table = pa.Table.from_pylist(rows, schema=SIGNALS)
    return table, counted(table)


def counted(signals: pa.Table) -> dict[str, int]:
    """What a table of signals counts: its files, and the control tokens in them."""
    return {"files": signals.num_rows, "control_tokens": int(pc.sum(signals["control_tokens"]).as_py() or 0)}
