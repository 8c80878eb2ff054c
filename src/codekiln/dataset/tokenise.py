"""One chunk of cells to tokenised documents; runs in the workers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa

from codekiln import formats
from codekiln.dataset.config import DatasetConfig
from codekiln.dataset.documents import RESERVE, Document, Window, cell_count, window_sample, windows_of
from codekiln.dataset.files import TrainFiles, open_files
from codekiln.dataset.repository import has_context, rank_context, repository_document, target_room
from codekiln.errors import CodekilnError
from codekiln.fim import document_rng
from codekiln.shards import guard
from codekiln.shards.tables import SEQUENCES

#: Cells that one shard of documents is made of.
CHUNK = 32


@dataclass(frozen=True)
class Level:
    """One of the two levels of training (report section 3.1) and what its documents depend on."""

    name: str
    corpus: str
    corpus_hash: str
    checkpoint: str
    fingerprint: str
    config: DatasetConfig
    seed: int

    @property
    def row_length(self) -> int:
        """Tokens of a row."""
        return self.config.length if self.name == "file" else self.config.repository_length

    @property
    def window_room(self) -> int:
        """Tokens of a window of file text, with its control tokens."""
        return self.config.length if self.name == "file" else target_room(self.config)


@dataclass(frozen=True)
class Cell:
    """Cell `cell` of the `cells` of file number `file`."""

    file: int
    cell: int
    cells: int


@dataclass(frozen=True)
class Chunk:
    """A task: some cells, each with its epoch, made into a shard of documents."""

    level: Level
    cells: tuple[tuple[int, Cell], ...]


def level_cells(level: Level, files: TrainFiles) -> list[Cell]:
    """Every cell of the level; at repository level only of files whose repository has another file."""
    return [
        Cell(number, cell, cells)
        for number, size in enumerate(files.sizes)
        if level.name == "file" or has_context(files, number)
        for cells in [cell_count(size, level.window_room)]
        for cell in range(cells)
    ]


def cell_stream(level: Level, files: TrainFiles, cells: list[Cell]) -> Iterator[tuple[int, Cell]]:
    """Every cell of epoch 0, then 1, 2, … without end, each epoch in the order of a hash of (seed, epoch, cell)."""

    def place(epoch: int, cell: Cell) -> bytes:
        name = f"{level.seed}\0{epoch}\0{level.name}\0{files.ids[cell.file]}#{cell.cell}"
        return hashlib.blake2b(name.encode(), digest_size=12).digest()

    for epoch in count():
        yield from ((epoch, cell) for cell in sorted(cells, key=partial(place, epoch)))


def tokenise_chunk(chunk: Chunk) -> pa.Table:
    """The documents of a chunk as rows of one document each (schema SEQUENCES).

    A file that cannot be tokenised, or of which a worker died twice, gives none; the counters name it.
    """
    level = chunk.level
    files = open_files(level.corpus, level.corpus_hash)
    tokenizer = _tokenizer(level.checkpoint, level.fingerprint)
    room = level.window_room - RESERVE
    documents: list[tuple[int, Document]] = []

    def made_of(epoch: int, cell: Cell) -> list[tuple[int, Document]]:
        text = files.text(cell.file)
        windows = windows_of(files.ids[cell.file], text, cell.cell, cell.cells, tokenizer, room)
        ranked = rank_context(files, cell.file, text) if level.name == "repository" else []
        return [
            (epoch, _document(level, epoch, files, cell.file, text, window, ranked)) for window in windows
        ]

    for epoch, cell in chunk.cells:
        name = files.source(cell.file)
        if not guard.enter(name):
            continue
        try:
            documents += made_of(epoch, cell)
        except CodekilnError:
            raise
        except Exception as error:
            if len(chunk.cells) > 1 and (epoch, cell) == chunk.cells[-1] and not documents:
                raise  # whatever the file
            guard.fail(name, error)
        finally:
            guard.leave()
    return _table(documents, level.config.loss)


def _document(
    level: Level, epoch: int, files: TrainFiles, file: int, text: str, window: Window, ranked: list[int]
) -> Document:
    tokenizer = _tokenizer(level.checkpoint, level.fingerprint)
    rng = document_rng(level.seed, epoch, f"{level.name}:{window.id}")
    if level.name == "repository":
        return repository_document(files, file, text, window, ranked, tokenizer, rng, level.config)
    rate, room = level.config.fim_rate, level.row_length
    sample, form = window_sample(
        window, files.languages[file], tokenizer, rng, level.config, rate=rate, room=room
    )
    return Document(window.id, sample, form, files.source(file))


def _table(documents: list[tuple[int, Document]], loss: str) -> pa.Table:
    flat = [formats.flatten(document.sample) for _, document in documents]
    masks = [formats.loss_mask(kinds, loss=loss) for _, kinds in flat]
    for mask in masks:
        mask[0] = 0  # nothing stands before a document's first token that could predict it
    return pa.table(
        {
            "row": list(range(len(flat))),
            "epoch": [epoch for epoch, _ in documents],
            "input_ids": [ids for ids, _ in flat],
            "lengths": [[len(ids)] for ids, _ in flat],
            "loss_mask": masks,
            "kinds": [kinds for _, kinds in flat],
            "documents": [[document.source] for _, document in documents],
            "forms": [[document.form] for _, document in documents],
        },
        schema=SEQUENCES,
    )


@lru_cache(maxsize=2)
def _tokenizer(checkpoint: str, fingerprint: str) -> Any:
    """The checkpoint's tokenizer, loaded once a process; `fingerprint` tells its versions apart."""
    from codekiln.modeling.tokenizer import load_tokenizer

    return load_tokenizer(Path(checkpoint))
