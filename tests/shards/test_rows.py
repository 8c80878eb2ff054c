"""Rows made one of one: what cannot be made costs itself, is named, and is tried again by the next build."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from codekiln.errors import UserError
from codekiln.shards import Dataset, LocalExecutor, Stage, build, known_rows, lost_rows, map_rows

SCHEMA = pa.schema([("id", pa.string()), ("repo", pa.string()), ("path", pa.string()), ("content", pa.string())],
                   metadata={"codekiln.schema": "texts", "codekiln.version": "1"})  # fmt: skip
LENGTHS = pa.schema(
    [("id", pa.string()), ("length", pa.int64())],
    metadata={"codekiln.schema": "lengths", "codekiln.version": "1"},
)
TEXTS = [["one", "raise", "three"], ["four", "die", "sixsix", "raise", "die"], ["eight"]]


def texts(task: tuple[int, list[str]]) -> pa.Table:
    number, contents = task
    rows = [
        {"id": f"{number}{at}", "repo": "r", "path": f"[{at}].py", "content": content}
        for at, content in enumerate(contents)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def source(folder: Path, contents: list[list[str]] = TEXTS) -> Dataset:
    return build(folder / "texts", Stage("texts", 1), SCHEMA, texts, list(enumerate(contents)))


def lengths(table: pa.Table) -> pa.Table:
    contents = table["content"].to_pylist()
    if "die" in contents:
        os.kill(os.getpid(), signal.SIGKILL)
    if "raise" in contents:
        raise RecursionError("too deep")
    return pa.table({"id": table["id"], "length": [len(one) for one in contents]})


def sound(table: pa.Table) -> pa.Table:
    return pa.table({"id": table["id"], "length": [len(one) for one in table["content"].to_pylist()]})


def none(table: pa.Table) -> dict[str, int]:
    return {}


def broken(table: pa.Table) -> pa.Table:
    raise KeyError("whatever the row")


def refusing(table: pa.Table) -> pa.Table:
    raise UserError("the index is gone; make it again")


def test_a_row_that_raises_or_kills_costs_itself(tmp_path: Path) -> None:
    have, stage = source(tmp_path), Stage("lengths", 1)
    made = map_rows(have, tmp_path / "lengths", stage, LENGTHS, lengths, none, executor=LocalExecutor(2))
    assert [row["length"] for row in made.rows()] == [3, 0, 5, 4, 0, 6, 0, 0, 5]
    died, raised = "a worker process died on it", "too deep"
    assert lost_rows(made) == {"01": raised, "11": died, "13": raised, "14": died}

    # What is taken over are the rows that were made.
    known = known_rows(tmp_path / "lengths", stage, LENGTHS, np.arange(9))
    assert known is not None
    assert known.rows.tolist() == [0, -1, 2, 3, -1, 5, -1, -1, 8]
    again = map_rows(have, tmp_path / "again", stage, LENGTHS, sound, none, known=known)
    assert [row["length"] for row in again.rows()] == [3, 5, 5, 4, 3, 6, 5, 3, 5]
    assert lost_rows(again) == {}


def test_what_fails_whatever_the_row_ends_the_run(tmp_path: Path) -> None:
    have, stage = source(tmp_path), Stage("lengths", 1)
    for function, expected in ((broken, KeyError), (refusing, UserError)):
        with pytest.raises(expected):
            map_rows(have, tmp_path / function.__name__, stage, LENGTHS, function, none)
