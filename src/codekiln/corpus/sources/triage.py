"""What a candidate's path and size alone decide, before anything is read."""

from __future__ import annotations

from dataclasses import replace

from codekiln.corpus import languages, licenses
from codekiln.corpus.config import SourceConfig
from codekiln.corpus.sources import names, outputs
from codekiln.corpus.sources.records import Candidate, Listing, Skip


def triage(listing: Listing, config: SourceConfig, refused: list[licenses.OptOut]) -> None:
    """Move candidates that their path or size rules out to the skipped paths; sort both."""
    packages = {
        c.path.rpartition("/")[0] for c in listing.candidates if c.path.rpartition("/")[2] == "__init__.py"
    }
    kept: list[Candidate] = []
    skipped = list(listing.skipped)
    vendored: dict[str, int] = {}
    for candidate in listing.candidates:
        path = candidate.path
        # What is asked for by name, a folder or a single file, is not judged by the folders that it lies in.
        asked = next((p for p in listing.prefixes if p and outputs.inside(path, p)), "")
        start = len(path) if asked == path else len(asked) + 1 if asked else 0
        if names.in_cache(path[start:]):
            continue
        folder = names.vendored_folder(path, packages.__contains__, start)
        language = languages.by_name(path)
        if language == languages.NOTEBOOK and "script" in config.notebooks:
            language = None  # that of its kernel, which only its content tells
        line = licenses.opted_out(listing.source.repo, path, refused) if refused else None
        if line is not None:
            skipped.append(Skip(path, f"opted out ({line})", candidate.size))
        elif folder is not None:
            vendored[folder] = vendored.get(folder, 0) + candidate.size
        elif not names.is_storable(path):
            skipped.append(Skip(path, "path is not printable UTF-8", candidate.size))
        elif names.is_generated_name(path):
            skipped.append(Skip(path, "generated or minified by its name", candidate.size))
        elif candidate.size > config.max_file_bytes:
            skipped.append(Skip(path, "too large", candidate.size))
        elif language and config.languages is not None and language not in config.languages:
            skipped.append(Skip(path, "language not selected", candidate.size))
        elif candidate.size == 0:
            skipped.append(Skip(path, "empty", 0))
        else:
            kept.append(candidate)
    skipped += [Skip(folder + "/", "vendored or built folder", size) for folder, size in vendored.items()]
    listing.candidates = sorted(kept, key=lambda c: c.path)
    seen: dict[str, Skip] = {}
    for skip in skipped:
        seen[names.printable(skip.path)] = replace(skip, path=names.printable(skip.path))
    listing.skipped = [seen[path] for path in sorted(seen)]
