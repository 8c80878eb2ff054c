"""How a server is connected to: certificates, proxy, login, redirects, and an end to everything in time."""

from __future__ import annotations

import contextlib
import functools
import http.client
import socket
import ssl
import threading
import urllib.request
from dataclasses import dataclass
from typing import Any

from codekiln.downloads.addresses import checked_link, without_login
from codekiln.errors import RunError, UserError, one_line


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


class Deadline:
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

    def __enter__(self) -> Deadline:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()


def login_for(url: str, access: Access) -> str | None:
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
        login = login_for(newurl, self._access)
        if request is not None and login:
            request.add_unredirected_header("Authorization", login)
        return request


def opener(access: Access, deadline: Deadline) -> urllib.request.OpenerDirector:
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

    director = urllib.request.OpenerDirector()
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
        director.add_handler(handler)
    return director


@functools.lru_cache(maxsize=8)
def _context(certificates: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=certificates)
    except OSError as error:
        raise UserError(f"certificates {certificates}: cannot be read ({one_line(error)})") from None
