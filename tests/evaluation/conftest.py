from __future__ import annotations

import bisect
import colorsys
import heapq
import shlex
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from codekiln.shards import Dataset, Stage, build
from codekiln.shards.tables import FILES

Made = Callable[[str, Sequence[tuple[str, str, str]]], Dataset]


@pytest.fixture(scope="session")
def make_heldout(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Write a `files` dataset from (path, language, content) triples; ids go by path."""

    def make(name: str, files: Sequence[tuple[str, str, str]]) -> Dataset:
        rows = [
            {
                "id": path.replace("/", "-"),
                "repo": "demo",
                "path": path,
                "language": language,
                "content": content,
            }
            for path, language, content in files
        ]
        stage = Stage("heldout", 1, {"name": name})
        folder = tmp_path_factory.mktemp("heldout") / name
        return build(
            folder, stage, FILES, lambda some: pa.Table.from_pylist(some, schema=FILES), [rows], quiet=True
        )

    return make


@pytest.fixture(scope="session")
def library() -> list[tuple[str, str, str]]:
    """A handful of real Python files."""
    modules = (bisect, colorsys, heapq, shlex, textwrap)
    return [
        (f"{module.__name__}.py", "python", Path(module.__file__).read_text(encoding="utf-8"))
        for module in modules
    ]
