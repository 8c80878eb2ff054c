"""Near copies among repositories: forks, mirrors and copies are compared as wholes, and one of each group is kept.

The files of a repository that the rules have left count as one sample (DeepSeek-Coder, report section 2.1, so that a
repository stays whole or goes). Its commits and conversations do not count, and go with it. Its set of word 5-grams is the union of its files', so that neither the order of files
nor where one is cut in two matters; its MinHash values are the least of its files'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from codekiln.corpus import minhash
from codekiln.corpus.copies import shingles_of_files
from codekiln.corpus.decided import NO_TIME, Files, Numbers
from codekiln.corpus.minhash import Hashes
from codekiln.corpus.neardup import near_groups
from codekiln.shards import Dataset
from codekiln.shards.store import read_shard

REPOSITORY = "repository_duplicate"

#: Repositories are compared by the least hashes of their sets (bottom-k, Broder 1997): exact up to so many word
#: 5-grams (about 0.8 MB of source), with a standard error of 0.002 and less beyond.
SKETCH = 65_536

#: MinHash values of one row of `files`, uint32; empty for a text of fewer than five words.
SIGNATURES = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("kind", pa.string()),
        pa.field("signature", pa.list_(pa.uint32())),
    ],
    metadata={"codekiln.schema": "signatures", "codekiln.version": "1"},
)


@dataclass
class _Repository:
    """What is left of a repository."""

    name: str
    numbers: Numbers
    bytes: int
    permissive_bytes: int
    #: Of the commits that added its files; Unix seconds.
    begun: int | None

    def preference(self, keep: Literal["complete", "earliest"]) -> tuple[int, tuple[float, ...], str]:
        """The least of a group is kept."""
        begun = float("inf") if self.begun is None else float(self.begun)
        rest = (-float(self.bytes), begun) if keep == "complete" else (begun, -float(self.bytes))
        return int(2 * self.permissive_bytes < self.bytes), rest, self.name


def drop_repository_copies(
    files: Files,
    source: Dataset,
    signed: Dataset,
    threshold: float,
    keep: Literal["complete", "earliest"],
) -> None:
    """Group repositories that are near copies as wholes, and drop all but one of each group.

    Args:
        files: all files, in the order of `source` and `signed`; those that are dropped already do not count.
        signed: `SIGNATURES` of the files.
        threshold: least Jaccard similarity of two repositories' sets of word 5-grams.
        keep: `complete` keeps the repository with the most bytes left, then the one whose first file was added
            first; `earliest` the other way round. One whose code is mostly under permissive licences goes before
            any other, and the name decides at last.

    Groups are connected components, as among files. Every file of a group's repositories is told the group, which is
    the name of the repository that is kept.
    """
    everything = _repositories(files)
    values = _signatures(files, signed)
    bands = minhash.bands_of(np.stack([values[one.name] for one in everything])) if everything else []
    sketches: dict[int, Hashes] = {}

    def sketches_of(numbers: list[int]) -> Mapping[int, Hashes]:
        sketches.update(_sketches(source, files, {number: everything[number].numbers for number in numbers}))
        return sketches

    groups = near_groups(bands, sketches_of, threshold, sketch_jaccard)
    number_of = {name: number for number, name in enumerate(files.repo_names)}
    left = files.left
    for group in groups:
        first = min(group, key=lambda number: everything[number].preference(keep))
        kept = everything[first]
        for number in group:
            copy = everything[number]
            own = files.repos == number_of[copy.name]
            files.repository_group[own] = number_of[kept.name]
            if number == first:
                continue
            score = sketch_jaccard(sketches[first], sketches[number])
            detail = (
                f"repository {copy.name} is a near copy of {kept.name} (Jaccard of all word 5-grams {score:.2f}, "
                f"threshold {threshold:g}, group of {len(group)}), which has "
                f"{kept.bytes:,} bytes to {copy.bytes:,}" + _dates(kept, copy)
            )
            for place in np.flatnonzero(own & left).tolist():
                files.drop(place, REPOSITORY, detail)


def _repositories(files: Files) -> list[_Repository]:
    """What is left of each repository, by name."""
    numbers = np.flatnonzero(files.left & ~files.composed)
    numbers = numbers[np.argsort(files.repos[numbers], kind="stable")]
    starts = np.flatnonzero(np.diff(files.repos[numbers], prepend=-1))
    found = []
    for own in np.split(numbers, starts[1:]) if len(numbers) else []:
        times = files.added_at[own][files.added_at[own] != NO_TIME]
        found.append(
            _Repository(
                files.repo(own[0]),
                own,
                int(files.sizes[own].sum()),
                int(files.sizes[own][files.license_rank[own] == 0].sum()),
                int(times.min()) if len(times) else None,
            )
        )
    return sorted(found, key=lambda one: one.name)


def _dates(kept: _Repository, copy: _Repository) -> str:
    times = [one.begun for one in (kept, copy)]
    if None in times:
        return ""
    days = [np.datetime64(time, "s").astype("datetime64[D]") for time in times]
    return f" and began {days[0]} to {days[1]}"


def _signatures(files: Files, signed: Dataset) -> dict[str, minhash.Signature]:
    """MinHash values of each repository over its files that are left; none where no file has five words."""
    nothing = np.full(minhash.PARTS, minhash.EMPTY)
    found: dict[int, minhash.Signature] = {}
    counts = files.left & ~files.composed
    for shard, path in enumerate(signed.shard_paths):
        own = files.of_shard(shard)
        rows, values = minhash.matrix(read_shard(path, ["signature"])["signature"], minhash.PARTS)
        wanted = counts[own][rows]
        repos, values = files.repos[own][rows[wanted]], values[wanted]
        # An empty part is above all others: the least is the signature of the union.
        for repo in np.unique(repos).tolist():
            least = values[repos == repo].min(axis=0)
            found[repo] = np.minimum(found[repo], least) if repo in found else least
    return {name: found.get(number, nothing) for number, name in enumerate(files.repo_names)}


def _sketches(source: Dataset, files: Files, wanted: Mapping[int, Numbers]) -> dict[int, Hashes]:
    """The `SKETCH` least hashes of each repository's word 5-grams, sorted."""
    owner_of = {place: number for number, places in wanted.items() for place in places.tolist()}
    waiting: dict[int, list[Hashes]] = {number: [] for number in wanted}
    sizes: dict[int, int] = {}
    for place, grams in shingles_of_files(source, files, np.array(sorted(owner_of), np.int64)):
        number = owner_of[place]
        waiting[number].append(grams[:SKETCH])
        sizes[number] = sizes.get(number, 0) + min(len(grams), SKETCH)
        if sizes[number] > 4 * SKETCH:
            waiting[number] = [np.unique(np.concatenate(waiting[number]))[:SKETCH]]
            sizes[number] = len(waiting[number][0])
    return {number: np.unique(np.concatenate(some))[:SKETCH] for number, some in waiting.items()}


