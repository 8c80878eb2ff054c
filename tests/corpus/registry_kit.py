"""A server on real sockets that speaks the package indexes' formats and ranges, and misbehaves where it is told to."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import re
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from codekiln.downloads import web

Page = tuple[int, dict[str, str], bytes]


class Server:
    """`pages`: path -> (status, headers, body), or a function of the handler that answers itself."""

    def __init__(self) -> None:
        self.pages: dict[str, Page | Callable[[BaseHTTPRequestHandler], None]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.released = threading.Event()
        self.bytes = 0
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                owner.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
                page = owner.pages.get(self.path, (404, {}, b"no such page"))
                if callable(page):
                    self.close_connection = True
                    page(self)
                else:
                    owner.answer(self, page)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def answer(self, handler: BaseHTTPRequestHandler, page: Page) -> None:
        status, headers, body = page
        ranged = re.fullmatch(r"bytes=(\d+)-(\d*)", handler.headers.get("Range", ""))
        if status == 200 and ranged and headers.get("Accept-Ranges") != "none":
            start, end = int(ranged[1]), min(int(ranged[2] or len(body) - 1), len(body) - 1)
            if start >= len(body):
                status, body = 416, b""
            else:
                headers = headers | {"Content-Range": f"bytes {start}-{end}/{len(body)}"}
                status, body = 206, body[start : end + 1]
        self.bytes += len(body)
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # What a server may be told to do.

    def fails(self, times: int, page: Page, status: int = 503) -> Callable[[BaseHTTPRequestHandler], None]:
        """An error so many times, then the page."""
        left = [times]

        def run(handler: BaseHTTPRequestHandler) -> None:
            left[0] -= 1
            self.answer(handler, (status, {}, b"later") if left[0] >= 0 else page)

        return run

    def breaks(self, times: int, page: Page, after: int) -> Callable[[BaseHTTPRequestHandler], None]:
        """So many times the body ends after `after` bytes, while its length says more."""
        left = [times]

        def run(handler: BaseHTTPRequestHandler) -> None:
            left[0] -= 1
            if left[0] < 0:
                return self.answer(handler, page)
            start = int((re.findall(r"\d+", handler.headers.get("Range", "")) or ["0"])[0])
            whole = page[2]
            handler.send_response(206 if start else 200)
            if start:
                handler.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}")
            handler.send_header("Content-Length", str(len(whole) - start))
            handler.end_headers()
            handler.wfile.write(whole[start : start + after])
            return None

        return run

    def hangs(self, handler: BaseHTTPRequestHandler) -> None:
        """Nothing comes."""
        self.released.wait(20)

    def drips(self, handler: BaseHTTPRequestHandler) -> None:
        """A byte of a header now and then, never a whole one."""
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-A: ")
        while not self.released.wait(0.05):
            try:
                handler.wfile.write(b"a")
                handler.wfile.flush()
            except OSError:
                return

    def floods(self, kind: str, megabytes: int) -> Callable[[BaseHTTPRequestHandler], None]:
        """A page of so many megabytes."""

        def run(handler: BaseHTTPRequestHandler) -> None:
            handler.wfile.write(
                f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n".encode()
            )
            try:
                for _ in range(megabytes):
                    handler.wfile.write(b" " * 1024**2)
            except OSError:
                return

        return run


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    try:
        yield server
    finally:
        server.close()


def sdist(name: str, version: str, files: dict[str, str]) -> bytes:
    """A .tar.gz with everything below NAME-VERSION/; the same bytes every time."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as bundle:
        for path, text in files.items():
            info = tarfile.TarInfo(f"{name}-{version}/{path}")
            data = text.encode()
            info.size = len(data)
            bundle.addfile(info, io.BytesIO(data))
    return gzip.compress(out.getvalue(), mtime=0)


def wheel(files: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as bundle:
        for path, text in files.items():
            bundle.writestr(path, text)
    return out.getvalue()


def publish(
    server: Server, project: str, files: dict[str, bytes], *, kind: str = "json", **changed: dict[str, Any]
) -> None:
    """A project's page at /simple/PROJECT/ and its files at /files/; `changed`: file name with _ for . and - -> what its
    entry says in place of the usual."""
    entries = []
    for name, data in files.items():
        server.pages[f"/files/{name}"] = (200, {}, data)
        entry: dict[str, Any] = {
            "filename": name,
            "url": f"../../files/{name}",
            "hashes": {"sha256": hashlib.sha256(data).hexdigest()},
            "yanked": False,
        }
        entries.append(entry | changed.get(re.sub(r"[.-]", "_", name), {}))
    if kind == "json":
        body = json.dumps({"meta": {"api-version": "1.1"}, "name": project, "files": entries}).encode()
        server.pages[f"/simple/{project}/"] = (
            200,
            {"Content-Type": "application/vnd.pypi.simple.v1+json"},
            body,
        )
        return
    lines = []
    for entry in entries:
        digest = "".join(f"#{name}={value}" for name, value in entry["hashes"].items())
        yanked = ' data-yanked="bad &amp; ugly"' if entry["yanked"] else ""
        lines.append(
            f'<a href="{entry["url"]}{digest}" data-requires-python="&gt;=3.8"{yanked}>{entry["filename"]}</a><br>'
        )
    body = ("<!DOCTYPE html><html><body>\n" + "\n".join(lines) + "\n</body></html>").encode()
    server.pages[f"/simple/{project}/"] = (200, {"Content-Type": "text/html; charset=utf-8"}, body)


def publish_npm(
    server: Server,
    name: str,
    versions: dict[str, bytes],
    *,
    tags: dict[str, str] | None = None,
    **changed: Any,
) -> None:
    """A package's document at /NAME and its tarballs; `changed` goes into every `dist`."""
    found = {}
    for version, data in versions.items():
        path = f"/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
        server.pages[path] = (200, {}, data)
        dist = {
            "tarball": server.url + path,
            "shasum": hashlib.sha1(data).hexdigest(),
            "integrity": "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode(),
        } | changed
        found[version] = {"name": name, "version": version, "dist": {k: v for k, v in dist.items() if v}}
    document = {"name": name, "dist-tags": tags or {}, "versions": found}
    server.pages["/" + name.replace("/", "%2f")] = (
        200,
        {"Content-Type": "application/json"},
        json.dumps(document).encode(),
    )


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


@pytest.fixture
def indexed(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server as pip's index and npm's registry, an empty cache, and nothing of this machine's configuration."""
    for name in [*os.environ]:
        if name.upper().startswith(("PIP_", "NPM_CONFIG_", "CODEKILN_", "HF_")) or name.lower().endswith(
            "_proxy"
        ):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
    monkeypatch.setenv("PIP_TIMEOUT", "5")
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", server.url)
    monkeypatch.setenv("CODEKILN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(web, "WAITS", (0.01,))
    return server
