"""What each file is, without building a corpus: its language, flags and licence."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from codekiln.corpus import languages, licenses
from codekiln.corpus.config import SourceConfig
from codekiln.corpus.flags import flags_of
from codekiln.corpus.sources import decoding, names, reading
from codekiln.corpus.sources.listing import from_paths
from codekiln.corpus.sources.records import Candidate, Listing


@dataclass(frozen=True)
class Identity:
    """One file. `language` is one of the report's 92 names, or None with the `reason`."""

    path: str
    language: str | None
    reason: str
    size: int
    flags: list[str]
    licenses: list[str]
    license_type: str
    license_evidence: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def identify(paths: Sequence[str], max_file_bytes: int = 1_048_576) -> Iterator[Identity]:
    """The files of repositories, folders, archives and packages, and single files, sorted by path within each.

    Vendored and generated files are included; what git or a .gitignore ignores is not. A path reads as it was
    given: `src/a.py` for a file of the folder `src`, `x.zip/a.py` for a member of an archive, `pypi:x==1.0/a.py` for
    one of a package. Files that cannot be read have the reason in place of a language; of those above
    `max_file_bytes` bytes only the name counts.

    Raises:
        UserError: a path does not exist, cannot be read or is a corrupt archive.
        RunError: a package cannot be fetched.
    """
    listings = from_paths(SourceConfig(paths=tuple(paths), max_file_bytes=max_file_bytes), vendored=True)
    given = {os.path.realpath(os.path.expanduser(path)): path.rstrip("/") or path for path in paths}
    for listing in listings:
        if package := listing.source.package:
            mark = "==" if package.registry == "pypi" else "@"
            given[listing.source.root] = f"{package.registry}:{package.name}{mark}{package.version}"
        yield from _of_listing(listing, given, max_file_bytes)


def _of_listing(listing: Listing, given: dict[str, str], max_file_bytes: int) -> Iterator[Identity]:
    shown = _as_given(listing.source.root, given)
    packages = {
        folder
        for folder, _, name in (c.path.rpartition("/") for c in listing.candidates)
        if name == "__init__.py"
    }
    found = [
        _identify(shown, candidate, data, listing, packages, max_file_bytes)
        for candidate, data in reading.contents(
            listing.source, sorted(listing.candidates, key=lambda c: c.path), max_file_bytes
        )
    ]
    found += [
        Identity(
            shown(skip.path),
            None,
            skip.reason,
            max(skip.size, 0),
            [],
            [],
            licenses.NO_LICENSE.license_type,
            "",
        )
        for skip in listing.skipped
    ]
    yield from sorted(found, key=lambda one: one.path)


def _identify(
    shown: Callable[[str], str],
    candidate: Candidate,
    data: bytes | str,
    listing: Listing,
    packages: set[str],
    max_file_bytes: int,
) -> Identity:
    path, size = candidate.path, candidate.size
    name, text = reading.judge(path, data, max_file_bytes)
    language, reason, text = (name, "", text) if name else (None, text, "")
    if reason in ("empty", "too large"):
        language = languages.detect(path, "")
    head = data if isinstance(data, bytes) else b""
    verdict = licenses.of_file(path, head, listing.folders, candidate.owners)
    if not text and isinstance(data, bytes) and reason == reading.UNKNOWN_LANGUAGE:
        text = decoding.decode(data[: reading.HEAD_BYTES])[0] or ""
    flags = flags_of(path, language, text, packages.__contains__)
    return Identity(
        shown(path), language, reason, max(size, 0), flags,
        list(verdict.licenses), verdict.license_type, verdict.evidence,
    )  # fmt: skip


def _as_given(root: str, given: dict[str, str]) -> Callable[[str], str]:
    """From a path below `root` to the path as the user would write it."""

    def shown(path: str) -> str:
        place = real = f"{root}/{path}".rstrip("/") if path else root
        while place not in given and place != os.path.dirname(place):
            place = os.path.dirname(place)
        if place not in given:
            return names.printable(real)
        return names.printable(given[place] + real[len(place) :])

    return shown


def languages_of(found: Sequence[Identity]) -> list[dict[str, Any]]:
    """Files and bytes by language, most bytes first; what has none is counted under the empty name."""
    totals: dict[str, list[int]] = {}
    for one in found:
        total = totals.setdefault(one.language or "", [0, 0])
        total[0] += 1
        total[1] += one.size
    rows = [{"language": name, "files": files, "bytes": size} for name, (files, size) in totals.items()]
    return sorted(rows, key=lambda row: (not row["language"], -row["bytes"], row["language"]))
