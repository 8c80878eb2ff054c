"""The training files of a corpus, by number: light columns in memory, contents read from their shard on demand."""

from __future__ import annotations

import posixpath
from bisect import bisect_right
from functools import lru_cache
from pathlib import Path

from codekiln.dataset.documents import normalise
from codekiln.errors import UserError
from codekiln.shards import Dataset
from codekiln.shards.places import Place
from codekiln.shards.store import read_shard
from codekiln.shards.tables import COMPOSED_KINDS


class TrainFiles:
    """Columns of the training files in corpus order; `text(n)` is the n-th content in normal form C.

    `repositories` maps a repository to the numbers of its files, by folder; a commit or a conversation is no file of a
    repository, and is alone. Held-out files live in another
    dataset, so nothing that is made from this one can contain them.
    """

    def __init__(self, corpus: Path) -> None:
        dataset = Dataset.open(corpus / "train")
        if len(dataset) == 0:
            raise UserError(f"{dataset.path} holds no file to train on; add sources or loosen the filters")
        columns = dataset.table(["id", "repo", "path", "kind", "language", "size"]).to_pydict()
        self.ids: list[str] = columns["id"]
        self.repos: list[str] = columns["repo"]
        self.paths: list[str] = columns["path"]
        self.languages: list[str] = columns["language"]
        self.sizes: list[int] = columns["size"]
        self._shards = [
            (path, info.sha256) for path, info in zip(dataset.shard_paths, dataset.manifest.shards)
        ]
        self._starts = [0]
        for info in dataset.manifest.shards:
            self._starts.append(self._starts[-1] + info.rows)
        self.repositories: dict[str, dict[str, list[int]]] = {}
        self._alone = {number for number, kind in enumerate(columns["kind"]) if kind in COMPOSED_KINDS}
        for number, (repo, path) in enumerate(zip(self.repos, self.paths)):
            if number not in self._alone:
                self.repositories.setdefault(repo, {}).setdefault(posixpath.dirname(path), []).append(number)

    def __len__(self) -> int:
        return len(self.ids)

    def around(self, number: int) -> dict[str, list[int]]:
        """The training files of a file's repository, by folder; nothing but itself for what is no file of one."""
        if number in self._alone:
            return {posixpath.dirname(self.paths[number]): [number]}
        return self.repositories[self.repos[number]]

    def text(self, number: int) -> str:
        """The content of a file as it is trained (normal form C)."""
        shard = bisect_right(self._starts, number) - 1
        return normalise(_contents(*self._shards[shard])[number - self._starts[shard]].as_py() or "")

    def source(self, number: int) -> str:
        """Provenance of a file, `repository:path`, on one line."""
        return one_line_name(f"{self.repos[number]}:{self.paths[number]}")


def one_line_name(name: str) -> str:
    """A repository name or path without line breaks, which would break the formats that hold one a line."""
    return name.replace("\r", " ").replace("\n", " ")


@lru_cache(maxsize=4)
def open_files(corpus: str, content_hash: str) -> TrainFiles:
    """The training files of a corpus folder, opened once a process; `content_hash` tells its versions apart."""
    return TrainFiles(Path(corpus))


@lru_cache(maxsize=4)
def _contents(place: Place, sha256: str):  # type: ignore[no-untyped-def]
    return read_shard(place, ["content"]).column("content")
