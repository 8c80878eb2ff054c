"""The data kernel: same bytes on every executor, resume, regroup, and honest failures."""

from __future__ import annotations

import shutil
from collections import defaultdict
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codekiln.errors import RunError, UserError
from codekiln.shards import Dataset, LocalExecutor, Stage, build, map_shards, regroup
from codekiln.shards.disk import hash_file
from codekiln.shards.tables import SKIPPED

STAGE = Stage("numbers", 1, {"scale": 2}, {"from": "nothing"}, seed=5)


def numbers(task: tuple[int, int]) -> tuple[pa.Table, dict[str, int]]:
    first, count = task
    rows = [
        {"repo": f"repo{n % 3}", "path": f"{n:04d}", "reason": "r" * (n % 5), "size": n}
        for n in range(first, first + count)
    ]
    return pa.Table.from_pylist(rows, schema=SKIPPED), {"rows": count}


def doubled(table: pa.Table) -> pa.Table:
    sizes = pa.array([2 * value for value in table.column("size").to_pylist()], pa.int64())
    return table.set_column(table.schema.get_field_index("size"), "size", sizes)


TASKS = [(0, 10), (10, 0), (10, 25)]


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hash_file(path) for path in sorted(folder.iterdir())}


def test_workers_do_not_change_a_byte(tmp_path: Path) -> None:
    one = build(tmp_path / "one", STAGE, SKIPPED, numbers, TASKS)
    two = build(tmp_path / "two", STAGE, SKIPPED, numbers, TASKS, executor=LocalExecutor(2))
    assert digests(one.path) == digests(two.path)
    assert one.manifest.counters == {"rows": 35}
    assert len(one) == 35
    assert sorted(digests(one.path)) == ["manifest.json", *(f"part-{n:05d}.parquet" for n in range(3))]
    one.verify()


def test_a_killed_stage_goes_on_and_makes_nothing_twice(tmp_path: Path) -> None:
    made: list[tuple[int, int]] = []

    def counted(task: tuple[int, int]) -> tuple[pa.Table, dict[str, int]]:
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(task)
        return numbers(task)

    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "x", STAGE, SKIPPED, counted, TASKS)
    assert not (tmp_path / "x").exists()
    made.append((0, 0))
    rest: list[tuple[int, int]] = []
    build(tmp_path / "x", STAGE, SKIPPED, lambda task: rest.append(task) or numbers(task), TASKS)
    assert rest == [TASKS[2]]
    build(tmp_path / "whole", STAGE, SKIPPED, numbers, TASKS)
    assert digests(tmp_path / "x") == digests(tmp_path / "whole")
    assert not (tmp_path / "x.partial").exists()


def test_a_finished_dataset_is_kept_and_another_key_replaces_it(tmp_path: Path) -> None:
    build(tmp_path / "x", STAGE, SKIPPED, numbers, TASKS)

    def never(task: tuple[int, int]) -> pa.Table:
        raise AssertionError("made twice")

    build(tmp_path / "x", STAGE, SKIPPED, never, TASKS)
    other = Stage("numbers", 2, STAGE.config, STAGE.inputs, STAGE.seed)
    assert other.key != STAGE.key
    assert len(build(tmp_path / "x", other, SKIPPED, numbers, TASKS[:1])) == 10


def test_leftovers_of_another_key_are_not_used(tmp_path: Path) -> None:
    build(tmp_path / "x", STAGE, SKIPPED, numbers, TASKS)
    shutil.move(tmp_path / "x", tmp_path / "y.partial")
    other = Stage("numbers", 9)
    assert len(build(tmp_path / "y", other, SKIPPED, numbers, [(0, 3)])) == 3


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=5), st.integers(1, 6))
def test_regroup_brings_a_key_together_whatever_the_shards(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int], partitions: int
) -> None:
    folder = tmp_path_factory.mktemp("regroup")
    starts = [sum(counts[:n]) for n in range(len(counts))]
    source = build(folder / "many", Stage("many", 1), SKIPPED, numbers, list(zip(starts, counts)))
    single = build(folder / "single", Stage("single", 1), SKIPPED, numbers, [(0, sum(counts))])
    results = []
    for name, dataset in (("a", source), ("b", single)):
        grouped = regroup(
            dataset, folder / name, Stage("group", 1), SKIPPED, "repo", partitions=partitions, order="path"
        )
        where = defaultdict(set)
        for number, table in enumerate(grouped.tables()):
            rows = table.to_pylist()
            assert rows == sorted(rows, key=lambda row: (row["repo"], row["path"]))
            for row in rows:
                where[row["repo"]].add(number)
        assert all(len(shards) == 1 for shards in where.values())
        results.append([table.to_pylist() for table in grouped.tables()])
    assert results[0] == results[1]
    assert sum(map(len, results[0])) == sum(counts)


def test_map_keeps_shards(tmp_path: Path) -> None:
    source = build(tmp_path / "x", STAGE, SKIPPED, numbers, TASKS)
    mapped = map_shards(
        source, tmp_path / "m", Stage("double", 1), SKIPPED, doubled, executor=LocalExecutor(2)
    )
    assert [shard.rows for shard in mapped.manifest.shards] == [10, 0, 25]
    assert mapped.table().column("size").to_pylist() == [2 * n for n in range(35)]


def test_damage_is_named_in_one_line(tmp_path: Path) -> None:
    dataset = build(tmp_path / "x", STAGE, SKIPPED, numbers, TASKS)
    shard = dataset.shard_paths[0]
    shard.write_bytes(shard.read_bytes()[:-40])
    with pytest.raises(RunError, match="does not match its manifest"):
        dataset.verify()
    with pytest.raises(RunError, match="cannot read shard"):
        dataset.table()
    (tmp_path / "x" / "manifest.json").write_text("{")
    with pytest.raises(UserError, match=r"manifest\.json cannot be read"):
        Dataset.open(tmp_path / "x")
    with pytest.raises(UserError, match="not a codekiln dataset"):
        Dataset.open(tmp_path)
