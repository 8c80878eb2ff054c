"""From bytes to text: UTF-8 first, what a byte order mark names, then the older encodings of source code."""

from __future__ import annotations

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LEGACY = ["cp1252", "cp1251", "koi8_r", "cp932", "euc_jp", "gb18030", "big5", "cp949"]
#: Two letters in a row of another script: less is no evidence for an encoding of one.
_OTHER_SCRIPT = re.compile(r"[\u0370-\u1fff\u3040-\ud7ff]{2}")
#: No Western text, and not even a table in one, has a larger share of bytes beyond ASCII.
_WESTERN = 0.3
_ASCII = re.compile(rb"[\x00-\x7f]+")
#: An encoding is guessed from lines with bytes beyond ASCII, about so many bytes of them.
_SAMPLE = 4_096

BINARY, UNKNOWN = "binary", "unknown encoding"


def decode(data: bytes) -> tuple[str | None, str]:
    """(text, encoding) of a file's bytes, or (None, reason).

    The text of UTF-8 is what its bytes say; of another encoding it comes without a byte order mark. Reasons:
    `binary` (a NUL byte outside UTF-16 and UTF-32), `unknown encoding`.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                text = data.decode(encoding)
            except UnicodeDecodeError:
                return None, BINARY
            return (text, encoding) if "\0" not in text else (None, BINARY)
    if b"\0" in data:
        return None, BINARY
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return _legacy(data)


def _legacy(data: bytes) -> tuple[str | None, str]:
    from charset_normalizer import from_bytes

    found = from_bytes(_sample(data), steps=3, cp_isolation=_LEGACY, enable_fallback=False).best()
    guesses = [found.encoding] if found is not None and _OTHER_SCRIPT.search(str(found)) else []
    western = ["cp1252"] if len(_ASCII.sub(b"", data)) <= _WESTERN * len(data) else []
    for encoding in [*guesses, *western]:
        try:
            return data.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    return None, UNKNOWN


def _sample(data: bytes) -> bytes:
    """Lines that hold bytes beyond ASCII: a comment in Japanese may stand far below the head of a file."""
    lines: list[bytes] = []
    size = 0
    for line in data.splitlines(keepends=True):
        if not line.isascii():
            lines.append(line[:_SAMPLE])
            size += len(lines[-1])
            if size >= _SAMPLE:
                break
    return b"".join(lines)
