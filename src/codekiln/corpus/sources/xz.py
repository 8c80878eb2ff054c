"""Unpacking xz data piece by piece, with bounded memory."""

from __future__ import annotations

import io
import lzma
from typing import IO

_XZ_MEMORY = 256 * 1024**2


class Xz(io.RawIOBase):
    """An xz stream under a memory limit (its header says how much memory unpacking takes)."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw, self._unpack, self._pending = raw, lzma.LZMADecompressor(memlimit=_XZ_MEMORY), b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while True:
            if self._unpack.eof:
                self._pending = self._unpack.unused_data.lstrip(b"\0") or self._raw.read(1 << 16).lstrip(
                    b"\0"
                )
                if not self._pending:
                    return b""
                self._unpack = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
            elif self._unpack.needs_input and not self._pending:
                self._pending = self._raw.read(1 << 16)
                if not self._pending:
                    raise EOFError("the compressed data ends early")
            data = self._unpack.decompress(self._pending, max_length=size if size >= 0 else 1 << 20)
            self._pending = b""
            if data:
                return data
