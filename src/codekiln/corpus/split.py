"""The held-out split: whole files, chosen by a hash (or by the time they came into the history)."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from codekiln.corpus.config import CorpusConfig
from codekiln.errors import UserError

#: Below so many files the configured minimum does not hold; three whole files do.
SMALL_CORPUS, SMALL_MINIMUM = 100, 3


class Item(NamedTuple):
    """A kept file: what the split depends on."""

    repo: str
    path: str
    added_at: int | None = None

    @property
    def name(self) -> str:
        return f"{self.repo}:{self.path}"


def heldout_count(files: int, config: CorpusConfig, dropped: Mapping[str, int] | None = None) -> int:
    """How many of the kept files are held out; at least one always trains.

    Args:
        dropped: files by the reason that dropped them, for the message.

    Raises:
        UserError: no file or a single file is left.
    """
    counts = sorted((dropped or {}).items(), key=lambda item: (-item[1], item[0]))
    why = f" (dropped: {', '.join(f'{number} {reason}' for reason, number in counts)})" if counts else ""
    if (dropped or {}).get("license"):
        why += "; --set corpus.licenses=any keeps what is under no permissive licence"
    hint = "`codekiln corpus explain --unfinished` tells of each file"
    if files == 0:
        raise UserError(
            f"no files left after filtering and deduplication{why}; {hint}, corpus.rules loosens a threshold"
        )
    if files == 1:
        raise UserError(
            f"only one file is left after filtering and deduplication{why}, and a split needs two: one to train "
            f"on, one to test on; add sources, {hint}"
        )
    return min(files - 1, max(_minimum(files, config), int(config.heldout_fraction * files + 0.5)))


def _minimum(files: int, config: CorpusConfig) -> int:
    return min(config.heldout_minimum, SMALL_MINIMUM) if files < SMALL_CORPUS else config.heldout_minimum


def choose(
    items: Iterable[Item],
    config: CorpusConfig,
    seed: int,
    *,
    dropped: Mapping[str, int] | None = None,
    shallow: Collection[str] = (),
) -> set[int]:
    """Numbers of the held-out items; the same whatever the order of the items.

    `file`: those with the least hash of (seed, repo, path). `time`: those added last; every training file was
    added before every held-out one, so that the boundary moves to where a time ends (see `_latest`).

    Args:
        dropped: files by the reason that dropped them, for a message.
        shallow: repositories whose history was cut off.

    Raises:
        UserError: fewer than two items, a time split of files without a commit time, or no time to split at.
    """
    if config.split == "time":
        return _latest(items, config, dropped, shallow)
    draws = np.frombuffer(b"".join(_draw(seed, item) for item in items), ">u8").reshape(-1, 2)
    count = heldout_count(len(draws), config, dropped)
    return set(np.lexsort((draws[:, 1], draws[:, 0]))[:count].tolist())


def _latest(
    items: Iterable[Item], config: CorpusConfig, dropped: Mapping[str, int] | None, shallow: Collection[str]
) -> set[int]:
    """The items added last, at least so many as are to be held out where that leaves half to train on.

    Files of one time stay together. Where the time at the boundary would take more than half of all files, it
    trains instead if the minimum of files is still held out, and else is held out if anything is left to train.
    """
    added, timeless = array("q"), None
    for item in items:
        if item.added_at is None:
            timeless = timeless or item
        added.append(item.added_at or 0)
    times: npt.NDArray[np.int64] = np.array(added, np.int64)
    count = heldout_count(len(times), config, dropped)
    if timeless and timeless.repo in shallow:
        raise UserError(
            f"corpus.split: time needs the whole history, and {timeless.repo} is a shallow clone, which does "
            "not know when its files were added; run `git fetch --unshallow` there, or use --set corpus.split=file"
        )
    if timeless:
        raise UserError(
            f"corpus.split: time needs the commit that added each file, and {timeless.name} has none "
            "(not committed, not from git, or its history is damaged); commit it, or use --set corpus.split=file"
        )
    sizes = Counter(times.tolist())
    if len(sizes) == 1:
        raise UserError(
            f"corpus.split: time needs files of two times and more, and all {len(times)} kept files were added at "
            "one (a single commit?); give a repository with its history (`git fetch --unshallow`), or use "
            "--set corpus.split=file"
        )
    edges, total = [], 0  # how many are held out when the boundary is at the end of each time, latest first
    for time in sorted(sizes, reverse=True):
        total += sizes[time]
        edges.append(total)
    more = next(edge for edge in edges if edge >= count)
    fewer = max((edge for edge in edges if edge < count), default=0)
    if more > max(count, len(times) // 2) and fewer >= _minimum(len(times), config):
        more = fewer
    if more == len(times):
        raise UserError(
            f"corpus.split: time finds no boundary: {more - fewer} of the {len(times)} kept files were added at one "
            f"time (a single commit?), and the {fewer} added later are fewer than the {_minimum(len(times), config)} "
            "to hold out; give a repository with its history (`git fetch --unshallow`), lower "
            "corpus.heldout_minimum, or use --set corpus.split=file"
        )
    return set(np.argsort(-times, kind="stable")[:more].tolist())


def _draw(seed: int, item: Item) -> bytes:
    """16 bytes whose order is that of the draw."""
    text = f"{seed}\0{item.repo}\0{item.path}".encode()
    return hashlib.blake2b(text, digest_size=16, person=b"heldout split").digest()
