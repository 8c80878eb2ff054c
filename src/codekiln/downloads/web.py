"""HTTP as codekiln speaks it: http and https alone, bounded in bytes and time, tried again, one line where it fails.

What answers is not trusted: it may hang, drip, lie about its length or redirect to another scheme.
"""

from __future__ import annotations

import contextlib
import http.client
import ssl
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from codekiln.downloads.addresses import checked_link, shown, without_login
from codekiln.downloads.connections import Access, Deadline, WebError, login_for, opener
from codekiln.errors import UserError, one_line

#: Seconds before the second, third … try; a Retry-After header counts up to `_LONGEST_WAIT`.
WAITS = (0.5, 1.0, 2.0, 4.0)
_LONGEST_WAIT = 30.0
_AGAIN = frozenset([408, 425, 429, 500, 502, 503, 504])
#: An answer's headers, and a whole page, may take so many timeouts.
_HEADER_TIMEOUTS, _PAGE_TIMEOUTS = 2, 8
#: A body slower than this over one timeout counts as hanging.
_SLOWEST = 64
_BLOCK = 1 << 16

Answer = TypeVar("Answer")

__all__ = ["Access", "Response", "WebError", "mark_of", "opened", "read_page", "tried"]


@dataclass
class Response:
    """An open answer. `url` is where redirects led, without a login; `length` the bytes of the body where told."""

    url: str
    status: int
    headers: Any
    length: int | None
    _stream: Any
    _deadline: Deadline
    _timeout: float
    _said: str

    def pieces(self) -> Iterator[bytes]:
        """The body as it comes.

        Raises:
            WebError: it breaks off, hangs, drips, or is shorter than was told.
        """
        count, since, before = 0, time.monotonic(), 0
        with _faults(self._said, self._deadline):
            while piece := self._stream.read1(_BLOCK):
                count += len(piece)
                yield piece
                now = time.monotonic()
                if now - since > self._timeout:
                    if count - before < _SLOWEST * self._timeout:
                        raise WebError(
                            f"{self._said} is too slow: {count - before} bytes in {now - since:.0f} s"
                        )
                    since, before = now, count
        if self.length is not None and count < self.length:
            raise WebError(f"{self._said} broke off after {count:,} of {self.length:,} bytes")


def read_page(
    url: str, access: Access, *, limit: int, accept: str = "*/*", what: str = "page"
) -> tuple[bytes, str, str]:
    """(body, content type, final address) of a page of at most `limit` bytes, also when it comes compressed.

    Raises:
        WebError: no whole answer after some tries, or one with another status than 200 (not tried again: 404).
        UserError: the address is no http or https address, or a login is wanted.
    """
    headers = {"Accept": accept, "Accept-Encoding": "gzip"}

    def once() -> tuple[bytes, str, str]:
        with opened(url, access, headers, total=_PAGE_TIMEOUTS * access.timeout) as answer:
            packed = answer.headers.get("Content-Encoding", "").strip().lower() == "gzip"
            unpack = zlib.decompressobj(wbits=31) if packed else None
            parts, size = [], 0
            for piece in answer.pieces():
                if unpack:
                    try:
                        piece = unpack.decompress(piece, limit + 1 - size)
                    except zlib.error as error:
                        raise WebError(f"{shown(url)} is damaged ({one_line(error)})") from None
                size += len(piece)
                if size > limit:
                    raise WebError(f"{shown(url)} is no {what}: more than {limit >> 20} MiB", again=False)
                parts.append(piece)
            if unpack and not unpack.eof:
                raise WebError(f"{shown(url)} broke off after {size:,} bytes")
            return b"".join(parts), answer.headers.get("Content-Type", ""), answer.url

    return tried(once, access)


def tried(once: Callable[[], Answer], access: Access) -> Answer:
    """The result of `once`, called again after a wait where a WebError may pass."""
    for number in range(max(access.tries, 1)):
        try:
            return once()
        except WebError as error:
            if not error.again or number + 1 >= access.tries:
                raise
            time.sleep(max(WAITS[min(number, len(WAITS) - 1)], min(error.wait, _LONGEST_WAIT)))
    raise AssertionError


@contextmanager
def opened(
    url: str, access: Access, headers: dict[str, str] | None = None, *, total: float | None = None
) -> Iterator[Response]:
    """An answer with status 200 or 206, its body still to be read, within `total` seconds where given.

    Raises:
        WebError: anything else came; `status` says what.
        UserError: the address is no http or https address, or a login is wanted or wrong.
    """
    checked_link(url, url)
    said, bare = shown(url), without_login(url)
    given = {"User-Agent": "codekiln", **(headers or {})}
    request = urllib.request.Request(bare, headers=given)
    if login := login_for(url, access):
        request.add_unredirected_header("Authorization", login)
    with Deadline(total or _HEADER_TIMEOUTS * access.timeout) as deadline, contextlib.ExitStack() as stack:
        with _faults(said, deadline):
            answer = opener(access, deadline).open(request, timeout=access.timeout)
            stream = stack.enter_context(contextlib.closing(answer))
        if total is None:
            deadline.cancel()
        if stream.status not in (200, 206):
            raise WebError(f"{said} answered {stream.status}", stream.status, again=False)
        told = stream.headers.get("Content-Length", "")
        length = int(told) if told.isascii() and told.isdigit() and len(told) < 19 else None
        yield Response(
            stream.geturl(), stream.status, stream.headers, length, stream, deadline, access.timeout, said
        )


def mark_of(headers: Any) -> str:
    """What headers say of a file's version; a weak ETag says nothing about its bytes."""
    etag = headers.get("ETag", "").strip()
    return etag if etag and not etag.startswith("W/") else headers.get("Last-Modified", "").strip()


@contextmanager
def _faults(said: str, deadline: Deadline) -> Iterator[None]:
    """Whatever goes wrong with a connection as one line with the address."""
    try:
        yield
        if deadline.over:
            raise WebError(f"{said} gave no whole answer within {deadline.seconds:.0f} s")
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (401, 403, 407):
            raise UserError(
                f"{said} answered {error.code} {one_line(error.reason)[:60]}; it wants a login, or another one"
            ) from None
        if 300 <= error.code < 400:
            where = shown(error.headers.get("Location", "") if error.headers else "")
            raise WebError(
                f"{said} redirects to {where or 'nowhere'}, which is not followed", again=False
            ) from None
        after = error.headers.get("Retry-After", "") if error.headers else ""
        raise WebError(
            f"{said} answered {error.code} {one_line(error.reason)[:60]}".rstrip(),
            error.code,
            float(after) if after.isascii() and after.isdigit() and len(after) < 6 else 0.0,
            error.code in _AGAIN,
        ) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        if deadline.over:
            raise WebError(f"{said} gave no whole answer within {deadline.seconds:.0f} s") from None
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise WebError(
                f"{said}: its certificate is not trusted ({reason.verify_message})", again=False
            ) from None
        if isinstance(reason, TimeoutError):
            raise WebError(f"{said} does not answer (timeout)") from None
        text = one_line(getattr(reason, "strerror", None) or reason)[:120] or type(reason).__name__
        raise WebError(f"{said} cannot be reached ({text})") from None
