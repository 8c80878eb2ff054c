"""Files that are there whole or not at all, JSON and hashes; a disk's refusal is one line that names the path."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from codekiln.errors import RunError, one_line

_REFUSED = (
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.ENAMETOOLONG,
    errno.ELOOP,
)


def canonical_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def hash_json(value: Any) -> str:
    """SHA-256 in hex of a JSON value in its canonical form."""
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()


def hash_file(path: Path) -> str:
    """SHA-256 in hex of a file's bytes."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn a full disk or a refused write into one line that names the path."""
    try:
        yield
    except Exception as error:
        code = _errno(error)
        if code in (errno.ENOSPC, errno.EDQUOT):
            raise RunError(
                f"no space left on the disk while writing {path}; free some and run the same command again to go on"
            ) from error
        if code == errno.EFBIG:
            raise RunError(
                f"{path} would be larger than a file may be here; raise the limit (ulimit -f) and run the same "
                "command again to go on, or choose another folder with -o"
            ) from error
        if code is not None and code in _REFUSED:
            raise RunError(
                f"cannot write {path}: {os.strerror(code)}; choose another folder with -o"
            ) from error
        raise


def _errno(error: Exception) -> int | None:
    """The system's error number, also out of the message of a library in Rust (safetensors)."""
    if isinstance(error, OSError):
        return error.errno
    found = re.search(r"\(os error (\d+)\)", str(error))
    return int(found[1]) if found else None


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all (temporary file, fsync, rename)."""
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(path.name + ".tmp")
        with open(temporary, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document, indented and with sorted keys, whole or not at all."""
    write_bytes(path, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """A JSON document as `write_json` writes it."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def read_json(path: Path) -> Any:
    """Read a JSON document; a missing or broken one is a RunError that names it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{path} is missing; delete its folder and run again") from None
    except ValueError as error:
        raise RunError(f"{path} is not valid JSON ({one_line(error)}); delete it and run again") from None
