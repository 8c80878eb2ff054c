"""The sources stage: repositories, folders, files and archives become the datasets `files` and `skipped`."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from codekiln.corpus import languages
from codekiln.corpus.config import SourceConfig
from codekiln.corpus.sources import commits, conversations, events, history, reading, table_reading
from codekiln.corpus.sources.limits import with_limits
from codekiln.corpus.sources.listing import list_sources, nothing_found, opt_outs
from codekiln.corpus.sources.records import Candidate, Listing
from codekiln.corpus.sources.registries.records import Package
from codekiln.shards import Dataset, Executor, Stage, build, regroup
from codekiln.shards.attempts import DIED
from codekiln.shards.store import hash_json
from codekiln.shards.tables import EVENTS, FILES, SKIPPED

VERSION = 5

#: Candidates of one batch in bytes: one Parquet shard. A compressed archive has no random access, so that its
#: batches are larger: each reads the archive from its beginning.
BATCH_BYTES = 32 * 1024**2
ARCHIVE_BATCH_BYTES = 128 * 1024**2
#: Small files count for so much, to bound the rows of a batch.
_FILE_OVERHEAD = 1024
#: Bytes of events of one partition, as they are unpacked in memory.
_PARTITION_BYTES = 64 * 1024**2


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
        *([sorted(config.kinds), sorted(config.limits.items())] if _beyond_files(config) else []),
    ]
    for listing in listings:
        source = listing.source
        folders = sorted((folder, str(verdict)) for folder, verdict in listing.folders.items())
        part: list[Any] = [source.repo, source.kind, source.commit, source.revision, listing.shallow, folders]
        if source.package:
            part.append(source.package.sha256)
        if listing.commits:
            part += [list(listing.prefixes), [line.line for line in opt_outs(config)]]
        if listing.about:
            part.append(sorted((folder, str(about)) for folder, about in listing.about.items()))
        if listing.events:
            part.append([line.line for line in opt_outs(config)])
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
    if _beyond_files(config):
        settings |= config.model_dump(mode="json", include={"kinds", "limits"})
    shallow = sorted(listing.source.repo for listing in listings if listing.shallow)
    settings |= {"shallow": shallow} if shallow else {}
    packages = {one.source.repo: _told(one.source.package) for one in listings if one.source.package}
    settings |= {"packages": packages} if packages else {}
    stage = Stage("sources", VERSION, settings, {"sources": mark}, seed)
    tasks: list[_Task] = [*_batches(listings, config), *_table_batches(listings, config)]
    tasks += [*_commit_batches(listings, config), *_conversations(folder, listings, config, mark, executor)]
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
    left += [_unread(task, read, died) for task in tasks]
    skipped = build(folder / "skipped", stage, SKIPPED, _skipped, left, quiet=True)
    for name in _EVENT_FOLDERS:
        shutil.rmtree(folder / name, ignore_errors=True)
    if not len(files):
        raise nothing_found(config, _reasons(skipped))


def _told(package: Package) -> dict[str, str]:
    """What a manifest says of a package; from which mirror it came is not a part of it."""
    return {key: getattr(package, key) for key in ("registry", "name", "version", "file", "sha256")}


def _reasons(skipped: Dataset) -> Iterator[str]:
    return (row["reason"] for row in skipped.rows(["reason"]))


#: Where events lie until they are conversations.
_EVENT_FOLDERS = ("events", "conversations")

_Task: TypeAlias = (
    "reading.Batch | table_reading.TableBatch | commits.CommitBatch | conversations.ConversationBatch"
)
#: What is known to be skipped, or where the rest is to be looked at again for its reasons.
_Left: TypeAlias = "_Task | list[tuple[str, str, str, int]]"


def _read(task: _Task) -> Any:
    if isinstance(task, reading.Batch):
        return reading.read_files(task)
    if isinstance(task, table_reading.TableBatch):
        return table_reading.read_files(task)
    return (
        commits.read_files(task) if isinstance(task, commits.CommitBatch) else conversations.read_files(task)
    )


def _skipped(task: _Left) -> Any:
    if isinstance(task, list):
        return reading.skipped_table(task)
    if isinstance(task, reading.Batch):
        return reading.read_skipped(task)
    if isinstance(task, table_reading.TableBatch):
        return table_reading.read_skipped(task)
    return (
        commits.read_skipped(task)
        if isinstance(task, commits.CommitBatch)
        else conversations.read_skipped(task)
    )


def _beyond_files(config: SourceConfig) -> bool:
    """Whether the settings ask for more than files as they are: only then do they count for what is read."""
    return config.kinds != ("files",) or bool(config.limits)


def _table_batches(listings: list[Listing], config: SourceConfig) -> Iterator[table_reading.TableBatch]:
    refused, limits = tuple(opt_outs(config)), _limits(config)
    for listing in listings:
        for part in listing.table.slices if listing.table else ():
            yield table_reading.TableBatch(
                part,
                config.max_file_bytes,
                config.languages,
                config.notebooks,
                config.redact,
                refused,
                limits,
            )


def _commit_batches(listings: list[Listing], config: SourceConfig) -> Iterator[commits.CommitBatch]:
    refused, limits = tuple(opt_outs(config)), _limits(config)
    for listing in listings:
        for start in range(0, len(listing.commits), history.BATCH):
            yield commits.CommitBatch(
                listing.source, listing.commits[start : start + history.BATCH], listing.prefixes, listing.folders,
                config.max_file_bytes, limits, config.languages, config.redact, refused,
            )  # fmt: skip


def _conversations(
    folder: Path, listings: list[Listing], config: SourceConfig, mark: str, executor: Executor | None
) -> list[conversations.ConversationBatch]:
    """Bring the events of each conversation together: one task a partition of them.

    The number of partitions follows from the size of the events alone, so that each fits into memory.
    """
    slices = [part for listing in listings if listing.events for part in listing.events.slices]
    if not slices:
        return []
    stage = Stage("events", VERSION, {}, {"sources": mark})
    found = build(folder / "events", stage, EVENTS, events.event_table, slices, executor=executor)
    size = sum(value for name, value in found.manifest.counters.items() if name == "event bytes")
    partitions = max(1, -(-size // _PARTITION_BYTES))
    stage = Stage("conversations", VERSION, {"partitions": partitions}, {"events": found.content_hash})
    grouped = regroup(
        found,
        folder / "conversations",
        stage,
        EVENTS,
        "thread",
        partitions=partitions,
        order="order",
        executor=executor,
    )
    refused, limits = tuple(opt_outs(config)), _limits(config)
    return [
        conversations.ConversationBatch(str(path), limits, config.conversations, config.redact, refused)
        for path in grouped.shard_paths
    ]


def _limits(config: SourceConfig) -> tuple[tuple[str, float], ...]:
    return tuple(sorted(with_limits(config.limits).items()))


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
    return reading.Part(listing.source, tuple(chosen), listing.folders, listing.about)


def _batch(parts: list[reading.Part], config: SourceConfig) -> reading.Batch:
    kept = tuple(part for part in parts if part.candidates)
    return reading.Batch(
        kept, config.max_file_bytes, config.languages, config.notebooks, config.redact, _limits(config)
    )


def _unread(task: _Task, read: set[tuple[str, str]], died: frozenset[str]) -> _Task:
    """What is left of a task for a second look: that of which no row was made. `died`: on these a worker died."""
    if isinstance(task, commits.CommitBatch):
        repo = task.source.repo
        return replace(task, ids=tuple(one for one in task.ids if (repo, commits.path_of(one)) not in read))
    if isinstance(task, table_reading.TableBatch):
        return replace(task, died=died)
    if not isinstance(task, reading.Batch):
        return task
    parts = [
        replace(part, candidates=tuple(c for c in part.candidates if (part.source.repo, c.path) not in read))
        for part in task.parts
    ]
    return replace(task, parts=tuple(part for part in parts if part.candidates), died=died)
