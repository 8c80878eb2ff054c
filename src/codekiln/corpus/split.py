"""The held-out split: whole files, chosen by a hash (or by the time they came into the history)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from codekiln.corpus.config import CorpusConfig
from codekiln.errors import UserError

#: Below so many files the configured minimum does not hold; three whole files do.
SMALL_CORPUS, SMALL_MINIMUM = 100, 3


@dataclass(frozen=True)
class Item:
    """A kept file: what the split depends on."""

    repo: str
    path: str
    added_at: int | None = None


def heldout_count(files: int, config: CorpusConfig) -> int:
    """How many of the kept files are held out; at least one always trains.

    Raises:
        UserError: no file or a single file is left.
    """
    if files == 0:
        raise UserError(
            "no files left after filtering and deduplication; `codekiln corpus explain` says why each was dropped, "
            "corpus.rules loosens a threshold"
        )
    if files == 1:
        raise UserError(
            "only one file is left after filtering and deduplication, and a split needs two: one to train on, "
            "one to test on; add sources"
        )
    minimum = config.heldout_minimum
    if files < SMALL_CORPUS:
        minimum = min(minimum, SMALL_MINIMUM)
    return min(files - 1, max(minimum, int(config.heldout_fraction * files + 0.5)))


def choose(items: Sequence[Item], config: CorpusConfig, seed: int) -> set[int]:
    """Numbers of the held-out items; the same whatever the order of the items.

    `file`: those with the least hash of (seed, repo, path). `time`: those added last, ties by (repo, path).

    Raises:
        UserError: fewer than two items, or a time split of files without a commit time.
    """
    count = heldout_count(len(items), config)
    if config.split == "file":
        order = sorted(range(len(items)), key=lambda number: _draw(seed, items[number]))
    else:
        for item in items:
            if item.added_at is None:
                raise UserError(
                    f"corpus.split: time needs the commit that added each file, and {item.repo}:{item.path} has none "
                    "(not committed, or not from git); use split: file"
                )
        order = sorted(
            range(len(items)),
            key=lambda number: (-(items[number].added_at or 0), items[number].repo, items[number].path),
        )
    return set(order[:count])


def _draw(seed: int, item: Item) -> tuple[bytes, str, str]:
    text = f"{seed}\0{item.repo}\0{item.path}".encode()
    return hashlib.blake2b(text, digest_size=16, person=b"heldout split").digest(), item.repo, item.path
