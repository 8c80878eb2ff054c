"""A file on a server, read in parts by HTTP ranges: nothing is downloaded but what is asked for."""

from __future__ import annotations

import io
import re
from typing import Any

from codekiln.downloads import web
from codekiln.downloads.addresses import shown

#: Bytes that are asked for beyond what is wanted while a file is read front to back, from the least to the most.
_AHEAD, _MOST_AHEAD = 256 * 1024, 16 * 1024**2
_TOTAL = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})", re.ASCII)


class NoRanges(Exception):
    """The server sends whole files only."""


def probe(url: str, access: web.Access) -> tuple[int, str]:
    """(size in bytes, mark) of a file; the mark changes with its content: its ETag, else its date, else "".

    Raises:
        NoRanges: the server has the file, but gives no part of it.
        WebError, UserError: as `web.opened`.
    """

    def once() -> tuple[int, str]:
        with web.opened(url, access, {"Range": "bytes=0-0"}) as answer:
            found = _TOTAL.fullmatch(answer.headers.get("Content-Range", "").strip())
            if answer.status != 206 or not found:
                raise NoRanges
            return int(found[3]), web.mark_of(answer.headers)

    return web.tried(once, access)


class RangeFile(io.RawIOBase):
    """A seekable file of `size` bytes at an address; every part must still have the mark that `probe` gave."""

    def __init__(self, url: str, access: web.Access, size: int, mark: str) -> None:
        self._url, self._access, self._size, self._mark = url, access, size, mark
        self._place = 0
        self._start, self._held = 0, b""
        self._ahead = _AHEAD

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = max(base + offset, 0)
        return self._place

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        wanted, filled = min(len(view), self._size - self._place), 0
        while filled < wanted:
            at = self._place - self._start
            if not 0 <= at < len(self._held):
                self._fill(wanted - filled)
                at = 0
            count = min(wanted - filled, len(self._held) - at)
            view[filled : filled + count] = self._held[at : at + count]
            filled += count
            self._place += count
        return filled

    def _fill(self, wanted: int) -> None:
        """Hold the next bytes: those that are wanted and, while the file is read front to back, more and more."""
        end = self._start + len(self._held)
        self._ahead = min(self._ahead * 2, _MOST_AHEAD) if self._held and self._place == end else _AHEAD
        start, last = self._place, min(self._place + max(wanted, self._ahead), self._size)
        self._held = web.tried(lambda: self._part(start, last), self._access)
        self._start = start

    def _part(self, start: int, end: int) -> bytes:
        """Bytes `start` to `end`."""
        said = shown(self._url)
        with web.opened(self._url, self._access, {"Range": f"bytes={start}-{end - 1}"}) as answer:
            found = _TOTAL.fullmatch(answer.headers.get("Content-Range", "").strip())
            same = found and int(found[3]) == self._size and web.mark_of(answer.headers) == self._mark
            if answer.status != 206 or not same:
                raise web.WebError(f"{said} changed while it was read; run again", again=False)
            if found and (int(found[1]), int(found[2])) != (start, end - 1):
                raise web.WebError(f"{said} sent another part than was asked for")
            parts, count = [], 0
            for piece in answer.pieces():
                count += len(piece)
                if count > end - start:
                    raise web.WebError(f"{said} sent more than was asked for")
                parts.append(piece)
            if count < end - start:
                raise web.WebError(f"{said} broke off after {count:,} of {end - start:,} bytes")
            return b"".join(parts)
