"""Source archives (.zip .whl .tar .tar.gz .tgz .crate .tar.bz2 .tar.xz), read in memory and never unpacked to disk.

Sizes in an archive are claims: reads are bounded, and so is the total that is decompressed.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import os
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from codekiln.corpus.sources.xz import Xz
from codekiln.errors import BadSource, UserError, one_line

#: All that one archive may unpack to, and how many members it may have.
MAX_TOTAL_BYTES = 4 * 1024**3
MAX_MEMBERS = 500_000
#: A zip is listed without unpacking: refused is one that claims more than the total and so many times its own size.
MAX_RATIO = 100
#: Licence texts kept of one archive: so many different bytes, out of so many that are unpacked to see them.
MAX_TEXT_BYTES = 32 * 1024**2
MAX_TEXT_READ = 256 * 1024**2
_MAX_HEADER_BYTES = 1024**2
_MAX_SIZE = 2**63 - 1

UNSAFE, UNREACHED = "unsafe path in archive", "the archive cannot be read this far"

_KINDS = {
    ".zip": "zip", ".whl": "zip", ".tar": "tar", ".tar.gz": "tar", ".tgz": "tar", ".tar.bz2": "tar",
    ".tbz2": "tar", ".tar.xz": "tar", ".txz": "tar", ".crate": "tar",
}  # fmt: skip

_BROKEN = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, EOFError,
    NotImplementedError, OSError, ValueError, IndexError, KeyError, OverflowError, RecursionError, struct.error,
)  # fmt: skip


@dataclass(frozen=True)
class Member:
    """A member to be read: safe relative path, claimed size in bytes, position in the archive."""

    path: str
    size: int
    number: int


@dataclass(frozen=True)
class Refused:
    """A member that is not read, with the reason."""

    path: str
    size: int
    reason: str


def suffix_of(name: str) -> str | None:
    """The archive suffix of a file name (`.tar.gz`), or None when it is no archive."""
    lower = name.lower()
    fits = [suffix for suffix in _KINDS if lower.endswith(suffix) and len(lower) > len(suffix)]
    return max(fits, key=len) if fits else None


def safe_path(name: str) -> str | None:
    """A member's relative path in normal form, or None when it is absolute, climbs out or cannot be judged.

    Backslashes and drive letters count as what they mean on Windows.
    """
    if not name or name.startswith("/") or "\\" in name or "\0" in name:
        return None
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not parts or ".." in parts or re.match(r"[A-Za-z]:", parts[0]):
        return None
    return "/".join(parts)


def listing(
    archive: str, keep: Callable[[str], int], *, max_total: int = MAX_TOTAL_BYTES
) -> tuple[list[Member], list[Refused], dict[str, bytes]]:
    """Members, refused members, and the contents of the wanted ones, each path once: the last one wins.

    Args:
        keep: path -> up to how many bytes its content is wanted (0: not at all; used for licence texts). A text
            that is larger, or beyond `MAX_TEXT_BYTES` and `MAX_TEXT_READ`, is given as empty: it is there, but
            was not looked at. Equal texts are one object in memory.

    Raises:
        UserError: the archive is corrupt, encrypted as a whole, or unpacks to more than `max_total` bytes.
    """
    members: dict[str, Member] = {}
    refused: dict[str, Refused] = {}
    texts = _Texts()
    claimed, honest = 0, max(max_total, MAX_RATIO * os.path.getsize(archive))
    with _errors(archive):
        for count, (name, size, fault, number, read) in enumerate(_walk(archive, max_total)):
            if count >= MAX_MEMBERS:
                raise BadSource(
                    f"{archive} has more than {MAX_MEMBERS:,} members; unpack it and give the folder"
                )
            path = safe_path(name)
            size = min(max(size, 0), _MAX_SIZE)  # a claim, which must fit the column of sizes
            claimed += size
            if claimed > honest:
                raise _too_much(archive, max_total)
            # As when unpacking, the last member of a path replaces the earlier ones.
            members.pop(path or "", None)
            texts.found.pop(path or "", None)
            refused.pop(path or name, None)
            if path is None or fault:
                refused[path or name] = Refused(path or name, size, UNSAFE if path is None else fault)
                continue
            members[path] = Member(path, size, number)
            limit = keep(path)
            if size and limit:
                texts.add(path, size if size <= limit else 0, read)
    return sorted(members.values(), key=lambda member: member.path), list(refused.values()), texts.found


class _Texts:
    """Texts by path, within the limits on what one archive makes us hold and unpack."""

    def __init__(self) -> None:
        self.found: dict[str, bytes] = {}
        self._shared: dict[bytes, bytes] = {}
        self._read = self._held = 0

    def add(self, path: str, size: int, read: Callable[[int], bytes]) -> None:
        self._read += size
        data = read(size) if size and self._read <= MAX_TEXT_READ else b""
        mark = hashlib.blake2b(data, digest_size=16).digest()
        if mark not in self._shared:
            self._held += len(data)
            self._shared[mark] = data if self._held <= MAX_TEXT_BYTES else b""
        self.found[path] = self._shared[mark]


def contents(
    archive: str, limits: dict[int, int], *, max_total: int = MAX_TOTAL_BYTES
) -> Iterator[tuple[int, bytes | str]]:
    """(member number, at most so many first bytes or why there are none) of the members in `limits`, in archive order."""
    left = dict.fromkeys(limits)
    try:
        with _errors(archive):
            for _name, _size, _fault, number, read in _walk(archive, max_total, set(limits)):
                if number in left:
                    data = _content(read, limits[number])
                    del left[number]
                    yield number, data
                    if not left:
                        return
    except BadSource:  # damaged, or beyond what may be unpacked
        yield from ((number, UNREACHED) for number in left)


def _content(read: Callable[[int], bytes], limit: int) -> bytes | str:
    """A member's bytes, or why there are none: a damaged member of a zip costs itself."""
    try:
        return read(limit)
    except _BROKEN as error:
        return f"cannot be read ({one_line(error)[:120] or type(error).__name__})"


