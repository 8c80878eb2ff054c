"""What is measured of each file by itself, with what an earlier build measured of the same file taken over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from codekiln.errors import CodekilnError
from codekiln.shards import Dataset, Executor, Stage, known_rows, map_rows, places_of
from codekiln.shards.disk import hash_json
from codekiln.shards.kernel import Made
from codekiln.shards.rows import Places

#: A file's text and language follow from these and from how its source was read: `id` is a hash of its bytes and place.
_SAME = ["id", "language"]
#: Of these kinds they do not: what the files beside a notebook say of its data stands in its text.
_OF_MORE = ["notebook script", "structured notebook"]


class Carrying(Protocol):
    """Makes the dataset of a stage in the corpus folder, a row for each file."""

    def __call__(
        self,
        stage: Stage,
        schema: pa.Schema,
        function: Callable[[pa.Table], Made],
        count: Callable[[pa.Table], dict[str, int]],
        source: Dataset | None = None,
    ) -> Dataset: ...


def carrying(files: Dataset, folder: Path, earlier: Path | None, executor: Executor | None) -> Carrying:
    """A function that maps over `files`, or a dataset with the same rows, and writes `folder/NAME` for the stage NAME.

    Rows of `earlier/NAME` are taken over where that stage was the same, and the file: its id, its language, and the
    version and settings by which sources were read.
    """
    read_by = {"read_by": _reading(files)}
    places = _places(files, earlier)

    def carried(
        stage: Stage,
        schema: pa.Schema,
        function: Callable[[pa.Table], Made],
        count: Callable[[pa.Table], dict[str, int]],
        source: Dataset | None = None,
    ) -> Dataset:
        stage = Stage(stage.name, stage.version, {**stage.config, **read_by}, stage.inputs, stage.seed)
        known = None
        if earlier is not None and places is not None:
            known = known_rows(earlier / stage.name, stage, schema, places)
        return map_rows(
            source or files,
            folder / stage.name,
            stage,
            schema,
            function,
            count,
            known=known,
            executor=executor,
        )

    return carried


def _reading(source: Dataset) -> str:
    made = source.manifest
    named = ("shallow", "packages")  # what is so of some sources, and no setting
    settings: dict[str, Any] = {name: value for name, value in made.config.items() if name not in named}
    return hash_json([made.stage, made.stage_version, made.schema_version, settings])


def _places(source: Dataset, earlier: Path | None) -> Places | None:
    """Where each file of `source` stands in an earlier corpus, -1 where it does not."""
    if earlier is None or not (earlier / "decisions").exists():
        return None
    try:
        have = Dataset.open(earlier / "decisions").table(_SAME)
        if not len(source):
            return np.empty(0, np.int64)
        wanted = source.table([*_SAME, "kind"])
        of_more = pc.is_in(wanted["kind"], value_set=pa.array(_OF_MORE, wanted["kind"].type))
        return np.where(np.asarray(of_more), -1, places_of(wanted.select(_SAME), have))
    except CodekilnError:
        return None
