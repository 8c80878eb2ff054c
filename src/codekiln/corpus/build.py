"""The corpus stage: signals, rules, deduplication and the held-out split, every drop with its reason."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from codekiln.corpus import minhash, signals
from codekiln.corpus.carried import carrying
from codekiln.corpus.config import CorpusConfig
from codekiln.corpus.copies import drop_exact, drop_leaks, drop_near
from codekiln.corpus.decided import HELDOUT, LICENSE_TYPES, TRAIN, Files, Mask, Numbers, load
from codekiln.corpus.decontamination.match import CONTAMINATION, contamination_counted, contamination_table
from codekiln.corpus.decontamination.prepare import prepare_index
from codekiln.corpus.firing import first_firing
from codekiln.corpus.nearcopies import near_copies, remove_work
from codekiln.corpus.repositories import SIGNATURES, band_table_of, drop_repository_copies, signature_table
from codekiln.corpus.rules import Rule, with_thresholds
from codekiln.corpus.shown import showing
from codekiln.corpus.split import Item, choose, heldout_count
from codekiln.corpus.summary import summarize
from codekiln.corpus.verdicts import (
    CONTAMINATED,
    LICENSE,
    SHOWS_HELDOUT,
    UNMEASURED,
    decision_table,
    verdicts,
)
from codekiln.downloads.cachefolder import cache_root
from codekiln.errors import UserError
from codekiln.progress import say
from codekiln.shards import Dataset, Executor, Stage, build, lost_rows
from codekiln.shards.store import read_shard
from codekiln.shards.tables import DECISIONS, FILES, SIGNALS

__all__ = ["build_corpus", "summarize"]

#: Raise one whenever what it names gives another result for the same input.
SIGNALS_VERSION, BANDS_VERSION, VERSION = 4, 4, 8


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
    files = load(source)
    if config.licenses == "permissive":
        files.reason[files.license_rank != LICENSE_TYPES.index("permissive")] = files.code(LICENSE)
    _drop_lost(files, measured)
    contents = _apply_rules(files, rules, source, measured)
    index, decided, met = test_index(config), dict(inputs), None
    if index is not None:
        settings = {**config.runs.model_dump(mode="json"), "tests": index.stem}
        met = carried(
            Stage("contamination", 1, settings, inputs), CONTAMINATION,
            partial(contamination_table, index_path=str(index)), contamination_counted,
        )  # fmt: skip
        decided["contamination"] = met.content_hash
        _drop_lost(files, met)
        grams = np.concatenate(
            [np.empty(0, np.int64), *(one["grams"].to_numpy() for one in met.tables(["grams"]))]
        )
        files.reason[files.left & (grams >= config.minimum_runs)] = files.code(CONTAMINATED)
    banding: tuple[Callable[[pa.Table], pa.Table], Dataset] = (minhash.band_table, source)
    if config.repository_jaccard is not None:
        signed = carried(
            Stage("signatures", BANDS_VERSION, {}, inputs), SIGNATURES, signature_table, minhash.counted
        )
        _drop_lost(files, signed)
        drop_repository_copies(files, source, signed, config.repository_jaccard, config.repository_keep)
        banding = (band_table_of, signed)
    drop_exact(files, contents)
    banded = carried(
        Stage("bands", BANDS_VERSION, {}, inputs),
        minhash.BAND_HASHES,
        banding[0],
        minhash.counted,
        banding[1],
    )
    _drop_lost(files, banded)
    groups = near_copies(folder, files, source, banded, config.near_jaccard, executor)
    drop_near(files, groups, config.near_jaccard)
    stage = partial(
        Stage,
        version=VERSION,
        config=config.model_dump(mode="json", exclude={"against"}),
        inputs=decided,
        seed=seed,
    )

    def write_decisions() -> None:
        tasks = list(verdicts(files, source, measured, met, rules))
        build(
            folder / "decisions", stage("decisions"), DECISIONS, decision_table, tasks,
            executor=executor, quiet=True,
        )  # fmt: skip
        remove_work(folder)

    try:
        _split(files, source, config, seed)
        drop_leaks(files, source, banded, config.near_jaccard)
        for number, found in showing(files, source).items():
            files.drop(number, SHOWS_HELDOUT, found)
            files.split[number] = 0
    except UserError:  # too little is left: `explain` tells why
        write_decisions()
        raise
    write_decisions()
    for number, name in ((TRAIN, "train"), (HELDOUT, "heldout")):
        chosen = files.split == number
        parts = [(path, chosen[files.of_shard(shard)]) for shard, path in enumerate(source.shard_paths)]
        build(folder / name, stage(name), FILES, _select, parts, executor=executor, quiet=True)


def _drop_lost(files: Files, measured: Dataset) -> None:
    """Drop what could not be measured."""
    if lost := lost_rows(measured):
        found = pc.is_in(files.ids, value_set=pa.array(lost, files.ids.type))
        for number in np.flatnonzero(found.to_numpy(zero_copy_only=False)).tolist():
            why = lost[files.ids[number].as_py()]
            files.drop(number, UNMEASURED, f"{measured.manifest.stage}: {why}")


def test_index(config: CorpusConfig) -> Path | None:
    """The index of the test sets that a configuration names, made unless it is there; None where it names none.

    Raises:
        UserError: a test set is not there or cannot be read.
    """
    if not config.against:
        return None
    return prepare_index(config.against, config.runs, cache_root() / "decontamination")


def _apply_rules(files: Files, rules: tuple[Rule, ...], source: Dataset, measured: Dataset) -> minhash.Hashes:
    """Drop what a rule drops; the hashes of the files' contents, shape (files, 2), uint64."""
    codes = np.array([files.code(rule.name) for rule in rules], np.int16)
    contents = np.empty((len(files), 2), np.uint64)
    for shard, (languages, values) in enumerate(zip(source.tables(["language"]), measured.tables())):
        own = files.of_shard(shard)
        fired = first_firing(rules, languages["language"], values)
        drops = (fired >= 0) & files.left[own]
        files.reason[own][drops] = codes[fired[drops]]
        digits = "".join(values["content_hash"].to_pylist())
        contents[own] = np.frombuffer(bytes.fromhex(digits), np.uint64).reshape(-1, 2)
    return contents