_Walk = Iterator[tuple[str, int, str, int, Callable[[int], bytes]]]


def _walk(archive: str, max_total: int, only: set[int] | None = None) -> _Walk:
    """(name, claimed size, fault, number, read) of every member that is not a folder."""
    walk = _walk_zip if _KINDS[suffix_of(archive) or ".zip"] == "zip" else _walk_tar
    return walk(archive, max_total, only)


def _walk_zip(archive: str, max_total: int, only: set[int] | None) -> _Walk:
    total = 0
    with zipfile.ZipFile(archive) as bundle:
        for number, info in enumerate(bundle.infolist()):
            if info.is_dir() or (only is not None and number not in only):
                continue
            mode = info.external_attr >> 16
            kind = stat.S_IFMT(mode) if info.create_system == 3 else 0
            fault = "encrypted" if info.flag_bits & 1 else ""
            if kind not in (0, stat.S_IFREG):
                fault = UNSAFE

            def read(limit: int, info: zipfile.ZipInfo = info) -> bytes:
                nonlocal total
                with bundle.open(info) as stream:
                    data = _at_most(stream, limit)
                total += len(data)
                if total > max_total:
                    raise _too_much(archive, max_total)
                return data

            # The raw name: `filename` is cut at a NUL byte and has its separators changed on some systems.
            yield info.orig_filename, info.file_size, fault, number, read


def _walk_tar(archive: str, max_total: int, only: set[int] | None) -> _Walk:
    with (
        open(archive, "rb") as raw,
        _decompressed(raw, archive, max_total) as stream,
        tarfile.open(fileobj=stream, mode="r|", tarinfo=_BoundedInfo) as bundle,
    ):
        number = 0
        while (info := bundle.next()) is not None:
            bundle.members = []  # type: ignore[attr-defined]  # a stream never goes back: keep no list of headers
            if bundle.offset > max_total:  # a claim that the stream would be searched for, block by block
                raise _too_much(archive, max_total)
            if not info.isdir():

                def read(limit: int, info: tarfile.TarInfo = info) -> bytes:
                    part = bundle.extractfile(info)
                    return _at_most(part, limit) if part else b""

                yield info.name, info.size, "" if info.isreg() else UNSAFE, number, read
            number += 1


def _at_most(stream: IO[bytes], limit: int) -> bytes:
    """Up to `limit` bytes, in pieces: one large read would allocate all that is asked for."""
    pieces = []
    while limit > 0 and (piece := stream.read(min(limit, 1 << 20))):
        pieces.append(piece)
        limit -= len(piece)
    return b"".join(pieces)


class _BoundedInfo(tarfile.TarInfo):
    """Refuses extension headers that claim megabytes: tarfile would read them into memory whole."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str | None, errors: str) -> Any:
        info = super().frombuf(buf, encoding, errors)  # type: ignore[arg-type]
        if info.size > _MAX_HEADER_BYTES and info.type not in tarfile.REGULAR_TYPES and not info.isdir():
            raise tarfile.ReadError("a header of more than 1 MiB")
        return info


class _Counted(io.RawIOBase):
    """A stream that stops a decompression bomb: it counts what was unpacked."""

    def __init__(self, stream: IO[bytes], archive: str, limit: int) -> None:
        self._stream, self._archive, self._limit, self._count = stream, archive, limit, 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size if size >= 0 else 1 << 20)
        self._count += len(data)
        if self._count > self._limit:
            raise _too_much(self._archive, self._limit)
        return data


def _decompressed(raw: IO[bytes], archive: str, limit: int) -> _Counted:
    suffix = suffix_of(archive)
    stream: Any = raw
    if suffix in (".tar.gz", ".tgz"):
        stream = gzip.GzipFile(fileobj=raw)
    elif suffix in (".tar.bz2", ".tbz2"):
        stream = bz2.BZ2File(raw)
    elif suffix in (".tar.xz", ".txz"):
        stream = Xz(raw)
    return _Counted(stream, archive, limit)


def _too_much(archive: str, limit: int) -> BadSource:
    return BadSource(
        f"{archive} unpacks to more than {limit / 1024**3:.0f} GiB; unpack it and give the folder"
    )


class _errors:
    """Any fault inside an archive becomes one line that names it."""

    def __init__(self, archive: str) -> None:
        self._archive = archive

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, PermissionError):
            raise UserError(f"cannot read {self._archive}: permission denied") from None
        if isinstance(error, _BROKEN):
            said = one_line(error)[:120] or type(error).__name__
            raise BadSource(f"{self._archive} is not a readable archive ({said}); fetch it again") from None
