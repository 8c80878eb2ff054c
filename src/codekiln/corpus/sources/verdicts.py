"""The licence verdicts of a source's folders, and which installed package each of its files is of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from codekiln.corpus import licenses
from codekiln.corpus.sources import git, walking
from codekiln.corpus.sources.records import Listing

#: A licence text or metadata file above this is not looked at.
LICENSE_BYTES = 512 * 1024


def judge_folders(
    listing: Listing, texts: dict[str, bytes], read: Callable[[list[str]], Iterable[bytes | None]]
) -> None:
    """Note the licences of a source's folders, and which installed package each file is of.

    Args:
        texts: contents of licence-like and metadata files by path.
        read: as in `licenses.find_installed`.
    """
    installed = licenses.find_installed((one.path for one in listing.candidates), read)
    listing.folders = licenses.resolve_folders(texts, installed)
    if installed.owners:
        listing.candidates = [
            replace(one, owners=installed.owners.get(one.path, ())) for one in listing.candidates
        ]


def lists_on_disk(root: Path, paths: list[str]) -> Iterator[bytes | None]:
    """The lists of installed packages below a folder, as `licenses.find_installed` reads them."""
    for path in paths:
        data = walking.read_inside(root, path, licenses.LIST_BYTES + 1)
        yield data if isinstance(data, bytes) else None


def texts_on_disk(root: Path, paths: Iterable[str]) -> dict[str, bytes]:
    """Contents of those files below a folder that speak of licences, by path."""
    texts = {}
    for path in paths:
        if licenses.is_license_file(path) or licenses.is_metadata_file(path):
            data = walking.read_inside(root, path, LICENSE_BYTES)
            if isinstance(data, bytes):
                texts[path] = data
    return texts


def repository_texts(
    repository: git.Repository, entries: dict[str, git.Entry], revision: bool
) -> dict[str, bytes]:
    """As `texts_on_disk`, of a repository's work tree or (`revision`) of the blobs that its entries name."""
    if not revision:
        return texts_on_disk(Path(repository.folder), entries)
    paths = [
        entry.path
        for entry in entries.values()
        if entry.mode.startswith("100") and entry.size <= LICENSE_BYTES
        and (licenses.is_license_file(entry.path) or licenses.is_metadata_file(entry.path))
    ]  # fmt: skip
    found = git.blobs(repository, [entries[path].blob for path in paths], LICENSE_BYTES)
    return {path: data for path, data in zip(paths, found) if data is not None}
