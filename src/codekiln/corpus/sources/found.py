"""What sources hold: their listings, and a hash over all that reading them would read."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codekiln.corpus import languages
from codekiln.corpus.config import SourceConfig
from codekiln.corpus.sources import reading
from codekiln.corpus.sources.listing import list_sources, opt_outs
from codekiln.corpus.sources.records import Listing
from codekiln.shards.disk import hash_json


@dataclass(frozen=True)
class Found:
    """Sources as they were found: the files of each, and a hash over all that reading them would read.

    `digests` are SHA-256 of the files that were read for it, by (repository, path); `seen_ns` is the time before that.
    """

    listings: list[Listing]
    fingerprint: str
    digests: dict[tuple[str, str], str] = field(default_factory=dict)
    seen_ns: int = 0


def find(config: SourceConfig, record: Path | None = None, *, fetch: bool = True) -> Found:
    """List the sources and hash what they hold.

    `fingerprint` is a SHA-256 in hex: contents of candidate files, paths and reasons of skipped ones (with the size
    of one above `max_file_bytes`), the commit of a revision, the bytes of an archive. Of files that are no source code
    by name and first bytes only the path counts. `record` holds what packages without a version were resolved to
    (`resolved`), and is added to; `fetch=False` keeps off the network.

    Raises:
        UserError, RunError: as `list_sources`.
    """
    seen_ns = time.time_ns()
    listings = list_sources(config, record, fetch=fetch)
    digests: dict[tuple[str, str], str] = {}
    return Found(listings, _fingerprint(listings, config, digests), digests, seen_ns)


def beyond_files(config: SourceConfig) -> bool:
    """Whether the settings ask for more than files as they are: only then do they count for what is read."""
    return config.kinds != ("files",) or bool(config.limits)


def _fingerprint(listings: list[Listing], config: SourceConfig, digests: dict[tuple[str, str], str]) -> str:
    parts: list[Any] = [
        config.max_file_bytes,
        config.languages,
        config.revision,
        config.notebooks,
        config.redact,
        *([sorted(config.kinds), sorted(config.limits.items())] if beyond_files(config) else []),
    ]
    for listing in listings:
        source = listing.source
        folders = sorted((folder, str(verdict)) for folder, verdict in listing.folders.items())
        part: list[Any] = [source.repo, source.kind, source.commit, source.revision, listing.shallow, folders]
        if source.package:
            part.append(source.package.sha256)
        if listing.timeless:
            part.append(["timeless", listing.timeless])
        if listing.commits:
            part += [list(listing.prefixes), [line.line for line in opt_outs(config)]]
        if listing.about:
            part.append(sorted((folder, str(about)) for folder, about in listing.about.items()))
        if listing.events:
            part.append([line.line for line in opt_outs(config)])
        if listing.table:
            part += [sorted(config.columns.items()), [line.line for line in opt_outs(config)]]
        if source.kind == "folder":
            part += _contents(listing, config.max_file_bytes, digests)
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


def _contents(listing: Listing, max_file_bytes: int, digests: dict[tuple[str, str], str]) -> list[Any]:
    """What the files of a folder hold, as far as a row can come of it; adds to `digests`."""
    source, parts = listing.source, []
    for candidate, data in reading.contents(source, listing.candidates, max_file_bytes):
        # What is no code by name and head is not read for a row: a log file that grows changes nothing.
        if isinstance(data, str):
            digest = data
        elif languages.may_be_code(candidate.path) or languages.looks_like_code(candidate.path, data):
            digest = hashlib.sha256(data).hexdigest()
        else:
            digests[source.repo, candidate.path] = "binary" if b"\0" in data else "no code"
            continue
        digests[source.repo, candidate.path] = digest
        parts.append([candidate.path, digest, candidate.added_at, *candidate.owners])
    return parts
