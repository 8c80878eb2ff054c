"""Copies among files: the same content, near copies, and near copies of what is held out. Each group is kept track of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import pyarrow as pa

from codekiln.corpus import minhash
from codekiln.corpus.decided import File
from codekiln.corpus.neardup import MANY_FILES, near_any, near_groups
from codekiln.errors import UserError
from codekiln.progress import Progress
from codekiln.shards import Dataset
from codekiln.shards.store import read_shard

EXACT, NEAR = "exact_duplicate", "near_duplicate"


def drop_exact(files: list[File]) -> None:
    """Of files with the same content keep the preferred one."""
    groups: dict[str, list[File]] = {}
    for file in files:
        if not file.reason:
            groups.setdefault(file.signals["content_hash"], []).append(file)
    for group in groups.values():
        first = min(group, key=lambda file: file.preference)
        for file in group:
            if len(group) > 1:
                file.near_group = first.id
            if file is not first:
                file.reason, file.detail = EXACT, f"same content as {first.name}"


def drop_near(files: list[File], source: Dataset, banded: Dataset, threshold: float) -> None:
    """Of each group of near copies (`near_groups`) keep the preferred file."""
    rows = [row for table in banded.tables(["bands"]) for row in lists(table.column("bands"))]
    left = [number for number, file in enumerate(files) if not file.reason]

    def shingles_of(numbers: list[int]) -> dict[int, minhash.Hashes]:
        return dict(shingles_of_files(source, [(number, files[left[number]]) for number in numbers]))

    copies_of: dict[str, str] = {}
    for group in near_groups([rows[number] for number in left], shingles_of, threshold):
        members = [files[left[number]] for number in group]
        first = min(members, key=lambda file: file.preference)
        for file in members:
            copies_of[file.id] = file.near_group = first.id
            if file is not first:
                file.reason = NEAR
                file.detail = f"near copy of {first.name} (Jaccard of word 5-grams >= {threshold:g}, group of {len(group)})"
    for file in files:  # an exact copy of a near copy belongs to the same group
        file.near_group = copies_of.get(file.near_group, file.near_group)


def drop_leaks(kept: list[File], files: list[File], source: Dataset, threshold: float) -> None:
    """Drop what the banding missed: training files that are near copies of a held-out file.

    The group of a file that is dropped becomes that of its twin, with all its members among `files`.
    """
    joined: dict[str, str] = {}
    held = [file for file in kept if file.split == "heldout"]
    grams = dict(shingles_of_files(source, list(enumerate(held))))
    train = shingles_of_files(source, [(n, file) for n, file in enumerate(kept) if file.split == "train"])
    for number, (nearest, score) in near_any([grams[n] for n in range(len(held))], train, threshold).items():
        file, twin = kept[number], held[nearest]
        file.reason, file.split = NEAR, ""
        file.detail = (
            f"near copy of held-out {twin.name} (Jaccard of word 5-grams {score:.2f} >= {threshold:g})"
        )
        twin.near_group = twin.near_group or twin.id
        joined[file.near_group or file.id] = file.near_group = twin.near_group
    for file in files:
        file.near_group = joined.get(file.near_group, file.near_group)
    if not any(file.split == "train" for file in kept):
        raise UserError("no files left to train on: all are near copies of the held-out ones; add sources")


def shingles_of_files(
    source: Dataset, wanted: list[tuple[int, File]]
) -> Iterator[tuple[int, minhash.Hashes]]:
    """Shingle sets of some files, each with its number, read shard by shard."""
    shards: dict[int, list[tuple[int, File]]] = {}
    for number, file in wanted:
        shards.setdefault(file.place[0], []).append((number, file))
    with (
        Progress("shingles", len(wanted), "files") if len(wanted) > MANY_FILES else nullcontext() as progress
    ):
        for shard, some in sorted(shards.items()):
            content = read_shard(source.shard_paths[shard], ["content"]).column("content")
            for number, file in some:
                yield number, minhash.shingles(content[file.place[1]].as_py().encode())
            if progress:
                progress.update(len(some))


def lists(column: pa.ChunkedArray) -> list[Any]:
    """The rows of a column of lists of numbers, as arrays."""
    rows: list[Any] = []
    for chunk in column.chunks:
        ends = chunk.offsets.to_numpy()
        rows += np.split(chunk.values.to_numpy(), ends[1:-1]) if len(chunk) else []
    return rows
