"""Training rows in their global order, grouped into optimizer steps.

The order is a function of the stored dataset alone: file-level rows first, then repository-level rows (report
section 3.1), each until its share of the token budget. The loader's whole state is the number of steps done.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from codekiln.dataset.config import repository_tokens
from codekiln.errors import RunError
from codekiln.shards.store import Dataset, read_shard

#: Datasets of a pack, in training order.
LEVELS = ("file", "repository")


@dataclass(frozen=True)
class Row:
    """One packed row: tokens [T] int64, document lengths, loss mask [T] bool, kinds [T] uint8."""

    input_ids: Tensor
    lengths: list[int]
    loss_mask: Tensor
    kinds: Tensor


@dataclass(frozen=True)
class Plan:
    """Rows of each optimizer step as (level, row number), and the tokens each step sees."""

    steps: list[list[tuple[str, int]]]
    tokens: list[int]


class Rows:
    """Reads rows of a packed dataset by (level, number); keeps the last shard read of each level in memory."""

    def __init__(self, folder: Path) -> None:
        self.datasets = {level: Dataset.open(folder / level) for level in LEVELS if (folder / level).exists()}
        self._starts = {
            level: np.cumsum([0, *(shard.rows for shard in dataset.manifest.shards)])
            for level, dataset in self.datasets.items()
        }
        self._open: dict[str, tuple[int, list[dict[str, list[int]]]]] = {}

    @property
    def fingerprint(self) -> dict[str, str]:
        """Content hash of each level; a resumed run refuses another one."""
        return {level: dataset.content_hash for level, dataset in self.datasets.items()}

    def sizes(self, level: str) -> list[int]:
        """Tokens of every row of a level."""
        if level not in self.datasets or not len(self.datasets[level]):
            return []
        lengths = self.datasets[level].table(["lengths"]).column("lengths")
        return [sum(row) for row in lengths.to_pylist()]

    def row(self, level: str, number: int) -> Row:
        """Read one row."""
        starts = self._starts[level]
        shard = int(np.searchsorted(starts, number, side="right")) - 1
        if level not in self._open or self._open[level][0] != shard:
            path = self.datasets[level].shard_paths[shard]
            table = read_shard(path, ["input_ids", "lengths", "loss_mask", "kinds"])
            self._open[level] = (shard, table.to_pylist())
        stored = self._open[level][1][number - int(starts[shard])]
        return Row(
            torch.tensor(stored["input_ids"], dtype=torch.int64),
            stored["lengths"],
            torch.tensor(stored["loss_mask"], dtype=torch.bool),
            torch.tensor(stored["kinds"], dtype=torch.uint8),
        )


def plan_steps(rows: Rows, *, tokens: int, repository_share: float, batch_tokens: int) -> Plan:
    """Group rows into steps of `batch_tokens` (whole rows, at least one), until the budget is reached.

    Packed rows are a little short of their length, so a step counts rows and not tokens.

    Raises:
        RunError: the dataset holds fewer tokens than the budget (it was built for a smaller one).
    """
    repository_sizes = rows.sizes("repository")
    repository = min(repository_tokens(tokens, repository_share), sum(repository_sizes))
    queue: list[tuple[str, int, int]] = []
    for level, sizes, budget in (
        ("file", rows.sizes("file"), tokens - repository),
        ("repository", repository_sizes, repository),
    ):
        seen = 0
        for number, size in enumerate(sizes):
            if seen >= budget:
                break
            queue.append((level, number, size))
            seen += size
        if seen < budget:
            raise RunError(
                f"the dataset holds {seen} {level}-level tokens and the budget asks for {budget}; build it again"
            )
    steps: list[list[tuple[str, int]]] = []
    counts: list[int] = []
    rows_a_step = {
        level: max(1, round(batch_tokens / max(sizes)))
        for level in LEVELS
        if (sizes := [size for other, _, size in queue if other == level])
    }
    for level, number, size in queue:
        # A step never mixes levels, so that its rows have one length.
        if not steps or len(steps[-1]) >= rows_a_step[level] or steps[-1][0][0] != level:
            steps.append([])
            counts.append(0)
        steps[-1].append((level, number))
        counts[-1] += size
    return Plan(steps, counts)


def targets_of(row: Row) -> tuple[Tensor, Tensor]:
    """Positions whose next token is a live target of the same document, and those targets' positions.

    Returns:
        (predicting positions [N], target positions [N]), both int64; the first token of a document is never a
        target, because nothing of its document stands before it.
    """
    first = torch.zeros(len(row.input_ids), dtype=torch.bool)
    first[np.cumsum([0, *row.lengths[:-1]])] = True
    targets = torch.nonzero(row.loss_mask & ~first).squeeze(1)
    return targets - 1, targets
