"""The sources stage: repositories, folders, files and archives become the datasets `files` and `skipped`."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from codekiln.corpus import languages
from codekiln.corpus.config import SourceConfig
from codekiln.corpus.sources import pieces, reading, table_reading
from codekiln.corpus.sources.listing import list_sources, nothing_found, opt_outs
from codekiln.corpus.sources.records import Candidate, Listing
from codekiln.shards import Dataset, Executor, Stage, build
from codekiln.shards.store import hash_json
from codekiln.shards.tables import FILES, SKIPPED, schema_version

VERSION = 5

#: Candidates of one batch in bytes: one Parquet shard. A compressed archive has no random access, so that its
#: batches are larger: each reads the archive from its beginning.
BATCH_BYTES = 32 * 1024**2
ARCHIVE_BATCH_BYTES = 128 * 1024**2
#: Small files count for so much, to bound the rows of a batch.
_FILE_OVERHEAD = 1024


@dataclass(frozen=True)
class Found:
    """Sources as they were found: the files of each, and a hash over all that reading them would read.

    `digests` are SHA-256 of the files that were read for it, by (repository, path); `seen_ns` is the time before that.
    """

    listings: list[Listing]
    fingerprint: str
    digests: dict[tuple[str, str], str] = field(default_factory=dict)
    seen_ns: int = 0


def find(config: SourceConfig) -> Found:
    """List the sources and hash what they hold.

    `fingerprint` is a SHA-256 in hex: contents of candidate files, paths and reasons of skipped ones (with the size
    of one above `max_file_bytes`), the commit of a revision, the bytes of an archive. Of files that are no source code
    by name and first bytes only the path counts.

    Raises:
        UserError: as `list_sources`.
    """
    seen_ns = time.time_ns()
    listings = list_sources(config)
    digests: dict[tuple[str, str], str] = {}
    return Found(listings, _fingerprint(listings, config, digests), digests, seen_ns)


def _fingerprint(listings: list[Listing], config: SourceConfig, digests: dict[tuple[str, str], str]) -> str:
    parts: list[Any] = [
        config.max_file_bytes,
        config.languages,
        config.revision,
        config.notebooks,
        config.redact,
    ]
    for listing in listings:
        source = listing.source
        folders = sorted((folder, str(verdict)) for folder, verdict in listing.folders.items())
        part: list[Any] = [source.repo, source.kind, source.commit, source.revision, listing.shallow, folders]
        if listing.table:
            part += [sorted(config.columns.items()), [line.line for line in opt_outs(config)]]
        if source.kind == "folder":
            for candidate, data in reading.contents(source, listing.candidates, config.max_file_bytes):
                # What is no code by name and head is not read for a row: a log file that grows changes nothing.
                if isinstance(data, str):
                    digest = data
                elif languages.may_be_code(candidate.path) or languages.looks_like_code(candidate.path, data):
                    digest = hashlib.sha256(data).hexdigest()
                else:
                    digests[source.repo, candidate.path] = "binary" if b"\0" in data else "no code"
                    continue
                digests[source.repo, candidate.path] = digest
                part.append([candidate.path, digest, candidate.added_at])
        else:
            part += [candidate.path for candidate in listing.candidates]
        bare = [
            candidate.path for candidate in listing.candidates if not languages.may_be_code(candidate.path)
        ]
        for skip in listing.skipped:
            if skip.reason in ("too large", "empty") and not languages.may_be_code(skip.path):
                bare.append(skip.path)
            else:
                part.append([skip.path, skip.reason, skip.size if skip.reason == "too large" else 0])
        parts.append([*part, sorted(bare)])
    return hash_json(parts)


def build_sources(
    folder: Path,
    config: SourceConfig,
    *,
    seed: int,
    executor: Executor | None,
    found: Found | None = None,
    earlier: Path | None = None,
) -> None:
    """Write the datasets `folder/files` and `folder/skipped`, rows sorted by (repo, path), and `folder/pieces.json`.

    `found` is what `find` gave for the same configuration. Every path that was looked at is in one of the two; what
    git or a .gitignore ignores is in neither. `earlier` is the output of an earlier build: what it made of the same
    bytes with the same settings is taken from there and not read again.

    Raises:
        UserError: as `list_sources`, or not one file of source code was found.
        RunError: the disk is full or a worker died; run again to go on.
    """
    found = found or find(config)
    listings, mark = found.listings, found.fingerprint
    settings = config.model_dump(
        mode="json", include={"max_file_bytes", "languages", "revision", "notebooks", "redact"}
    )
    shallow = sorted(listing.source.repo for listing in listings if listing.shallow)
    known = pieces.earlier_pieces(earlier)
    tasks = list(enumerate(_shards(pieces.known(one, known) for one in _pieces(found, config, settings))))
    settings |= {"shallow": shallow} if shallow else {}
    stage = Stage("sources", VERSION, settings, {"sources": mark}, seed)
    notes = partial(pieces.notes_folder, folder)
    files = build(
        folder / "files", stage, FILES, partial(pieces.make_files, notes("files"), found.seen_ns), tasks,
        executor=executor,
    )  # fmt: skip
    read = {(row["repo"], row["path"]) for row in files.rows(["repo", "path"])}
    stage = Stage("skipped", VERSION, settings, {"sources": mark, "files": files.content_hash}, seed)
    left: list[_Left] = [
        [
            (listing.source.repo, skip.path, skip.reason, skip.size)
            for listing in listings
            for skip in listing.skipped
        ]
    ]
    left += [(number, tuple(_unread(piece, read) for piece in shard)) for number, shard in tasks]
    make = partial(_skipped, notes("skipped"))
    skipped = build(folder / "skipped", stage, SKIPPED, make, left, quiet=True)
    pieces.note(folder, files, skipped, tasks)
    if not len(files):
        raise nothing_found(config, _reasons(skipped))


def _reasons(skipped: Dataset) -> Iterator[str]:
    return (row["reason"] for row in skipped.rows(["reason"]))


#: What is known to be skipped, or where the rest is to be looked at again for its reasons.
_Left: TypeAlias = "pieces.Shard | list[tuple[str, str, str, int]]"


def _skipped(notes: Path, task: _Left) -> Any:
    return reading.skipped_table(task) if isinstance(task, list) else pieces.make_skipped(notes, task)


def _pieces(found: Found, config: SourceConfig, settings: dict[str, Any]) -> Iterator[pieces.Piece]:
    """All sources in pieces, in the order of (repo, path), tables last; each ends by its own files alone."""
    alike = [VERSION, schema_version(FILES), schema_version(SKIPPED), settings]
    for listing in found.listings:
        source = listing.source
        folders = sorted((folder, str(verdict)) for folder, verdict in listing.folders.items())
        # The commit and a file's blob there decide what its row says of its revision.
        of_source = hash_json([
            alike, source.repo, source.kind, source.commit, source.revision, str(source.license), folders
        ])  # fmt: skip
        for chosen in _cut(listing, config):
            made_of = [
                [one.path, one.size, one.where, one.committed, one.added_at,
                 found.digests.get((source.repo, one.path), "")]
                for one in chosen
            ]  # fmt: skip
            part = reading.Part(source, tuple(chosen), listing.folders)
            batch = reading.Batch(
                (part,), config.max_file_bytes, config.languages, config.notebooks, config.redact
            )
            yield pieces.Piece(batch, hash_json([of_source, made_of]))
    refused = tuple(opt_outs(config))
    for listing in found.listings:
        for cut in listing.table.slices if listing.table else ():
            bounds = [cut.name, cut.kind, cut.start, cut.end, cut.first, cut.columns, cut.compressed]
            lines = [line.line for line in refused]
            task = table_reading.TableBatch(
                cut, config.max_file_bytes, config.languages, config.notebooks, config.redact, refused
            )
            yield pieces.Piece(task, hash_json([alike, listing.source.revision, bounds, lines]))


def _cut(listing: Listing, config: SourceConfig) -> Iterator[list[Candidate]]:
    """The candidates of a source in runs of about a batch."""
    whole = ARCHIVE_BATCH_BYTES if listing.source.kind == "archive" else BATCH_BYTES
    chosen: list[Candidate] = []
    room = whole
    for candidate in listing.candidates:
        cost = _cost(candidate, config.max_file_bytes)
        if cost > room and chosen:
            yield chosen
            chosen, room = [], whole
        chosen.append(candidate)
        room -= cost
    if chosen:
        yield chosen


def _cost(candidate: Candidate, max_file_bytes: int) -> int:
    return min(candidate.size, reading.wanted_bytes(candidate.path, max_file_bytes)) + _FILE_OVERHEAD


def _shards(parts: Iterator[pieces.Piece]) -> Iterator[tuple[pieces.Piece, ...]]:
    """Pieces joined to shards of about a batch; a slice of a table is a shard of its own."""
    joined: list[pieces.Piece] = []
    room = BATCH_BYTES
    for piece in parts:
        if isinstance(piece.task, table_reading.TableBatch):
            if joined:
                yield tuple(joined)
            yield (piece,)
            joined, room = [], BATCH_BYTES
            continue
        limit = piece.task.max_file_bytes
        cost = sum(_cost(one, limit) for part in piece.task.parts for one in part.candidates)
        if cost > room and joined:
            yield tuple(joined)
            joined, room = [], BATCH_BYTES
        joined.append(piece)
        room -= cost
    if joined:
        yield tuple(joined)


def _unread(piece: pieces.Piece, read: set[tuple[str, str]]) -> pieces.Piece:
    """A piece without the files that became rows."""
    if isinstance(piece.task, table_reading.TableBatch):
        return piece
    parts = tuple(
        reading.Part(
            part.source, tuple(c for c in part.candidates if (part.source.repo, c.path) not in read), {}
        )
        for part in piece.task.parts
    )
    return replace(piece, task=replace(piece.task, parts=parts))
