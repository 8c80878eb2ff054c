"""The corpus stage: signals, rules, deduplication and the held-out split, every drop with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from codekiln.corpus import minhash, signals
from codekiln.corpus.carried import carrying
from codekiln.corpus.config import CorpusConfig
from codekiln.corpus.copies import drop_exact, drop_leaks, drop_near
from codekiln.corpus.decided import File
from codekiln.corpus.decontamination.match import CONTAMINATION, contamination_counted, contamination_table
from codekiln.corpus.decontamination.prepare import prepare_index
from codekiln.corpus.repositories import SIGNATURES, band_table_of, drop_repository_copies, signature_table
from codekiln.corpus.rules import Rule, first_fired, with_thresholds
from codekiln.corpus.shown import showing
from codekiln.corpus.split import Item, choose, heldout_count
from codekiln.corpus.summary import summarize
from codekiln.downloads.cachefolder import cache_root
from codekiln.errors import UserError
from codekiln.progress import say
from codekiln.shards import Dataset, Executor, Stage, build
from codekiln.shards.store import read_shard
from codekiln.shards.tables import COMPOSED_KINDS, DECISIONS, FILES, SIGNALS

__all__ = ["build_corpus", "summarize"]

#: Raise one whenever what it names gives another result for the same input.
SIGNALS_VERSION, BANDS_VERSION, VERSION = 2, 3, 4

LICENSE, CONTAMINATED, SHOWS_HELDOUT = "license", "contaminated", "shows_heldout"

_META = [
    "id", "repo", "path", "kind", "language", "licenses", "license_type", "license_evidence", "added_at", "size",
]  # fmt: skip


def build_corpus(
    folder: Path,
    sources: Path,
    config: CorpusConfig,
    *,
    seed: int,
    executor: Executor | None,
    earlier: Path | None = None,
) -> None:
    """From `sources/files` write `folder/signals`, `decisions`, `train` and `heldout`.

    `earlier` is the output of an earlier build: what it measured of the same files is taken from there.

    Near copies among repositories go first (`repository_jaccard`), then those among files.
    Near-copies are collapsed to one file before the split; what the banding missed (see `near_groups`) is then
    looked for exactly between training and held-out files, so that no near-copy of a held-out file is trained on.

    Raises:
        UserError: an override names no rule, fewer than two files are left, or a time split of files without
            commit times.
        RunError: the disk is full, a shard is broken or a worker died; run again to go on.
    """
    rules, source = with_thresholds(config.rules, config.rulesets), Dataset.open(sources / "files")
    inputs = {"files": source.content_hash}
    carried = carrying(source, folder, earlier, executor)
    asked = config.model_dump(mode="json", include={"rulesets", "parse"})
    measured = carried(
        Stage("signals", SIGNALS_VERSION, asked, inputs), SIGNALS,
        partial(signals.measure_table, rulesets=config.rulesets, parse=config.parse == "on"), signals.counted,
    )  # fmt: skip
    files = _load(source, measured)
    if config.licenses == "permissive":
        _drop_unlicensed(files)
    _apply_rules(files, rules)
    index, decided = test_index(config), dict(inputs)
    if index is not None:
        settings = {**config.runs.model_dump(mode="json"), "tests": index.stem}
        met = carried(
            Stage("contamination", 1, settings, inputs), CONTAMINATION,
            partial(contamination_table, index_path=str(index)), contamination_counted,
        )  # fmt: skip
        decided["contamination"] = met.content_hash
        _drop_contaminated(files, met, config.minimum_runs)
    banding: tuple[Callable[[pa.Table], pa.Table], Dataset] = (minhash.band_table, source)
    if config.repository_jaccard is not None:
        signed = carried(
            Stage("signatures", BANDS_VERSION, {}, inputs), SIGNATURES, signature_table, minhash.counted
        )
        drop_repository_copies(files, source, signed, config.repository_jaccard, config.repository_keep)
        banding = (band_table_of, signed)
    drop_exact(files)
    banded = carried(
        Stage("bands", BANDS_VERSION, {}, inputs),
        minhash.BAND_HASHES,
        banding[0],
        minhash.counted,
        banding[1],
    )
    drop_near(files, source, banded, config.near_jaccard)
    kept = [file for file in files if not file.reason]
    stage = partial(
        Stage,
        version=VERSION,
        config=config.model_dump(mode="json", exclude={"against"}),
        inputs=decided,
        seed=seed,
    )
    shards: list[list[File]] = [[] for _ in source.shard_paths]
    for file in files:
        shards[file.place[0]].append(file)
    try:
        _split(kept, files, source, config, seed)
        drop_leaks(kept, files, source, config.near_jaccard)
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


def _write_decisions(folder: Path, stage: Stage, shards: list[list[File]]) -> None:
    rows = [[_decision(file) for file in shard] for shard in shards]
    build(folder / "decisions", stage, DECISIONS, _decision_table, rows, quiet=True)


def _load(source: Dataset, measured: Dataset) -> list[File]:
    files: list[File] = []
    for shard, (rows, values) in enumerate(zip(source.tables(_META), measured.tables())):
        for number, (row, value) in enumerate(zip(rows.to_pylist(), values.to_pylist())):
            files.append(File(**row, place=(shard, number), signals=value))
    return files


def _drop_unlicensed(files: list[File]) -> None:
    for file in files:
        if file.license_type != "permissive":
            said = ", ".join(file.licenses) or "no licence"
            file.reason, file.detail = LICENSE, f"{said}: not permissive ({file.license_evidence})"


def _apply_rules(files: list[File], rules: tuple[Rule, ...]) -> None:
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


def _drop_contaminated(files: list[File], met: Dataset, least: int) -> None:
    rows = (row for table in met.tables() for row in table.to_pylist())
    for file, row in zip(files, rows, strict=True):
        if not file.reason and row["grams"] >= least:
            more = f" and {row['items'] - 1} more" if row["items"] > 1 else ""
            file.reason = CONTAMINATED
            file.detail = (
                f"line {row['line']} shares {row['gram']!r} with {row['benchmark']} {row['item']}{more}; "
                f"{row['grams']} such runs"
            )


def _split(kept: list[File], files: list[File], source: Dataset, config: CorpusConfig, seed: int) -> None:
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


def _decision(file: File) -> dict[str, Any]:
    return {
        "id": file.id, "repo": file.repo, "path": file.path, "language": file.language, "kept": not file.reason,
        "reason": file.reason, "detail": file.detail, "near_group": file.near_group, "split": file.split,
        "size": file.size, "repository_group": file.repository_group,
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
