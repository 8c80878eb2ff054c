"""Clean files to packed training rows: tokenise just enough documents, pack them, write the rows in order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import chain, count, groupby, islice
from math import ceil
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from codekiln.dataset.config import DatasetConfig, repository_tokens
from codekiln.dataset.documents import CHARACTERS_PER_TOKEN
from codekiln.dataset.files import TrainFiles, open_files
from codekiln.dataset.pack import pack
from codekiln.dataset.repository import has_context
from codekiln.dataset.tokenise import CHUNK, Cell, Chunk, Level, cell_stream, level_cells, tokenise_chunk
from codekiln.errors import UserError
from codekiln.fim import document_rng
from codekiln.progress import say
from codekiln.shards import Dataset, Executor, Stage
from codekiln.shards.attempts import left_out
from codekiln.shards.folders import remove_folder
from codekiln.shards.kernel import build, holds
from codekiln.shards.places import place_of
from codekiln.shards.store import read_shard
from codekiln.shards.tables import SEQUENCES

VERSION = 1
#: Shards of documents whose documents are shuffled together; a shard of rows then reads from at most as many.
MIXED = 16
ROWS_PER_SHARD = 256
#: The levels in the order in which the trainer reads them, and among how many waiting documents packing looks
#: for the best fit (97.9 % full file rows on the standard library; a repository document fills a row by itself).
BUFFERS = {"file": 128, "repository": 32}


def build_dataset(
    folder: Path,
    corpus: Path,
    checkpoint: Path,
    config: DatasetConfig,
    *,
    tokens: int,
    seed: int,
    executor: Executor | None = None,
) -> None:
    """Write `folder/file` and `folder/repository`: packed rows in training order (schema SEQUENCES).

    Reads only `corpus/train`. Together the rows hold at least `tokens` tokens, and little more: the file level
    its share, the repository level `config.repository_share`. A budget of less than an epoch sees a random
    part of the files and tokenises little beyond it; a larger one goes through all documents once an epoch,
    with fresh decisions. Where no repository has two training files, the whole budget goes to the file level
    and the repository level is empty; the counters say so. Same corpus, tokenizer, configuration, budget and
    seed give byte-identical shards for any number of workers, also after a kill.

    Raises:
        UserError: no corpus, no training file, or a budget below 1.
        RunError: the disk is full, or a shard cannot be read.
    """
    if tokens < 1:
        raise UserError(f"a budget of {tokens} tokens makes no dataset; give at least 1")
    from codekiln.modeling.tokenizer import load_tokenizer

    train = Dataset.open(corpus / "train")
    files = open_files(str(corpus), train.content_hash)
    level = Level(
        name="file",
        corpus=str(corpus),
        corpus_hash=train.content_hash,
        checkpoint=str(checkpoint),
        fingerprint=load_tokenizer(checkpoint).fingerprint,
        config=config,
        seed=seed,
    )
    share = config.repository_share
    if share > 0 and not level_cells(replace(level, name="repository"), files):
        say("dataset: no repository has a second training file; its share goes to file-level rows")
        share = 0.0
    repository = repository_tokens(tokens, share)
    budgets = {"file": tokens - repository, "repository": repository}
    for name in BUFFERS:
        _build_level(folder, replace(level, name=name), files, budgets[name], tokens, executor)


@dataclass
class _Documents:
    """Tokenised documents of a level, in order: where each stands, its length and its epoch."""

    places: list[tuple[str, str, int]] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    epochs: list[int] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)

    def add(self, dataset: Dataset, seed: int) -> None:
        """Append a round's documents, shuffled within runs of MIXED shards of the same epoch."""
        self.left_out |= left_out(dataset)
        shards = []
        for path, info in zip(dataset.shard_paths, dataset.manifest.shards):
            table = read_shard(path, ["lengths", "epoch"])
            lengths = table.column("lengths").combine_chunks().flatten().to_pylist()
            epochs = table.column("epoch").to_pylist()
            shards.append(
                [(epoch, (str(path), info.sha256, row), lengths[row]) for row, epoch in enumerate(epochs)]
            )
        for at in range(0, len(shards), MIXED):
            for epoch, group in groupby(chain(*shards[at : at + MIXED]), key=itemgetter(0)):
                run = list(group)
                for number in document_rng(seed, epoch, f"order:{len(self.lengths)}").permutation(len(run)):
                    self.epochs.append(epoch)
                    self.places.append(run[number][1])
                    self.lengths.append(run[number][2])


def _build_level(
    folder: Path, level: Level, files: TrainFiles, budget: int, tokens: int, executor: Executor | None
) -> None:
    out, temporary = folder / level.name, folder / f"{level.name}.documents"
    stage = Stage(
        f"dataset {level.name}",
        VERSION,
        {**level.config.model_dump(), "tokens": tokens},
        {"corpus": level.corpus_hash, "tokenizer": level.fingerprint},
        level.seed,
    )
    if not holds(out, stage):
        cells = level_cells(level, files) if budget else []
        documents, rows = _enough_rows(temporary, stage, level, files, cells, budget, executor)
        alone = {"files_without_context": sum(not has_context(files, number) for number in range(len(files)))}
        counters = documents.left_out | (alone if level.name == "repository" else {})
        tasks = [
            _RowTask(
                at,
                tuple(
                    tuple(documents.places[number] for number in row)
                    for row in rows[at : at + ROWS_PER_SHARD]
                ),
                counters if at == 0 else {},
            )
            for at in range(0, max(len(rows), 1), ROWS_PER_SHARD)
        ]
        sizes = [len(task.rows) for task in tasks]
        build(out, stage, SEQUENCES, gather_rows, tasks, executor=executor, unit="rows", sizes=sizes)
    remove_folder(temporary)


