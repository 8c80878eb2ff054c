"""The texts of what a user points at: a corpus, a table of rows, a folder or a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from codekiln.corpus.decontamination.testfiles import read_texts, row_format
from codekiln.corpus.sources.folders import walk_folder
from codekiln.corpus.sources.walking import read_inside
from codekiln.errors import UserError
from codekiln.shards import Dataset
from codekiln.shards.store import MANIFEST

#: Files above this are not read (bytes).
MOST_BYTES = 256 * 1024**2


def documents(path: Path) -> Iterator[tuple[str, str | None]]:
    """(name, text) of each document at a path, in order; None for a file that is no text.

    A folder of `corpus build` or of a run gives its training and held-out files, a codekiln dataset its rows, a
    `.jsonl`, `.json`, `.parquet` or `.csv` file (also packed) the texts of its rows, another folder its files.

    Raises:
        UserError: nothing stands at the path, or it cannot be read.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist; give a corpus, a folder or a file")
    datasets = _datasets(path)
    if datasets:
        for folder in datasets:
            dataset = Dataset.open(folder)
            for table in dataset.tables(["repo", "path", "content"]):
                for batch in table.to_batches():
                    for row in batch.to_pylist():
                        yield f"{row['repo']}:{row['path']}", row["content"]
    elif path.is_file() and row_format(path):
        for batch in read_texts([(path, None)]).to_batches(max_chunksize=1000):
            for row in batch.to_pylist():
                yield f"{path}: {row['item']} {row['field']}", row["text"]
    else:
        root = path if path.is_dir() else path.parent
        walked, _ = walk_folder(path) if path.is_dir() else (None, None)
        for name in sorted(name for name, _ in walked.files) if walked else [path.name]:
            data = read_inside(root, name, MOST_BYTES + 1)
            yield str(root / name), _decoded(data)


def _datasets(path: Path) -> list[Path]:
    if (path / MANIFEST).is_file():
        return [path]
    for base in (path / "corpus", path / "stages" / "corpus", path):
        inner = [base / name for name in ("train", "heldout") if (base / name / MANIFEST).is_file()]
        if inner:
            return inner
    return []


def _decoded(data: bytes | str) -> str | None:
    if isinstance(data, str) or b"\0" in data or len(data) > MOST_BYTES:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None
