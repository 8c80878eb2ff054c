"""The corpus stage: signals, rules, deduplication and the held-out split, every drop with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from codekiln.corpus import minhash, signals
from codekiln.corpus.config import CorpusConfig
from codekiln.corpus.decontamination.match import CONTAMINATION, contamination_table
from codekiln.corpus.decontamination.prepare import prepare_index
from codekiln.corpus.neardup import MANY_FILES, near_any, near_groups
from codekiln.corpus.rules import Rule, first_fired, with_thresholds
from codekiln.corpus.shown import showing
from codekiln.corpus.split import Item, choose, heldout_count
from codekiln.corpus.summary import summarize
from codekiln.downloads.cachefolder import cache_root
from codekiln.errors import UserError
from codekiln.progress import Progress, say
from codekiln.shards import Dataset, Executor, Stage, build, map_shards
from codekiln.shards.store import read_shard
from codekiln.shards.tables import COMPOSED_KINDS, DECISIONS, FILES, SIGNALS

__all__ = ["build_corpus", "summarize"]

#: Raise one whenever what it names gives another result for the same input.
SIGNALS_VERSION, BANDS_VERSION, VERSION = 2, 2, 3

EXACT, NEAR, LICENSE, CONTAMINATED = "exact_duplicate", "near_duplicate", "license", "contaminated"
SHOWS_HELDOUT = "shows_heldout"

_META = [
    "id",
    "repo",
    "path",
    "kind",
    "language",
    "licenses",
    "license_type",
    "license_evidence",
    "added_at",
    "size",
]
_LICENSE_RANK = {"permissive": 0, "no_license": 1, "non_permissive": 2}


@dataclass
class _File:
    """A file's row without its content, and what becomes of it."""

    id: str
    repo: str
    path: str
    kind: str
    language: str
    licenses: list[str]
    license_type: str
    license_evidence: str
    added_at: int | None
    size: int
    reason: str = ""
    detail: str = ""
    near_group: str = ""
    split: str = ""
    place: tuple[int, int] = (0, 0)  # (shard, row)
    signals: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.repo}:{self.path}"

    @property
    def preference(self) -> tuple[int, str, str]:
        """The least of a group of copies is kept: permissive licence first, then (repo, path)."""
        return _LICENSE_RANK.get(self.license_type, 2), self.repo, self.path


def build_corpus(
    folder: Path, sources: Path, config: CorpusConfig, *, seed: int, executor: Executor | None
) -> None:
    """From `sources/files` write `folder/signals`, `decisions`, `train` and `heldout`.

    Near-copies are collapsed to one file before the split; what the banding missed (see `near_groups`) is then
    looked for exactly between training and held-out files, so that no near-copy of a held-out file is trained on.

    Raises:
        UserError: an override names no rule, fewer than two files are left, or a time split of files without
            commit times.
        RunError: the disk is full, a shard is broken or a worker died; run again to go on.
    """
    rules, source = with_thresholds(config.rules, config.rulesets), Dataset.open(sources / "files")
    inputs = {"files": source.content_hash}
    asked = config.model_dump(mode="json", include={"rulesets", "parse"})
    measured = map_shards(
        source, folder / "signals", Stage("signals", SIGNALS_VERSION, asked, inputs), SIGNALS,
        partial(signals.measure_table, rulesets=config.rulesets, parse=config.parse == "on"), executor=executor,
    )  # fmt: skip
    files = _load(source, measured)
    if config.licenses == "permissive":
        _drop_unlicensed(files)
    _apply_rules(files, rules)
    index, decided = test_index(config), dict(inputs)
    if index is not None:
        settings = {**config.runs.model_dump(mode="json"), "tests": index.stem}
        met = map_shards(
            source, folder / "contamination", Stage("contamination", 1, settings, inputs), CONTAMINATION,
            partial(contamination_table, index_path=str(index)), executor=executor,
        )  # fmt: skip
        decided["contamination"] = met.content_hash
        _drop_contaminated(files, met, config.minimum_runs)
    _drop_exact(files)
    banded = map_shards(
        source, folder / "bands", Stage("near-duplicates", BANDS_VERSION, {}, inputs), minhash.BAND_HASHES,
        minhash.band_table, executor=executor,
    )  # fmt: skip
    _drop_near(files, source, banded, config.near_jaccard)
    kept = [file for file in files if not file.reason]
    stage = partial(
        Stage,
        version=VERSION,
        config=config.model_dump(mode="json", exclude={"against"}),
        inputs=decided,
        seed=seed,
    )
    shards: list[list[_File]] = [[] for _ in source.shard_paths]
    for file in files:
        shards[file.place[0]].append(file)
    try:
        _split(kept, files, source, config, seed)
        _drop_leaks(kept, source, config.near_jaccard)
        for number, found in showing(kept, source).items():
            kept[number].reason, kept[number].detail, kept[number].split = SHOWS_HELDOUT, found, ""
    except UserError:  # too little is left: `explain` tells why
        _write_decisions(folder, stage("decisions"), shards)
        raise
    _write_decisions(folder, stage("decisions"), shards)
    for split in ("train", "heldout"):
        tasks = [
            (path, [file.id for file in shard if file.split == split])
            for path, shard in zip(source.shard_paths, shards)
        ]
        build(folder / split, stage(split), FILES, _select, tasks, executor=executor, quiet=True)


def _write_decisions(folder: Path, stage: Stage, shards: list[list[_File]]) -> None:
    rows = [[_decision(file) for file in shard] for shard in shards]
    build(folder / "decisions", stage, DECISIONS, _decision_table, rows, quiet=True)


