"""Reading a batch of candidates: each becomes a row of `files`, or a skipped path with its reason."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from codekiln.corpus import archives, git, languages, licenses, names, walking
from codekiln.corpus.records import Candidate, Source
from codekiln.shards.tables import FILES, SKIPPED

#: Enough of a file without a known language to see a shebang line or a NUL byte.
HEAD_BYTES = 8192

_LFS = b"version https://git-lfs.github.com/spec/v1\n"


@dataclass(frozen=True)
class Part:
    """Candidates of one source, sorted by path, with the licence verdicts of its folders."""

    source: Source
    candidates: tuple[Candidate, ...]
    folders: dict[str, licenses.License]


@dataclass(frozen=True)
class Batch:
    """The task of one shard: parts sorted by repository, and what limits reading.

    `languages` keeps only these when given.
    """

    parts: tuple[Part, ...]
    max_file_bytes: int
    languages: tuple[str, ...] | None = None


def wanted_bytes(path: str, max_file_bytes: int) -> int:
    """How many bytes of a path are read: one above the limit, or only the head where the language is unknown."""
    return max_file_bytes + 1 if languages.may_be_code(path) else HEAD_BYTES


def contents(
    source: Source, candidates: Iterable[Candidate], max_file_bytes: int
) -> Iterator[tuple[Candidate, bytes | str]]:
    """Each candidate with its bytes (never more than `wanted_bytes`) or the reason why it cannot be read.

    The order is the source's own: archives are read front to back.
    """
    candidates = list(candidates)
    if source.kind == "folder":
        root = Path(source.root)
        for candidate in candidates:
            yield (
                candidate,
                walking.read_inside(root, candidate.path, wanted_bytes(candidate.path, max_file_bytes)),
            )
    elif source.kind == "blobs":
        blobs = git.blobs(source.repository, [c.where for c in candidates], max_file_bytes)
        for candidate, data in zip(candidates, blobs):
            if not names.is_inside(candidate.path):
                yield candidate, names.UNSAFE
            else:
                yield candidate, data if data is not None else "corrupt or missing object"
    else:
        limits = {int(c.where): wanted_bytes(c.path, max_file_bytes) for c in candidates}
        by_number = {int(c.where): c for c in candidates}
        for number, data in archives.contents(source.root, limits):
            yield by_number[number], data


def judge(path: str, data: bytes | str, max_file_bytes: int) -> tuple[str, str]:
    """(language, text) of a file's bytes, or ("", reason) when it is skipped."""
    if isinstance(data, str):
        return "", data
    if not data:
        return "", "empty"
    if data.startswith(_LFS):
        return "", "Git LFS pointer"
    if b"\0" in data:
        return "", "binary"
    if wanted_bytes(path, max_file_bytes) == HEAD_BYTES:
        return "", "unknown language"
    if len(data) > max_file_bytes:
        return "", "too large"
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return "", "not UTF-8"
    language = languages.detect(path, text)
    return (language, text) if language else ("", "unknown language")


def file_id(repo: str, path: str, data: bytes) -> str:
    """32 hex digits of a BLAKE2b over (repo, path, content), each preceded by its length."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (repo.encode(), path.encode(), data):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def read_files(batch: Batch) -> tuple[pa.Table, dict[str, int]]:
    """The rows of `files` of a batch, sorted by (repo, path), and how many files and bytes were read."""
    rows: list[tuple[object, ...]] = []
    for part in batch.parts:
        source = part.source
        for candidate, data in contents(source, part.candidates, batch.max_file_bytes):
            path = candidate.path
            language, text = judge(path, data, batch.max_file_bytes)
            if not language or (batch.languages is not None and language not in batch.languages):
                continue
            assert isinstance(data, bytes)
            verdict = source.license or licenses.of_file(path, data, part.folders)
            revision = source.revision
            if candidate.committed and (
                source.kind == "blobs" or git.blob_id(data, candidate.committed) == candidate.committed
            ):
                revision = source.commit
            identity = file_id(source.repo, path, data)
            verdict_columns = (list(verdict.licenses), verdict.license_type, verdict.evidence)
            place = (identity, source.repo, path, revision, candidate.added_at, language)
            rows.append((*place, *verdict_columns, len(data), text))
    rows.sort(key=lambda row: row[1:3])
    columns = list(zip(*rows)) if rows else [()] * len(FILES)
    arrays = [pa.array(column, type=field.type) for column, field in zip(columns, FILES)]
    table = pa.Table.from_arrays(arrays, schema=FILES)
    return table, {"files": len(rows), "bytes": int(pc.sum(table["size"]).as_py() or 0)}


def read_skipped(batch: Batch) -> pa.Table:
    """The reasons of candidates that did not become rows, in order."""
    rows: list[tuple[str, str, str, int]] = []
    for part in batch.parts:
        for candidate, data in contents(part.source, part.candidates, batch.max_file_bytes):
            language, reason = judge(candidate.path, data, batch.max_file_bytes)
            if language:
                other = batch.languages is not None and language not in batch.languages
                reason = "language not selected" if other else "changed while it was read"
            rows.append((part.source.repo, candidate.path, reason, candidate.size))
    return skipped_table(rows)


def skipped_table(rows: list[tuple[str, str, str, int]]) -> pa.Table:
    """Rows (repo, path, reason, size) as a table of `skipped`, sorted by (repo, path); an unknown size is 0."""
    known = sorted((repo, path, reason, max(size, 0)) for repo, path, reason, size in rows)
    columns = list(zip(*known)) if known else [()] * len(SKIPPED)
    arrays = [pa.array(column, type=field.type) for column, field in zip(columns, SKIPPED)]
    return pa.Table.from_arrays(arrays, schema=SKIPPED)
