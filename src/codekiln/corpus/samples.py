"""Real files of a corpus to look at: a few of each reason and each language, drawn by a hash of their ids."""

from __future__ import annotations

import hashlib
import heapq
from pathlib import Path
from typing import Any

from codekiln.shards import Dataset
from codekiln.shards.store import read_shard

#: What is shown of a file.
LINES, CHARACTERS = 24, 1_600


def draw(sources: Path, corpus: Path, count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Up to `count` files of each reason, and of each language that was kept ("" as the reason).

    Returns:
        Rows of reason, detail, repo, path, language, size in bytes and `text`, the file's first lines; dropped files
        first, by reason; kept ones by language.
    """
    groups: dict[tuple[str, str], list[tuple[str, int, int, dict[str, Any]]]] = {}
    decisions = Dataset.open(corpus / "decisions")
    columns = ["id", "repo", "path", "language", "reason", "detail", "size"]
    for shard, table in enumerate(decisions.tables(columns)):
        for row, fate in enumerate(table.to_pylist()):
            group = groups.setdefault((fate["reason"], "" if fate["reason"] else fate["language"]), [])
            # The least hashes of a group are an even draw from it; negated, because the heap drops its least.
            rank = hashlib.blake2b(f"{seed} {fate['id']}".encode(), digest_size=8).hexdigest()
            entry = (_negated(rank), shard, row, fate)
            if len(group) < count:
                heapq.heappush(group, entry)
            else:
                heapq.heappushpop(group, entry)
    chosen = [entry for group in groups.values() for entry in group]
    files = Dataset.open(sources / "files")
    texts: dict[tuple[int, int], str] = {}
    for shard in sorted({shard for _, shard, _, _ in chosen}):
        content = read_shard(files.shard_paths[shard], ["content"]).column("content")
        texts |= {(at, row): _head(content[row].as_py()) for _, at, row, _ in chosen if at == shard}
    rows = [
        {key: fate[key] for key in columns[1:]} | {"text": texts[shard, row]}
        for _, shard, row, fate in chosen
    ]
    return sorted(
        rows, key=lambda one: (not one["reason"], one["reason"], one["language"], one["repo"], one["path"])
    )


def _negated(rank: str) -> str:
    return f"{2**64 - 1 - int(rank, 16):016x}"


def _head(text: str) -> str:
    lines = text[:CHARACTERS].splitlines()
    shown = "\n".join(lines[:LINES])
    return shown + ("\n…" if len(lines) > LINES or len(text) > CHARACTERS else "")
