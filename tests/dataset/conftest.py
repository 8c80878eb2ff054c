"""A byte-level tokenizer for unit tests, and small corpora in the corpus room's layout."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from codekiln.shards import Stage
from codekiln.shards.kernel import build
from codekiln.shards.tables import FILES

#: (repository, path, content)
Source = tuple[str, str, str]


class ByteTokenizer:
    """Ids are the bytes of the text in UTF-8."""

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def encode_batch(self, texts: list[str]) -> list[list[int]]:
        return [self.encode(text) for text in texts]

    def decode(self, ids: list[int]) -> str:
        return bytes(ids).decode()


@pytest.fixture
def byte_tokenizer() -> ByteTokenizer:
    return ByteTokenizer()


def _table(sources: list[Source]) -> pa.Table:
    rows = [
        {
            "id": hashlib.blake2b("\0".join(source).encode(), digest_size=16).hexdigest(),
            "repo": source[0],
            "path": source[1],
            "revision": "",
            "added_at": None,
            "language": "python",
            "licenses": [],
            "license_type": "",
            "license_evidence": "",
            "size": len(source[2].encode()),
            "content": source[2],
        }
        for source in sources
    ]
    return pa.Table.from_pylist(rows, schema=FILES)


@pytest.fixture
def make_corpus(tmp_path: Path) -> Callable[..., Path]:
    """Write a corpus folder with `train` (in shards of `per_shard` files) and `heldout`."""

    def make(
        train: list[Source], heldout: list[Source] | None = None, *, name: str = "corpus", per_shard: int = 7
    ) -> Path:
        folder = tmp_path / name
        parts = [train[at : at + per_shard] for at in range(0, max(len(train), 1), per_shard)]
        build(folder / "train", Stage("corpus", 1, {"name": name}), FILES, _table, parts, quiet=True)
        build(
            folder / "heldout", Stage("corpus", 1, {"name": name}), FILES, _table, [heldout or []], quiet=True
        )
        return folder

    return make
