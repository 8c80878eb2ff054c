"""Near copies among repositories: forks, mirrors and copies are compared as wholes, and one of each group is kept.

The files of a repository that the rules have left count as one sample (DeepSeek-Coder, report section 2.1, so that a
repository stays whole or goes). Its commits and conversations do not count, and go with it. Its set of word 5-grams is the union of its files', so that neither the order of files
nor where one is cut in two matters; its MinHash values are the least of its files'.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from codekiln.corpus import minhash
from codekiln.corpus.copies import lists, shingles_of_files
from codekiln.corpus.decided import File
from codekiln.corpus.minhash import Hashes
from codekiln.corpus.neardup import near_groups
from codekiln.shards import Dataset
from codekiln.shards.tables import COMPOSED_KINDS

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

_NONE = np.full(minhash.PARTS, minhash.EMPTY, np.uint32)


@dataclass
class _Repository:
    """What is left of a repository; times are of the commits that added its files."""

    name: str
    files: list[File]

    @property
    def bytes(self) -> int:
        return sum(file.size for file in self.files)

    def preference(self, keep: Literal["complete", "earliest"]) -> tuple[int, tuple[float, ...], str]:
        """The least of a group is kept."""
        free = sum(file.size for file in self.files if file.license_type == "permissive")
        times = [file.added_at for file in self.files if file.added_at is not None]
        begun = float(min(times)) if times else float("inf")
        rest = (-float(self.bytes), begun) if keep == "complete" else (begun, -float(self.bytes))
        return int(2 * free < self.bytes), rest, self.name


def drop_repository_copies(
    files: list[File],
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
    names: dict[str, list[int]] = {}
    for number, file in enumerate(files):
        if not file.reason and file.kind not in COMPOSED_KINDS:
            names.setdefault(file.repo, []).append(number)
    everything = [_Repository(name, [files[n] for n in numbers]) for name, numbers in sorted(names.items())]
    values = _signatures(files, signed)
    bands = minhash.bands_of(np.stack([values[one.name] for one in everything])) if everything else []
    sketches: dict[int, Hashes] = {}

    def sketches_of(numbers: list[int]) -> Mapping[int, Hashes]:
        sketches.update(_sketches(source, {number: everything[number].files for number in numbers}))
        return sketches

    groups = near_groups(bands, sketches_of, threshold, sketch_jaccard)
    group_of: dict[str, str] = {}
    details: dict[str, str] = {}
    for group in groups:
        first = min(group, key=lambda number: everything[number].preference(keep))
        kept = everything[first]
        for number in group:
            copy = everything[number]
            group_of[copy.name] = kept.name
            if number == first:
                continue
            score = sketch_jaccard(sketches[first], sketches[number])
            details[copy.name] = (
                f"repository {copy.name} is a near copy of {kept.name} (Jaccard of all word 5-grams {score:.2f}, "
                f"threshold {threshold:g}, group of {len(group)}), which has "
                f"{kept.bytes:,} bytes to {copy.bytes:,}" + _dates(kept, copy)
            )
    for file in files:
        if not file.reason and file.repo in details:
            file.reason, file.detail = REPOSITORY, details[file.repo]
        file.repository_group = group_of.get(file.repo, "")


def _dates(kept: _Repository, copy: _Repository) -> str:
    times = [[file.added_at for file in one.files if file.added_at is not None] for one in (kept, copy)]
    if not all(times):
        return ""
    days = [np.datetime64(min(one), "s").astype("datetime64[D]") for one in times]
    return f" and began {days[0]} to {days[1]}"


def _signatures(files: list[File], signed: Dataset) -> dict[str, minhash.Signature]:
    """MinHash values of each repository over its files that are left; none where no file has five words."""
    found: dict[str, minhash.Signature] = {}
    start = 0
    for table in signed.tables(["signature"]):
        rows = lists(table.column("signature"))
        of: dict[str, list[minhash.Signature]] = {}
        for file, row in zip(files[start : start + len(rows)], rows):
            if not file.reason and file.kind not in COMPOSED_KINDS and len(row):
                of.setdefault(file.repo, []).append(row)
        for name, some in of.items():
            before = [found[name]] if name in found else []
            # An empty part is above all others: the least is the signature of the union.
            found[name] = np.min(np.stack([*some, *before]), axis=0)
        start += len(rows)
    return {file.repo: found.get(file.repo, _NONE) for file in files}


def _sketches(source: Dataset, wanted: Mapping[int, Iterable[File]]) -> dict[int, Hashes]:
    """The `SKETCH` least hashes of each repository's word 5-grams, sorted."""
    owners = [(number, file) for number, files in wanted.items() for file in files]
    waiting: dict[int, list[Hashes]] = {}
    sizes: dict[int, int] = {}
    for place, grams in shingles_of_files(source, [(at, file) for at, (_, file) in enumerate(owners)]):
        number = owners[place][0]
        waiting.setdefault(number, []).append(grams[:SKETCH])
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
    """Band hashes of a table of `SIGNATURES`, row for row: what `minhash.band_table` gives for the files."""
    kinds = signed.column("kind").to_pylist()
    values = [row if len(row) else _NONE for row in lists(signed.column("signature"))]
    own = minhash.bands_of(np.stack(values)) if values else []
    rows = [minhash.salted(row, kind) for row, kind in zip(own, kinds, strict=True)]
    return pa.table(
        {"id": signed.column("id"), "bands": minhash.hash_lists(rows)}, schema=minhash.BAND_HASHES
    )
