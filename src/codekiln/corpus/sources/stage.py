"""The sources stage: repositories, folders, files and archives become the datasets `files` and `skipped`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from codekiln.corpus import licenses
from codekiln.corpus.config import SourceConfig
from codekiln.corpus.sources import commits, conversations, events, history, pieces, reading, table_reading
from codekiln.corpus.sources.found import Found, beyond_files, find
from codekiln.corpus.sources.limits import with_limits
from codekiln.corpus.sources.listing import opt_outs
from codekiln.corpus.sources.nothing import nothing_found
from codekiln.corpus.sources.records import Candidate, Listing
from codekiln.corpus.sources.registries.records import Package
from codekiln.shards import Dataset, Executor, Stage, build, regroup
from codekiln.shards.disk import hash_json
from codekiln.shards.folders import remove_folder
from codekiln.shards.tables import EVENTS, FILES, SKIPPED, schema_version

__all__ = ["Found", "build_sources", "find"]

VERSION = 9

#: Candidates of one batch in bytes: one Parquet shard. A compressed archive has no random access, so that its
#: batches are larger: each reads the archive from its beginning.
BATCH_BYTES = 32 * 1024**2
ARCHIVE_BATCH_BYTES = 128 * 1024**2
#: Small files count for so much, to bound the rows of a batch.
_FILE_OVERHEAD = 1024
#: Bytes of events of one partition, as they are unpacked in memory.
_PARTITION_BYTES = 64 * 1024**2


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
    if beyond_files(config):
        settings |= config.model_dump(mode="json", include={"kinds", "limits"})
    alike = [VERSION, schema_version(FILES), schema_version(SKIPPED), settings]
    parts = [*_pieces(found, config, alike), *_conversations(folder, found, config, alike, executor)]
    known = pieces.earlier_pieces(earlier)
    tasks = list(enumerate(_shards(pieces.known(one, known) for one in parts)))
    shallow = sorted(listing.source.repo for listing in listings if listing.shallow)
    settings |= {"shallow": shallow} if shallow else {}
    packages = {one.source.repo: _told(one.source.package) for one in listings if one.source.package}
    settings |= {"packages": packages} if packages else {}
    stage = Stage("sources", VERSION, settings, {"sources": mark}, seed)
    files = build(
        folder / "files", stage, FILES, partial(pieces.make_files, found.seen_ns), tasks,
        executor=executor, noted=pieces.keeping(folder),
    )  # fmt: skip
    stage = Stage("skipped", VERSION, settings, {"sources": mark, "files": files.content_hash}, seed)
    listed = [
        (listing.source.repo, skip.path, skip.reason, skip.size)
        for listing in listings
        for skip in listing.skipped
    ]
    make = partial(_skipped, folder, listed)
    left = [None, *(number for number, _ in tasks)]
    skipped = build(folder / "skipped", stage, SKIPPED, make, left, quiet=True)
    pieces.note(folder, files, skipped, tasks)
    for name in _EVENT_FOLDERS:
        remove_folder(folder / name)
    if not len(files):
        raise nothing_found(config, _reasons(skipped))


def _told(package: Package) -> dict[str, str]:
    """What a manifest says of a package; from which mirror it came is not a part of it."""
    return {key: getattr(package, key) for key in ("registry", "name", "version", "file", "sha256")}


def _reasons(skipped: Dataset) -> Iterator[tuple[str, str]]:
    return ((row["path"], row["reason"]) for row in skipped.rows(["path", "reason"]))


#: Where events lie until they are conversations.
_EVENT_FOLDERS = ("events", "conversations")


def _skipped(folder: Path, listed: list[tuple[str, str, str, int]], number: int | None) -> Any:
    """What listing skipped, or what was skipped of a shard that was read."""
    return reading.skipped_table(listed) if number is None else pieces.make_skipped(folder, number)


def _pieces(found: Found, config: SourceConfig, alike: list[Any]) -> Iterator[pieces.Piece]:
    """All sources in pieces: files in the order of (repo, path), then tables, then commits.

    Each ends by its own files alone. `alike` is what has to be the same for the rows of all.
    """
    limits, refused = _limits(config), tuple(opt_outs(config))
    lines = [line.line for line in refused]
    of_source = {listing.source.repo: _key_of(listing, alike) for listing in found.listings}
    for listing in found.listings:
        source = listing.source
        for chosen in _cut(listing, config):
            made_of = [
                [one.path, one.size, one.where, one.committed, one.added_at,
                 found.digests.get((source.repo, one.path), ""), *one.owners]
                for one in chosen
            ]  # fmt: skip
            # No more than is asked for: a folder may have as many licences as files, and each task is sent to a worker.
            verdicts = licenses.looked_at(((one.path, one.owners) for one in chosen), listing.folders)
            about = {
                folder: listing.about[folder]
                for folder in dict.fromkeys(one.path.rpartition("/")[0] for one in chosen)
                if folder in listing.about
            }
            part = reading.Part(source, tuple(chosen), verdicts, about)
            batch = reading.Batch(
                (part,), config.max_file_bytes, config.languages, config.notebooks, config.redact, limits
            )
            yield pieces.Piece(batch, hash_json([of_source[source.repo], made_of]))
    for listing in found.listings:
        for cut in listing.table.slices if listing.table else ():
            file = cut.file
            address = [file.where, file.size] if file.is_remote else []
            bounds = [cut.name, cut.kind, cut.start, cut.end, cut.first, cut.columns, address]
            key = hash_json([alike, listing.source.revision, bounds, lines])
            yield pieces.Piece(
                table_reading.TableBatch(
                    cut, config.max_file_bytes, config.languages, config.notebooks, config.redact, refused, limits
                ),
                # What lies at an address may change unseen where the system there tells no mark of it.
                key if file.mark or not file.is_remote else "",
            )  # fmt: skip
    for listing in found.listings:
        for start in range(0, len(listing.commits), history.BATCH):
            ids = listing.commits[start : start + history.BATCH]
            key = hash_json([of_source[listing.source.repo], ids, listing.prefixes, lines])
            # Where a history ends that was cut off, commits will show other changes when more of it is there.
            yield pieces.Piece(
                commits.CommitBatch(
                    listing.source, ids, listing.prefixes, listing.folders, config.max_file_bytes, limits,
                    config.languages, config.redact, refused,
                ),
                "" if listing.shallow else key,
            )  # fmt: skip


def _key_of(listing: Listing, alike: list[Any]) -> str:
    """A hash over what all rows of a source depend on."""
    source = listing.source
    folders = sorted((folder, str(verdict)) for folder, verdict in listing.folders.items())
    about = sorted((folder, str(known)) for folder, known in listing.about.items())
    # The commit and a file's blob there decide what its row says of its revision.
    return hash_json([
        alike, source.repo, source.kind, source.commit, source.revision, str(source.license), folders, about,
        source.package.sha256 if source.package else "",
    ])  # fmt: skip


def _conversations(
    folder: Path, found: Found, config: SourceConfig, alike: list[Any], executor: Executor | None
) -> Iterator[pieces.Piece]:
    """Bring the events of each conversation together: one piece a partition of them.

    The number of partitions follows from the size of the events alone, so that each fits into memory.
    """
    slices = [part for listing in found.listings if listing.events for part in listing.events.slices]
    if not slices:
        return
    stage = Stage("events", VERSION, {}, {"sources": found.fingerprint})
    made = build(folder / "events", stage, EVENTS, events.event_table, slices, executor=executor)
    size = sum(value for name, value in made.manifest.counters.items() if name == "event bytes")
    partitions = max(1, -(-size // _PARTITION_BYTES))
    stage = Stage("conversations", VERSION, {"partitions": partitions}, {"events": made.content_hash})
    grouped = regroup(
        made,
        folder / "conversations",
        stage,
        EVENTS,
        "thread",
        partitions=partitions,
        order="order",
        executor=executor,
    )
    limits, refused = _limits(config), tuple(opt_outs(config))
    lines = [line.line for line in refused]
    for path, shard in zip(grouped.shard_paths, grouped.manifest.shards, strict=True):
        yield pieces.Piece(
            conversations.ConversationBatch(path, limits, config.conversations, config.redact, refused),
            hash_json([alike, shard.sha256, lines]),
        )


def _limits(config: SourceConfig) -> tuple[tuple[str, float], ...]:
    return tuple(sorted(with_limits(config.limits).items()))


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
    """Pieces of files joined to shards of about a batch; any other is a shard of its own."""
    joined: list[pieces.Piece] = []
    room = BATCH_BYTES
    for piece in parts:
        if not isinstance(piece.task, reading.Batch):
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