def _split(files: Files, source: Dataset, config: CorpusConfig, seed: int) -> None:
    kept = np.flatnonzero(files.left)
    # The forms of a notebook are one file: what one of them shows, another must not be asked.
    first_of = _first_of_place(files, kept)
    items = np.unique(first_of)
    # Files are what a model is tested on; a corpus of conversations alone holds some of them out.
    real = items[~files.composed[items]]
    items = real if len(real) > 1 else items
    shallow = source.manifest.config.get("shallow", [])
    heldout = choose(
        (Item(files.repo(number), files.path(number), files.time(number)) for number in items.tolist()),
        config, seed, dropped=files.counted(), shallow=shallow,
    )  # fmt: skip
    held = np.isin(first_of, items[sorted(heldout)])
    files.split[kept] = np.where(held, HELDOUT, TRAIN)
    planned = heldout_count(len(items), config)
    if len(heldout) != planned:
        say(
            f"split: time holds out {len(heldout)} files, not {planned}: those added at one time stay together"
        )


def _first_of_place(files: Files, kept: Numbers) -> Numbers:
    """For each of some files the first of them with its repository, path and time."""
    paths = files.paths.take(pa.array(kept)).dictionary_encode().indices.to_numpy()
    columns = (files.added_at[kept], files.repos[kept], paths)
    order = np.lexsort(columns)
    same = np.logical_and.reduce([column[order[1:]] == column[order[:-1]] for column in columns])
    starts = np.concatenate([[True], ~same])[: len(order)]
    first = np.empty(len(kept), np.int64)
    first[order] = kept[order[starts]][np.cumsum(starts) - 1]
    return first


def _select(task: tuple[Path, Mask]) -> tuple[pa.Table, dict[str, int]]:
    path, chosen = task
    table = read_shard(path).filter(pa.array(chosen))
    return table, {"files": table.num_rows, "bytes": int(pc.sum(table["size"]).as_py() or 0)}
