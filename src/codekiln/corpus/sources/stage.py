"""The sources stage: repositories, folders, files and archives become the datasets `files` and `skipped`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from codekiln.corpus import languages
from codekiln.corpus.config import SourceConfig
from codekiln.corpus.sources import reading, table_reading
from codekiln.corpus.sources.listing import list_sources, nothing_found, opt_outs
from codekiln.corpus.sources.records import Candidate, Listing
from codekiln.corpus.sources.registries.records import Package
from codekiln.shards import Dataset, Executor, Stage, build
from codekiln.shards.attempts import DIED
from codekiln.shards.store import hash_json
from codekiln.shards.tables import FILES, SKIPPED

VERSION = 4

#: Candidates of one batch in bytes: one Parquet shard. A compressed archive has no random access, so that its
#: batches are larger: each reads the archive from its beginning.
BATCH_BYTES = 32 * 1024**2
ARCHIVE_BATCH_BYTES = 128 * 1024**2
#: Small files count for so much, to bound the rows of a batch.
_FILE_OVERHEAD = 1024


@dataclass(frozen=True)
class Found:
    """Sources as they were found: the files of each, and a hash over all that reading them would read."""

    listings: list[Listing]
    fingerprint: str


def find(config: SourceConfig, record: Path | None = None, *, fetch: bool = True) -> Found:
    """List the sources and hash what they hold.

    `fingerprint` is a SHA-256 in hex: contents of candidate files, paths and reasons of skipped ones (with the size
    of one above `max_file_bytes`), the commit of a revision, the bytes of an archive. Of files that are no source code
    by name and first bytes only the path counts. `record` holds what packages without a version were resolved to
    (`resolved`), and is added to; `fetch=False` keeps off the network.

    Raises:
        UserError, RunError: as `list_sources`.
    """
    listings = list_sources(config, record, fetch=fetch)
    return Found(listings, _fingerprint(listings, config))


def _fingerprint(listings: list[Listing], config: SourceConfig) -> str:
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
        if source.package:
            part.append(source.package.sha256)
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
                    continue
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
    folder: Path, config: SourceConfig, *, seed: int, executor: Executor | None, found: Found | None = None
) -> None:
    """Write the datasets `folder/files` and `folder/skipped`, rows sorted by (repo, path).

    `found` is what `find` gave for the same configuration. Every path that was looked at is in one of the two; what
    git or a .gitignore ignores is in neither.

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
    settings |= {"shallow": shallow} if shallow else {}
    packages = {one.source.repo: _told(one.source.package) for one in listings if one.source.package}
    settings |= {"packages": packages} if packages else {}
    stage = Stage("sources", VERSION, settings, {"sources": mark}, seed)
    refused = tuple(opt_outs(config))
    tasks: list[reading.Batch | table_reading.TableBatch] = [*_batches(listings, config)]
    tasks += [
        table_reading.TableBatch(
            part, config.max_file_bytes, config.languages, config.notebooks, config.redact, refused
        )
        for listing in listings
        if listing.table
        for part in listing.table.slices
    ]
    files = build(folder / "files", stage, FILES, _read, tasks, executor=executor)
    read = {(row["repo"], row["path"]) for row in files.rows(["repo", "path"])}
    stage = Stage("skipped", VERSION, settings, {"sources": mark, "files": files.content_hash}, seed)
    left: list[_Left] = [
        [
            (listing.source.repo, skip.path, skip.reason, skip.size)
            for listing in listings
            for skip in listing.skipped
        ]
    ]
    died = frozenset(name.removeprefix(DIED) for name in files.manifest.counters if name.startswith(DIED))
    left += [
        replace(_unread(task, read) if isinstance(task, reading.Batch) else task, died=died) for task in tasks
    ]
    skipped = build(folder / "skipped", stage, SKIPPED, _skipped, left, quiet=True)
    if not len(files):
        raise nothing_found(config, _reasons(skipped))


def _told(package: Package) -> dict[str, str]:
    """What a manifest says of a package; from which mirror it came is not a part of it."""
    return {key: getattr(package, key) for key in ("registry", "name", "version", "file", "sha256")}


def _reasons(skipped: Dataset) -> Iterator[str]:
    return (row["reason"] for row in skipped.rows(["reason"]))


#: What is known to be skipped, or where the rest is to be looked at again for its reasons.
_Left: TypeAlias = "reading.Batch | table_reading.TableBatch | list[tuple[str, str, str, int]]"


def _read(task: reading.Batch | table_reading.TableBatch) -> Any:
    return reading.read_files(task) if isinstance(task, reading.Batch) else table_reading.read_files(task)


def _skipped(task: _Left) -> Any:
    if isinstance(task, table_reading.TableBatch):
        return table_reading.read_skipped(task)
    return reading.read_skipped(task) if isinstance(task, reading.Batch) else reading.skipped_table(task)


def _batches(listings: list[Listing], config: SourceConfig) -> Iterator[reading.Batch]:
    """Tasks in the order of (repo, path); where one ends depends on names and sizes alone."""
    parts: list[reading.Part] = []
    room = BATCH_BYTES
    for listing in listings:
        whole = ARCHIVE_BATCH_BYTES if listing.source.kind == "archive" else BATCH_BYTES
        chosen: list[Candidate] = []
        room = room if parts and whole == BATCH_BYTES else whole
        for candidate in listing.candidates:
            cost = (
                min(candidate.size, reading.wanted_bytes(candidate.path, config.max_file_bytes))
                + _FILE_OVERHEAD
            )
            if cost > room and (parts or chosen):
                yield _batch([*parts, _part(listing, chosen)], config)
                parts, chosen, room = [], [], whole
            chosen.append(candidate)
            room -= cost
        parts.append(_part(listing, chosen))
    if any(part.candidates for part in parts):
        yield _batch(parts, config)


def _part(listing: Listing, chosen: list[Candidate]) -> reading.Part:
    return reading.Part(listing.source, tuple(chosen), listing.folders)


def _batch(parts: list[reading.Part], config: SourceConfig) -> reading.Batch:
    kept = tuple(part for part in parts if part.candidates)
    return reading.Batch(kept, config.max_file_bytes, config.languages, config.notebooks, config.redact)


def _unread(batch: reading.Batch, read: set[tuple[str, str]]) -> reading.Batch:
    parts = [
        reading.Part(
            part.source, tuple(c for c in part.candidates if (part.source.repo, c.path) not in read), {}
        )
        for part in batch.parts
    ]
    kept = tuple(part for part in parts if part.candidates)
    return replace(batch, parts=kept)
