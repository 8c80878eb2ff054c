"""One file from a server into the cache: resumed where it broke off, verified, there whole or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from codekiln.downloads import web
from codekiln.downloads.addresses import shown
from codekiln.downloads.cachefolder import sync
from codekiln.errors import RunError

_BLOCK = 1 << 20
#: Hashes that a server's word may be given in, the strongest first; SHA-1 is all that old npm packages have.
ALGORITHMS = ("sha512", "sha384", "sha256", "sha1")


def file_hash(path: Path, algorithm: str) -> str:
    """A file's hash in hex."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


def download(
    url: str,
    target: Path,
    access: web.Access,
    *,
    expected: tuple[str, str] | None,
    limit: int,
    mark: str = "",
    told: Callable[[int], None] = lambda _: None,
) -> None:
    """Bring a file to `target` by way of `target`.partial, which a later call goes on with.

    Args:
        expected: (algorithm, hash in hex) of the whole, None where nobody has said.
        limit: bytes above which the file is refused.
        mark: version of the file (`web.mark_of`) that every answer must have. Without one and without a hash nothing
            of an earlier call is used.
        told: called with the bytes that came, negative where some are thrown away.

    Raises:
        WebError: the server fails after some tries, or sends another content than `expected`.
        UserError: as `web.opened`.
        RunError: the disk refuses.
    """
    partial = target.with_name(target.name + ".partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if expected is None and not mark:
            partial.unlink(missing_ok=True)
        resumed = partial.exists()
        if resumed:
            told(partial.stat().st_size)
        web.tried(lambda: _more(url, partial, access, limit, mark, told), access)
        if resumed and expected and file_hash(partial, expected[0]) != expected[1]:
            # What an earlier call left may have been of another file: once more, from the beginning.
            told(-partial.stat().st_size)
            partial.unlink()
            web.tried(lambda: _more(url, partial, access, limit, mark, told), access)
        if expected and (found := file_hash(partial, expected[0])) != expected[1]:
            partial.unlink()
            raise web.WebError(
                f"{shown(url)} has the {expected[0]} {found[:16]}…, not {expected[1][:16]}… as its index says; removed"
            )
        sync(partial)
        partial.rename(target)
        sync(target.parent)
    except OSError as error:
        raise RunError(
            f"{target.parent}: cannot write ({error.strerror or error}); free some space or set CODEKILN_CACHE to "
            "another disk"
        ) from error


def _more(
    url: str, partial: Path, access: web.Access, limit: int, mark: str, told: Callable[[int], None]
) -> None:
    """Append to `partial` what is missing."""
    held = partial.stat().st_size if partial.exists() else 0
    headers = {"Range": f"bytes={held}-"} if held else {}
    try:
        with web.opened(url, access, headers) as answer, open(partial, "r+b" if held else "wb") as stream:
            if mark and web.mark_of(answer.headers) != mark:
                raise web.WebError(f"{shown(url)} changed while it was read; run again", again=False)
            fits = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(
                f"bytes {held}-"
            )
            if held and not fits:
                if answer.status == 206:
                    raise web.WebError(f"{shown(url)} sent another part than was asked for")
                told(-held)
                held = 0
                stream.truncate(0)
            stream.seek(held)
            for piece in answer.pieces():
                held += len(piece)
                if held > limit:
                    told(len(piece) - held)
                    stream.truncate(0)
                    raise web.WebError(f"{shown(url)} is larger than {limit / 1024**3:.1f} GiB", again=False)
                stream.write(piece)
                told(len(piece))
            stream.flush()
            os.fsync(stream.fileno())
    except web.WebError as error:
        if error.status != 416 or not held:
            raise
        # Nothing is left to send: the file is whole, or what is here belongs to another one; its hash tells.
