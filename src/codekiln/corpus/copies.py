"""Copies among files: the same content, and near copies of what is held out. Each group is kept track of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import numpy as np
import numpy.typing as npt

from codekiln.corpus import minhash
from codekiln.corpus.decided import HELDOUT, TRAIN, Files, Numbers
from codekiln.corpus.neardup import MANY_FILES, near_pairs
from codekiln.errors import UserError
from codekiln.progress import Progress
from codekiln.shards import Dataset
from codekiln.shards.store import read_shard

EXACT, NEAR = "exact_duplicate", "near_duplicate"


def drop_exact(files: Files, contents: minhash.Hashes) -> None:
    """Of files with the same content keep the preferred one.

    Args:
        contents: hash of each file's content, shape (files, 2), uint64.
    """
    left = np.flatnonzero(files.left)
    order = left[np.lexsort((contents[left, 1], contents[left, 0]))]
    new = np.any(contents[order[1:]] != contents[order[:-1]], axis=1)
    starts = np.flatnonzero(np.concatenate([[len(order) > 0], new]))
    ends = np.append(starts[1:], len(order))
    for start, end in zip(starts[ends - starts > 1].tolist(), ends[ends - starts > 1].tolist()):
        group = order[start:end].tolist()
        first = min(group, key=files.preference)
        files.near_group[group] = first
        for number in group:
            if number != first:
                files.drop(number, EXACT, f"same content as {files.name(first)}")


def drop_near(files: Files, groups: list[list[int]], threshold: float) -> None:
    """Of each group of near copies keep the preferred file."""
    moved = np.arange(len(files) + 1)  # the last place is that of -1
    moved[-1] = -1
    for group in groups:
        first = min(group, key=files.preference)
        for number in group:
            moved[number] = files.near_group[number] = first
            if number != first:
                files.drop(
                    number,
                    NEAR,
                    f"near copy of {files.name(first)} (Jaccard of word 5-grams >= {threshold:g}, group of {len(group)})",
                )
    # An exact copy of a near copy belongs to the same group.
    files.near_group = moved[files.near_group]


def drop_leaks(files: Files, source: Dataset, banded: Dataset, threshold: float) -> None:
    """Drop what the banding missed: training files that are near copies of a held-out file (`near_pairs`).

    The group of a file that is dropped becomes that of its twin, with all its members.
    """
    moved = np.arange(len(files) + 1)
    moved[-1] = -1
    for number, twin, score in _leaks(files, source, banded, threshold):
        files.drop(
            number,
            NEAR,
            f"near copy of held-out {files.name(twin)} (Jaccard of word 5-grams {score:.2f} >= {threshold:g})",
        )
        files.split[number] = 0
        if files.near_group[twin] < 0:
            files.near_group[twin] = twin
        before = files.near_group[number] if files.near_group[number] >= 0 else number
        moved[before] = files.near_group[number] = files.near_group[twin]
    files.near_group = moved[files.near_group]
    if not (files.split == TRAIN).any():
        raise UserError("no files left to train on: all are near copies of the held-out ones; add sources")


def _leaks(
    files: Files, source: Dataset, banded: Dataset, threshold: float
) -> Iterator[tuple[int, int, float]]:
    """(training file, the held-out file it is nearest to, their Jaccard similarity), where it reaches the threshold."""
    held, least = _least(files, banded, HELDOUT)
    pairs = [
        np.stack([rows[some[:, 0]], held[some[:, 1]]], axis=1).astype(np.int32)
        for rows, values in _least_by_shard(files, banded, TRAIN)
        if len(some := near_pairs(least, values, threshold))
    ]
    if not pairs:
        return
    found = np.concatenate(pairs)
    twins = dict(shingles_of_files(source, files, np.unique(found[:, 1]).astype(np.int64)))
    numbers, starts = np.unique(found[:, 0], return_index=True)
    near = shingles_of_files(source, files, numbers.astype(np.int64))
    for (number, grams), start, end in zip(near, starts, np.append(starts[1:], len(found))):
        of = found[start:end, 1].tolist()
        scores = [minhash.jaccard(grams, twins[twin]) for twin in of]
        best = int(np.argmax(scores))  # the first of equals
        if scores[best] >= threshold:
            yield number, of[best], scores[best]


def _least_by_shard(
    files: Files, banded: Dataset, split: int
) -> Iterator[tuple[Numbers, npt.NDArray[np.uint16]]]:
    """The numbers of a split's files with their stored MinHash values, shard by shard; without those too short for any."""
    for shard, path in enumerate(banded.shard_paths):
        own = files.of_shard(shard)
        chosen = files.split[own] == split
        if chosen.any():
            rows, values = minhash.matrix(read_shard(path, ["least"])["least"], minhash.LEAST)
            wanted = chosen[rows]
            yield rows[wanted] + own.start, values[wanted]


def _least(files: Files, banded: Dataset, split: int) -> tuple[Numbers, npt.NDArray[np.uint16]]:
    parts = list(_least_by_shard(files, banded, split))
    numbers = [np.empty(0, np.int64), *(rows for rows, _ in parts)]
    values = [np.empty((0, minhash.LEAST), np.uint16), *(some for _, some in parts)]
    return np.concatenate(numbers), np.concatenate(values)


def shingles_of_files(source: Dataset, files: Files, wanted: Numbers) -> Iterator[tuple[int, minhash.Hashes]]:
    """Shingle sets of some files, each with its number, read shard by shard.

    Args:
        wanted: rising numbers.
    """
    with (
        Progress("shingles", len(wanted), "files") if len(wanted) > MANY_FILES else nullcontext() as progress
    ):
        for shard, numbers in files.by_shard(wanted):
            content = read_shard(source.shard_paths[shard], ["content"]).column("content")
            for number in numbers.tolist():
                text = content[number - int(files.starts[shard])].as_py()
                yield number, minhash.shingles(text.encode())
            if progress:
                progress.update(len(numbers))