def _load(source: Dataset, measured: Dataset) -> list[_File]:
    files: list[_File] = []
    for shard, (rows, values) in enumerate(zip(source.tables(_META), measured.tables())):
        for number, (row, value) in enumerate(zip(rows.to_pylist(), values.to_pylist())):
            files.append(_File(**row, place=(shard, number), signals=value))
    return files


def _drop_unlicensed(files: list[_File]) -> None:
    for file in files:
        if file.license_type != "permissive":
            said = ", ".join(file.licenses) or "no licence"
            file.reason, file.detail = LICENSE, f"{said}: not permissive ({file.license_evidence})"


def _apply_rules(files: list[_File], rules: tuple[Rule, ...]) -> None:
    for file in files:
        if file.reason:
            continue
        rule = first_fired(rules, file.language, file.signals)
        if rule:
            file.reason, file.detail = rule.name, rule.detail(file.signals[rule.signal])


def test_index(config: CorpusConfig) -> Path | None:
    """The index of the test sets that a configuration names, made unless it is there; None where it names none.

    Raises:
        UserError: a test set is not there or cannot be read.
    """
    if not config.against:
        return None
    return prepare_index(config.against, config.runs, cache_root() / "decontamination")


def _drop_contaminated(files: list[_File], met: Dataset, least: int) -> None:
    rows = (row for table in met.tables() for row in table.to_pylist())
    for file, row in zip(files, rows, strict=True):
        if not file.reason and row["grams"] >= least:
            more = f" and {row['items'] - 1} more" if row["items"] > 1 else ""
            file.reason = CONTAMINATED
            file.detail = (
                f"line {row['line']} shares {row['gram']!r} with {row['benchmark']} {row['item']}{more}; "
                f"{row['grams']} such runs"
            )


def _drop_exact(files: list[_File]) -> None:
    groups: dict[str, list[_File]] = {}
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


def _drop_near(files: list[_File], source: Dataset, banded: Dataset, threshold: float) -> None:
    rows = [row for table in banded.tables(["bands"]) for row in _lists(table.column("bands"))]
    left = [number for number, file in enumerate(files) if not file.reason]

    def shingles_of(numbers: list[int]) -> dict[int, minhash.Hashes]:
        return dict(_shingles(source, [(number, files[left[number]]) for number in numbers]))

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


def _split(kept: list[_File], files: list[_File], source: Dataset, config: CorpusConfig, seed: int) -> None:
    dropped = Counter(file.reason for file in files if file.reason)
    # The forms of a notebook are one file: what one of them shows, another must not be asked.
    places = list(dict.fromkeys((file.repo, file.path, file.added_at) for file in kept))
    # Files are what a model is tested on; a corpus of conversations alone holds some of them out.
    real = [(file.repo, file.path, file.added_at) for file in kept if file.kind not in COMPOSED_KINDS]
    places = list(dict.fromkeys(real)) if len(real) > 1 else places
    shallow = source.manifest.config.get("shallow", [])
    heldout = choose([Item(*place) for place in places], config, seed, dropped=dropped, shallow=shallow)
    held = {places[number] for number in heldout}
    for file in kept:
        file.split = "heldout" if (file.repo, file.path, file.added_at) in held else "train"
    planned = heldout_count(len(places), config)
    if len(heldout) != planned:
        say(
            f"split: time holds out {len(heldout)} files, not {planned}: those added at one time stay together"
        )


def _drop_leaks(kept: list[_File], source: Dataset, threshold: float) -> None:
    """Drop what the banding missed: training files that are near copies of a held-out file."""
    held = [file for file in kept if file.split == "heldout"]
    grams = dict(_shingles(source, list(enumerate(held))))
    train = _shingles(source, [(n, file) for n, file in enumerate(kept) if file.split == "train"])
    for number, (nearest, score) in near_any([grams[n] for n in range(len(held))], train, threshold).items():
        file, twin = kept[number], held[nearest]
        file.reason, file.split = NEAR, ""
        file.detail = (
            f"near copy of held-out {twin.name} (Jaccard of word 5-grams {score:.2f} >= {threshold:g})"
        )
        file.near_group = twin.near_group = twin.near_group or twin.id
    if not any(file.split == "train" for file in kept):
        raise UserError("no files left to train on: all are near copies of the held-out ones; add sources")


def _shingles(source: Dataset, wanted: list[tuple[int, _File]]) -> Iterator[tuple[int, minhash.Hashes]]:
    """Shingle sets of some files, each with its number, read shard by shard."""
    shards: dict[int, list[tuple[int, _File]]] = {}
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


def _lists(column: pa.ChunkedArray) -> list[minhash.Hashes]:
    rows: list[minhash.Hashes] = []
    for chunk in column.chunks:
        ends = chunk.offsets.to_numpy()
        rows += np.split(chunk.values.to_numpy(), ends[1:-1]) if len(chunk) else []
    return rows


def _decision(file: _File) -> dict[str, Any]:
    return {
        "id": file.id, "repo": file.repo, "path": file.path, "language": file.language, "kept": not file.reason,
        "reason": file.reason, "detail": file.detail, "near_group": file.near_group, "split": file.split,
        "size": file.size,
    }  # fmt: skip


def _decision_table(rows: list[dict[str, Any]]) -> tuple[pa.Table, dict[str, int]]:
    counters: dict[str, int] = {}
    for row in rows:
        name = f"dropped_{row['reason']}" if row["reason"] else row["split"] or "unsplit"
        counters[name] = counters.get(name, 0) + 1
    return pa.Table.from_pylist(rows, schema=DECISIONS), counters


def _select(task: tuple[Path, list[str]]) -> tuple[pa.Table, dict[str, int]]:
    path, ids = task
    table = read_shard(path)
    table = table.filter(pc.is_in(table["id"], value_set=pa.array(ids, pa.string())))
    return table, {"files": table.num_rows, "bytes": int(pc.sum(table["size"]).as_py() or 0)}
