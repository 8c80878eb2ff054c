"""The words of a text and hashes of runs of them, in numpy: what decontamination compares.

A word is a maximal run of letters, digits and underscores of any script, compared without case; everything else
separates. So indentation, line ends, spacing, comment marks, quotes and brackets neither make nor break a match: a
solution that a formatter rewrote, or a task quoted in a comment, has the same words. An ideograph or kana is a word
of its own, since those scripts put no spaces. Texts beyond ASCII are compared in Unicode's form NFKC.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]

#: Bytes and words at a time: temporary arrays stay in the processor's cache (95 MB/s of source without, 290 with).
_BYTES, _WORDS = 1 << 18, 1 << 15
#: Words above this many bytes (data, not language) are hashed one by one: eight bytes a step would never end.
_LONG = 64

# Byte -> itself inside a word (upper case as lower case), 0 for separators; bytes beyond ASCII are parts of letters,
# since `encode_text` has taken the other characters out.
_WORD = bytes(
    byte if byte >= 128 or chr(byte).isalnum() or byte == 95 else 0 for byte in bytes(range(256)).lower()
)
_SEPARATOR = re.compile(r"[^\w\x00-\x7f]+")
_ALONE = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
# Normalising sorts the marks of one letter, in quadratic time; no language has so many (Unicode TR 15 allows 30).
_MANY_MARKS = re.compile(r"[^\w\x00-\x7f]{31}")

# Signs that normalising writes out as whole phrases, up to eighteen letters each.
_PHRASES = re.compile("[\ufdf0-\ufdfc]+")

_MASK = np.array([(1 << (8 * count)) - 1 for count in range(8)] + [2**64 - 1], np.uint64)
_ODD, _FOLD = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
_POWERS = np.array([pow(0xD6E8FEB86659FD93, power, 2**64) for power in range(10)], np.uint64)


@dataclass(frozen=True)
class Words:
    """Words of several texts, one behind the other.

    `data` holds the bytes of the texts and `text` the same with separators as NUL and one NUL before it, so that byte
    i of `data` is byte i + 1 of `text`. Word k is `text[starts[k]:ends[k]]` and its hash `hashes[k]`; text t begins
    at byte `offsets[t]` of `text`, and `offsets` has one entry more than there are texts.
    """

    data: bytes
    text: bytes
    starts: Places
    ends: Places
    hashes: Hashes
    offsets: Places

    def phrase(self, first: int, count: int) -> bytes:
        """`count` words from word `first` on, joined by blanks."""
        return phrase(self.text[self.starts[first] : self.ends[first + count - 1]])


def phrase(text: bytes) -> bytes:
    """Words separated by NULs as words separated by one blank each."""
    return b" ".join(text.replace(b"\0", b" ").split())


def encode_text(text: str) -> bytes:
    """The bytes that a text's words are looked for in; line breaks stay where they are."""
    if text.isascii():
        return text.encode()
    return "\n".join(line if line.isascii() else _plain(line) for line in text.split("\n")).encode()


def _plain(line: str) -> str:
    if not _MANY_MARKS.search(line):
        line = unicodedata.normalize("NFKC", _PHRASES.sub(" ", line))
    return _ALONE.sub(_apart, _SEPARATOR.sub(" ", line.lower()))


def _apart(match: re.Match[str]) -> str:
    return f" {' '.join(match[0])} "


def canonical(text: str) -> bytes:
    """The words of a text, joined by blanks."""
    return phrase(encode_text(text).translate(_WORD))


def words_of(parts: Iterable[bytes]) -> Words:
    """The words of texts that `encode_text` gave; linear in their size."""
    listed = list(parts)
    data = b"\n".join(listed)
    text = b"\0" + data.translate(_WORD) + bytes(9)
    offsets = np.fromiter(
        accumulate((len(part) + 1 for part in listed), initial=1), np.int64, count=len(listed) + 1
    )
    starts, ends, hashes = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, np.uint64)]
    at, last = 0, len(data) + 1
    while at < last:
        # A block begins and ends at a separator: no word lies in two blocks.
        end = text.rfind(0, at + 1, min(at + _BYTES, last) + 1)
        end = end if end > at else text.find(0, min(at + _BYTES, last))
        first, behind, values = _block(text, at, end)
        starts.append(first)
        ends.append(behind)
        hashes.append(values)
        at = end
    return Words(data, text, np.concatenate(starts), np.concatenate(ends), np.concatenate(hashes), offsets)


def _block(text: bytes, at: int, end: int) -> tuple[Places, Places, Hashes]:
    inside = np.frombuffer(text, np.uint8, end + 1 - at, at) != 0
    edges = np.flatnonzero(inside[1:] != inside[:-1]) + (at + 1)
    starts, ends = edges[::2], edges[1::2]
    lengths = ends - starts
    # Eight bytes from any place on: a word of up to eight letters is one gathered number.
    eights = np.ndarray((len(text) - 7,), "<u8", text, strides=(1,))
    values = _mixed(eights[starts] & _MASK[np.minimum(lengths, 8)])
    longer, done = np.flatnonzero(lengths > 8), 8
    while len(longer) and done < _LONG:
        more = eights[starts[longer] + done] & _MASK[np.minimum(lengths[longer] - done, 8)]
        values[longer] = _mixed((values[longer] ^ more) * _FOLD)
        done += 8
        longer = longer[lengths[longer] > done]
    for word in longer.tolist():
        digest = hashlib.blake2b(text[starts[word] : ends[word]], digest_size=8).digest()
        values[word] = int.from_bytes(digest, "little")
    return starts, ends, values


def _mixed(values: Hashes) -> Hashes:
    """A bijective scramble of 64 bits, in place."""
    values *= _ODD
    values ^= values >> np.uint64(32)
    values *= _FOLD
    values ^= values >> np.uint64(29)
    return values


def run_hashes(hashes: Hashes, count: int) -> Hashes:
    """A hash of each run of `count` (2 to 10) words, by the run's first word; empty where there are fewer words."""
    total = max(len(hashes) - count + 1, 0)
    values = np.empty(total, np.uint64)
    for at in range(0, total, _WORDS):
        some = min(at + _WORDS, total)
        values[at:some] = _runs(hashes[at : some + count - 1], count)
    return values


def runs_at(hashes: Hashes, places: Places, count: int) -> Hashes:
    """The hashes that `run_hashes` gives at some places; the runs have to end before the words do."""
    values = np.zeros(len(places), np.uint64)
    for word in range(count):
        values += hashes[places + word] * _POWERS[word]
    return _mixed(values + np.uint64(count))


def _runs(hashes: Hashes, count: int) -> Hashes:
    # Σ hash[i + j] · power[j]: sums of 1, 2, 4, 8 words by doubling, put together by the binary digits of `count`.
    total, size, taken = len(hashes) - count + 1, 1, 0
    sums, values = hashes, np.zeros(len(hashes) - count + 1, np.uint64)
    while True:
        if count & size:
            values += sums[taken : taken + total] * _POWERS[taken]
            taken += size
        if 2 * size > count:
            return _mixed(values + np.uint64(count))
        sums = sums[:-size] + sums[size:] * _POWERS[size]
        size *= 2
