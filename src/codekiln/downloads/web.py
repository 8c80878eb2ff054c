"""HTTP as codekiln speaks it: http and https alone, bounded in bytes and time, tried again, one line where it fails.

What answers is not trusted: it may hang, drip, lie about its length or redirect to another scheme.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from codekiln.downloads.addresses import checked_link, shown, without_login
from codekiln.errors import RunError, UserError, one_line

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


@dataclass(frozen=True)
class Access:
    """How servers are reached.

    `timeout` is in seconds, to connect and between two pieces of an answer. `logins` are pairs of an address and the
    Authorization header for what lies below it. None of `certificates` and `proxy` means the system's.
    """

    timeout: float = 15.0
    tries: int = 4
    certificates: str | None = None
    proxy: str | None = None
    logins: tuple[tuple[str, str], ...] = ()


class WebError(RunError):
    """A server could not be reached, or gave no usable answer; `status` is what it answered, if anything."""

    def __init__(
        self, message: str, status: int | None = None, wait: float = 0.0, again: bool = True
    ) -> None:
        super().__init__(message)
        self.status, self.wait, self.again = status, wait, again


@dataclass
class Response:
    """An open answer. `url` is where redirects led, without a login; `length` the bytes of the body where told."""

    url: str
    status: int
    headers: Any
    length: int | None
    _stream: Any
    _deadline: _Deadline
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
    login = _login(url, access)
    if login:
        request.add_unredirected_header("Authorization", login)
    with _Deadline(total or _HEADER_TIMEOUTS * access.timeout) as deadline, contextlib.ExitStack() as stack:
        with _faults(said, deadline):
            opener = _opener(access, deadline)
            stream = stack.enter_context(contextlib.closing(opener.open(request, timeout=access.timeout)))
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


class _Deadline:
    """Ends connections when their time is over: a server that sends a byte now and then never runs into a timeout."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.over = seconds, False
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def add(self, sock: socket.socket) -> None:
        self._sockets.append(sock)
        if self.over:
            self._end()

    def cancel(self) -> None:
        self._timer.cancel()

    def _end(self) -> None:
        self.over = True
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> _Deadline:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()


@contextmanager
def _faults(said: str, deadline: _Deadline) -> Iterator[None]:
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


def _login(url: str, access: Access) -> str | None:
    """The Authorization header for an address: the longest prefix counts, on the same host alone."""
    bare = without_login(url)
    fits = [(len(prefix), header) for prefix, header in access.logins if bare.startswith(prefix)]
    return max(fits)[1] if fits else None


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = 5

    def __init__(self, access: Access) -> None:
        self._access = access

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        try:
            checked_link(req.full_url, newurl)
        except UserError as error:
            raise WebError(str(error), again=False) from None
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        login = _login(newurl, self._access)
        if request is not None and login:
            request.add_unredirected_header("Authorization", login)
        return request


def _opener(access: Access, deadline: _Deadline) -> urllib.request.OpenerDirector:
    """An opener without handlers for files, FTP and data addresses."""

    def connected(kind: type[http.client.HTTPConnection], **settings: Any) -> Any:
        class Connection(kind):  # type: ignore[valid-type, misc]
            def connect(self) -> None:
                super().connect()
                deadline.add(self.sock)

        return functools.partial(Connection, **settings)

    class Plain(urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(connected(http.client.HTTPConnection), req)

    class Secure(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            secure = connected(http.client.HTTPSConnection, context=_context(access.certificates))
            return self.do_open(secure, req)

    opener = urllib.request.OpenerDirector()
    proxies = {"http": access.proxy, "https": access.proxy} if access.proxy else None
    for handler in (
        urllib.request.ProxyHandler(proxies),
        Plain(),
        Secure(),
        _Redirects(access),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


@functools.lru_cache(maxsize=8)
def _context(certificates: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=certificates)
    except OSError as error:
        raise UserError(f"certificates {certificates}: cannot be read ({one_line(error)})") from None
