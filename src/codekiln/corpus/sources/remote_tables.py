"""Tables at addresses: http and https by ranges, anything else by the drivers of fsspec (s3://, gs://, hf:// …)."""

from __future__ import annotations

import io
import os
import re
import shutil
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any, cast

from codekiln.corpus.sources.table_files import TableFile, file_name, is_compressed, is_lines, suffix_of
from codekiln.downloads import cachefolder, ranges, stores, web
from codekiln.downloads.addresses import login_of, shown, split, without_login
from codekiln.downloads.files import download
from codekiln.errors import RunError, UserError
from codekiln.progress import Progress
from codekiln.shards.disk import hash_json

#: What a driver calls the version of a file, the surest first; `size` is always part of the mark.
_MARKS = (
    "ETag", "etag", "md5Hash", "content_md5", "sha256", "blob_id", "generation", "crc32c",
    "LastModified", "last_modified", "mtime", "updated", "modified", "created",
)  # fmt: skip
_BUFFER = 1 << 17
#: A compressed table above this is not copied into the cache.
_MOST_BYTES = 1024**4
_COMMIT = re.compile(r"[0-9a-f]{40}")


def is_address(text: str) -> bool:
    """Whether a source is meant as the address of tables: a scheme and a table's suffix."""
    scheme, mark, _ = text.partition("://")
    return (
        bool(mark)
        and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme) is not None
        and suffix_of("x" + file_name(text)) is not None
    )


def expand(text: str) -> list[str]:
    """The addresses that a source stands for, sorted: a pattern with `*` is looked up where the system can list.

    A data set of the Hugging Face hub is pinned to the commit that its revision stands for now.

    Raises:
        UserError: nothing is there, a driver is missing, or the server cannot list.
        RunError: the system cannot be reached.
    """
    scheme = text.partition("://")[0].lower()
    if scheme in ("http", "https"):
        split(text)
        if "*" in text.partition("?")[0]:
            raise UserError(
                f"source {shown(text)}: a web server cannot list its files; give the address of each"
            )
        return [text]
    with _faults(text):
        system, path = _system(text)
        if scheme == "hf":
            path = _pinned(system, path)
        found = system.glob(path) if any(one in path for one in "*?[") else [path]
        if found == [path] and not system.exists(path):
            found = []
    found = sorted(one for one in found if suffix_of(str(one).rpartition("/")[2]))
    if not found:
        raise UserError(f"source {shown(text)}: no such table is there; check the address")
    return [one if "://" in one else f"{scheme}://{one}" for one in found]


def local_path(url: str) -> Path | None:
    """The path that a `file://` address means, None for any other address."""
    if not url.lower().startswith("file://"):
        return None
    return Path(url[len("file://") :])


def bring(url: str) -> TableFile:
    """A table's file, to be read in parts where it can be; else (compressed, no ranges) copied into the cache.

    Raises as `expand`.
    """
    http = url.lower().startswith(("http://", "https://"))
    if http:
        try:
            size, mark = ranges.probe(url, _access(url))
        except ranges.NoRanges:
            return _copied(url, 0, "")
        except web.WebError as error:
            if error.status in (404, 410):
                raise UserError(f"source {shown(url)}: no such file is there ({error.status})") from None
            raise
    else:
        with _faults(url):
            system, path = _system(url)
            size, mark = _state(system, path)
    if is_compressed(file_name(url)):
        return _copied(url, size, mark)
    return TableFile(url, size, mark)


def opened(file: TableFile) -> IO[bytes]:
    """The bytes of an address, seekable.

    Raises:
        RunError: it cannot be reached, or is another file than when it was found.
        UserError: a driver is missing, or access is denied.
    """
    if file.where.lower().startswith(("http://", "https://")):
        far = ranges.RangeFile(file.where, _access(file.where), file.size, file.mark)
        # Columns are read at places far apart: there a buffer would only fetch what nobody asked for.
        return cast("IO[bytes]", io.BufferedReader(far, _BUFFER) if is_lines(file.where) else far)
    with _faults(file.where):
        system, path = _system(file.where)
        if _state(system, path) != (file.size, file.mark):
            raise RunError(f"{file} changed while it was read; run again")
        return cast("IO[bytes]", system.open(path, "rb"))


def _access(url: str) -> web.Access:
    login, parts = login_of(url), split(without_login(url))
    return web.Access(logins=((f"{parts.scheme}://{parts.netloc}/", login),) if login else ())


def _system(url: str) -> tuple[Any, str]:
    return stores.system_of(url, f"source {shown(url)}")


def _pinned(system: Any, path: str) -> str:
    """A path on the Hugging Face hub with the commit in place of a branch."""
    found = system.resolve_path(path)
    if found.repo_type != "dataset" or not found.path_in_repo:
        raise UserError(f"source hf://{path[:200]}: write hf://datasets/OWNER/NAME/PATH.parquet")
    commit = found.revision
    if not _COMMIT.fullmatch(commit):
        commit = system._api.repo_info(found.repo_id, repo_type="dataset", revision=commit).sha
    return f"datasets/{found.repo_id}@{commit}/{found.path_in_repo}"


def _state(system: Any, path: str) -> tuple[int, str]:
    """(size, mark) of a file."""
    info = system.info(path)
    size = int(info.get("size") or 0)
    for key in _MARKS:
        if info.get(key) not in (None, ""):
            return size, f"{key}:{info[key]}:{size}"
    return size, ""


def _copied(url: str, size: int, mark: str) -> TableFile:
    """A file of the cache with the bytes of an address; one with a mark is fetched once."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", file_name(url))[-150:]
    folder = cachefolder.cache_root() / "tables" / hash_json([without_login(url), size, mark])
    target = folder / name
    with cachefolder.locked(f"table-{folder.name}"):
        if not (mark and target.is_file()):
            with Progress(f"fetch {name}", size or None, "bytes", every=5.0) as progress:
                if url.lower().startswith(("http://", "https://")):
                    download(
                        url,
                        target,
                        _access(url),
                        expected=None,
                        limit=_MOST_BYTES,
                        mark=mark,
                        told=progress.update,
                    )
                else:
                    _copy(url, target, progress)
    return TableFile(str(target))


def _copy(url: str, target: Path, progress: Progress) -> None:
    partial = target.with_name(target.name + ".partial")
    with _faults(url):
        system, path = _system(url)
        partial.parent.mkdir(parents=True, exist_ok=True)
        with system.open(path, "rb") as source, open(partial, "wb") as stream:
            while data := source.read(1 << 20):
                stream.write(data)
                progress.update(len(data))
            stream.flush()
            os.fsync(stream.fileno())
    shutil.move(partial, target)


def _faults(url: str) -> AbstractContextManager[None]:
    return stores.faults(url, f"source {shown(url)}")