def _enough_rows(
    temporary: Path,
    stage: Stage,
    level: Level,
    files: TrainFiles,
    cells: list[Cell],
    budget: int,
    executor: Executor | None,
) -> tuple[_Documents, list[list[int]]]:
    """Tokenise documents, in rounds, until their rows hold the budget; rounds that stand are not made again."""
    documents = _Documents()
    rows: list[list[int]] = []
    if budget == 0:
        return documents, rows
    stream = cell_stream(level, files, cells)
    # An epoch in tokens, from bytes; packing waits for a full buffer only while an epoch has more to give.
    epoch_tokens = sum(files.sizes[cell.file] / cell.cells for cell in cells) / CHARACTERS_PER_TOKEN
    epoch_tokens *= level.row_length / level.window_room
    wanted = 1.03 * budget + min(0.8 * BUFFERS[level.name] * level.row_length, epoch_tokens)
    taken = 0
    for number in count():
        size = ceil(len(cells) * wanted / max(epoch_tokens, 1.0))
        part = list(islice(stream, max(1, ceil(size / CHUNK)) * CHUNK))
        taken += len(part)
        chunks = [Chunk(level, tuple(part[at : at + CHUNK])) for at in range(0, len(part), CHUNK)]
        this = replace(stage, name=f"{stage.name} documents", config={**stage.config, "round": number})
        made = build(temporary / f"{number:03d}", this, SEQUENCES, tokenise_chunk, chunks, executor=executor)
        documents.add(made, level.seed)
        if taken >= len(cells) and not documents.lengths:
            raise UserError("the training files hold no text; add sources")
        rows, have = _rows_within(documents, level, budget, complete_below=taken // len(cells))
        if have >= budget:
            break
        epoch_tokens = sum(documents.lengths) * len(cells) / taken
        wanted = 1.05 * (budget - have)
    return documents, rows


def _rows_within(
    documents: _Documents, level: Level, budget: int, *, complete_below: int
) -> tuple[list[list[int]], int]:
    """Pack epoch by epoch and stop at the row that reaches the budget: (rows, tokens in them).

    Documents of a last row that is not nearly full go ahead of the next epoch's.
    """
    rows: list[list[int]] = []
    have, carried = 0, []  # type: tuple[int, list[int]]
    epochs = np.array(documents.epochs)
    for epoch in range(int(epochs[-1]) + 1 if len(epochs) else 0):
        numbers = carried + np.flatnonzero(epochs == epoch).tolist()
        packed, left = pack(
            [documents.lengths[number] for number in numbers],
            level.row_length,
            complete=epoch < complete_below,
            buffer=BUFFERS[level.name],
        )
        for row in packed:
            rows.append([numbers[place] for place in row])
            have += sum(documents.lengths[number] for number in rows[-1])
            if have >= budget:
                return rows, have
        carried = [numbers[place] for place in left]
    return rows, have


@dataclass(frozen=True)
class _RowTask:
    """Rows of one shard, from row number `first` on: for each the (path, hash, row) of its documents."""

    first: int
    rows: tuple[tuple[tuple[str, str, int], ...], ...]
    counters: dict[str, int]


def gather_rows(task: _RowTask) -> tuple[pa.Table, dict[str, int]]:
    """Join documents to rows; counts rows, tokens, targets and documents by form."""
    columns: dict[str, list] = {name: [] for name in SEQUENCES.names}
    counters = {"rows": len(task.rows), "tokens": 0, "targets": 0, **task.counters}
    for offset, places in enumerate(task.rows):
        parts = [_document(*place) for place in places]
        columns["row"].append(task.first + offset)
        columns["epoch"].append(parts[0]["epoch"])
        for name in ("input_ids", "loss_mask", "kinds"):
            columns[name].append(np.concatenate([part[name] for part in parts]))
        columns["lengths"].append([len(part["input_ids"]) for part in parts])
        columns["documents"].append([part["document"] for part in parts])
        columns["forms"].append([part["form"] for part in parts])
        counters["tokens"] += len(columns["input_ids"][-1])
        counters["targets"] += int(columns["loss_mask"][-1].sum())
        for part in parts:
            counters[f"documents:{part['form']}"] = counters.get(f"documents:{part['form']}", 0) + 1
    return pa.table(columns, schema=SEQUENCES), counters


def _document(path: str, sha256: str, row: int) -> dict:
    table = _shard(path, sha256)
    document = {name: _values(table[name], row) for name in ("input_ids", "loss_mask", "kinds")}
    return {
        **document,
        "epoch": table["epoch"][row].as_py(),
        "document": table["documents"][row].as_py()[0],
        "form": table["forms"][row].as_py()[0],
    }


def _values(column: pa.ListArray, row: int) -> np.ndarray:
    offsets = column.offsets
    return column.values.to_numpy()[offsets[row].as_py() : offsets[row + 1].as_py()]


@lru_cache(maxsize=2 * MIXED)
def _shard(path: str, sha256: str) -> dict[str, Any]:
    table = read_shard(place_of(path))
    return {name: table.column(name).combine_chunks() for name in table.column_names}