def sketch_jaccard(first: Hashes, second: Hashes) -> float:
    """Jaccard similarity of two sets by their sketches: of the least hashes of the union, those that both have."""
    both = np.sort(np.concatenate([first, second]), kind="stable")
    twice = both[1:] == both[:-1]
    # Where each different hash begins; the sketch of the union is the first of them.
    starts = np.flatnonzero(np.concatenate([[len(both) > 0], ~twice]))[: SKETCH + 1]
    if len(starts) > SKETCH:
        starts, twice = starts[:SKETCH], twice[: starts[SKETCH] - 1]
    return float(np.count_nonzero(twice)) / len(starts) if len(starts) else 0.0


def signature_table(files: pa.Table) -> pa.Table:
    """MinHash values of a table of `files`, row for row."""
    texts = (text for chunk in files.column("content").chunks for text in chunk.to_pylist())
    rows: list[minhash.Signature] = []
    for some in minhash.together(texts):
        rows += [row if (row != minhash.EMPTY).any() else row[:0] for row in minhash.signatures(some)]
    signatures = pa.array(rows, pa.list_(pa.uint32()))
    return files.select(["id", "kind"]).append_column("signature", signatures).cast(SIGNATURES)


def band_table_of(signed: pa.Table) -> pa.Table:
    """`BAND_HASHES` of a table of `SIGNATURES`, row for row: what `minhash.band_table` gives for the files."""
    values = np.full((len(signed), minhash.PARTS), minhash.EMPTY)
    rows, known = minhash.matrix(signed["signature"], minhash.PARTS)
    values[rows] = known
    return minhash.table_of(signed["id"], signed["kind"], values)
