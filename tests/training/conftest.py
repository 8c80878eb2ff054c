"""A small packed dataset of standard-library files for the trainer's tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from codekiln.formats import CONTROL_IDS, END_OF_TEXT, Kind
from codekiln.shards import Stage, build
from codekiln.shards.tables import SEQUENCES


def _rows(task: tuple[int, int, int]) -> pa.Table:
    first, count, length = task
    rows = []
    for number in range(first, first + count):
        rng = np.random.default_rng(number)
        sizes = [length // 2, length - length // 2]
        ids, kinds, mask = [], [], []
        for size in sizes:
            # A short repeating pattern, so that a few steps can learn it.
            pattern = rng.integers(0, 200, 5).tolist()
            ids += [*(pattern * size)[: size - 1], CONTROL_IDS[END_OF_TEXT]]
            kinds += [int(Kind.PLAIN)] * (size - 1) + [int(Kind.END)]
            mask += [1] * size
        rows.append(
            {
                "row": number,
                "epoch": 0,
                "input_ids": ids,
                "lengths": sizes,
                "loss_mask": mask,
                "kinds": kinds,
                "documents": ["r:a", "r:b"],
                "forms": ["plain", "plain"],
            }
        )
    return pa.Table.from_pylist(rows, schema=SEQUENCES)


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 file-level rows of 64 tokens and 8 repository-level rows of 96, in shards of 8."""
    folder = tmp_path_factory.mktemp("packed")
    build(folder / "file", Stage("file", 1), SEQUENCES, _rows, [(0, 8, 64), (8, 8, 64), (16, 8, 64)])
    build(folder / "repository", Stage("repository", 1), SEQUENCES, _rows, [(100, 8, 96)])
    return folder
