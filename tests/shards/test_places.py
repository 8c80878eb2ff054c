"""Shards at an address: the same bytes as in a folder, by workers that see nothing of the run's folder."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_guard import TASKS, survivors
from test_kernel import SKIPPED, STAGE, numbers

from codekiln.errors import UserError
from codekiln.shards import Dataset, LocalExecutor, Stage, build, far, places, regroup, stored
from codekiln.shards.attempts import DIED
from codekiln.shards.folders import discard_partial
from codekiln.shards.store import OUTPUT_MARK, read_shard, read_sound

PARTS = [(0, 10), (10, 0), (10, 25)]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run."""
    folder = tmp_path / "run-folder"
    folder.mkdir()
    (folder / OUTPUT_MARK).write_text("")
    return folder


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"file://{tmp_path}/store/prefix"


class Blind:
    """Refuses to hand a worker anything that names a folder of the run."""

    def __init__(self, run: Path) -> None:
        self.run_folder, self.calls = str(run).encode(), 0

    def run(self, function: Any, tasks: Sequence[Any], *, apart: bool = False) -> Iterator[tuple[int, Any]]:
        for number, task in enumerate(tasks):
            given = pickle.dumps((function, task), protocol=0)
            assert self.run_folder not in given
            self.calls += 1
            once_more, what = pickle.loads(given)  # noqa: S301  # written two lines above
            yield number, once_more(what)


def local_files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def home_of(dataset: Dataset) -> Path:
    return Path(str(dataset.place).removeprefix("file://"))


def names_at(address: str) -> set[str]:
    return set(places.listing(address)) - {OUTPUT_MARK}


def test_the_bytes_are_those_of_a_folder(tmp_path: Path, run: Path, address: str) -> None:
    near = build(tmp_path / "near", STAGE, SKIPPED, numbers, PARTS)
    with stored(run, address + "/"):
        made = build(run / "x", STAGE, SKIPPED, numbers, PARTS, executor=LocalExecutor(2))
    assert made.manifest == near.manifest
    assert made.content_hash == near.content_hash
    assert made.table().equals(near.table())
    assert local_files(run / "x") == ["manifest.json", "shards.json"]
    assert str(made.place) == f"{address}/numbers-{STAGE.key[:16]}"
    shards = {path.name: path.read_bytes() for path in home_of(made).iterdir()}
    assert shards == {path.name: path.read_bytes() for path in near.path.iterdir()}
    made.verify()
    alone = Dataset.open(str(made.place))
    assert alone.manifest == near.manifest
    assert list(alone.rows()) == list(near.rows())


def test_workers_get_no_path_of_the_run(tmp_path: Path, run: Path, address: str) -> None:
    blind = Blind(run)
    with stored(run, address):
        made = build(run / "x", STAGE, SKIPPED, numbers, PARTS, executor=blind)
        group = Stage("group", 1)
        grouped = regroup(made, run / "g", group, SKIPPED, "repo", partitions=3, order="path", executor=blind)
    assert blind.calls == 3 + 3 + 3
    near = build(tmp_path / "near", STAGE, SKIPPED, numbers, PARTS)
    there = regroup(near, tmp_path / "g", group, SKIPPED, "repo", partitions=3, order="path")
    assert grouped.manifest == there.manifest
    assert names_at(str(grouped.place)) == {"manifest.json", *(f"part-{n:05d}.parquet" for n in range(3))}


@pytest.mark.slow
def test_what_kills_a_worker_is_left_out(tmp_path: Path, run: Path, address: str) -> None:
    stage, function = Stage("guarded", 1), partial(survivors, str(tmp_path))
    with stored(run, address):
        made = build(run / "x", stage, SKIPPED, function, TASKS, executor=LocalExecutor(2))
    assert [row["path"] for row in made.rows()] == list("abcdefg")
    left_out = {name: count for name, count in made.manifest.counters.items() if name.startswith(DIED)}
    assert left_out == {f"{DIED}repo:poison": 2, f"{DIED}repo:worse": 1}
    assert names_at(str(made.place)) == {"manifest.json", *(f"part-{n:05d}.parquet" for n in range(4))}


def stops(mark: Path, task: tuple[int, int]) -> tuple[pa.Table, dict[str, int]]:
    if task == PARTS[2]:
        mark.write_text("")
        os.kill(os.getpid(), signal.SIGINT)
    return numbers(task)


def test_a_stopped_build_makes_nothing_twice_that_still_stands(
    tmp_path: Path, run: Path, address: str
) -> None:
    with stored(run, address):
        with pytest.raises(KeyboardInterrupt):
            build(run / "x", STAGE, SKIPPED, partial(stops, tmp_path / "mark"), PARTS)
        gone = Path(address.removeprefix("file://")) / f"numbers-{STAGE.key[:16]}/part-00000.parquet"
        gone.unlink()
        made: list[Any] = []
        dataset = build(run / "x", STAGE, SKIPPED, lambda task: made.append(task) or numbers(task), PARTS)
        assert made == [PARTS[0], PARTS[2]]
        build(run / "x", STAGE, SKIPPED, lambda task: 1 / 0, PARTS)
    dataset.verify()
    # Without the address it is up to date all the same, and stays where it is.
    assert build(run / "x", STAGE, SKIPPED, lambda task: 1 / 0, PARTS).place == dataset.place


def test_unfinished_work_at_another_place_is_begun_again(tmp_path: Path, run: Path, address: str) -> None:
    with stored(run, address), pytest.raises(KeyboardInterrupt):
        build(run / "x", STAGE, SKIPPED, partial(stops, tmp_path / "mark"), PARTS)
    near = build(run / "x", STAGE, SKIPPED, numbers, PARTS)
    assert near.place == run / "x"
    near.verify()
    assert names_at(address) == set()


def test_only_what_a_record_names_is_deleted(run: Path, address: str) -> None:
    with stored(run, address):
        first = build(run / "x", STAGE, SKIPPED, numbers, PARTS)
        strange = [home_of(first) / "notes.txt", home_of(first) / "part-00003.parquet"]
        strange += [Path(address.removeprefix("file://")) / "part-00000.parquet"]
        for path in strange:
            path.write_text("mine")
        second = build(run / "x", Stage("numbers", 2), SKIPPED, numbers, PARTS)
    assert names_at(str(first.place)) == {"notes.txt", "part-00003.parquet"}
    assert all(path.read_text() == "mine" for path in strange)
    second.verify()


def test_shards_that_another_folder_names_stay(run: Path, address: str) -> None:
    """A stage that is made anew may have datasets of the same key as the one that it replaces."""
    with stored(run, address):
        kept = build(run / "stage/x", STAGE, SKIPPED, numbers, PARTS)
        same = build(run / "stage.partial/x", STAGE, SKIPPED, numbers, PARTS)
        assert same.place == kept.place
        (run / "stage.partial/claim.json").write_text(f'"{STAGE.key}"')
        discard_partial(run / "stage")
    assert not (run / "stage.partial").exists()
    kept.verify()


def test_what_cannot_be_deleted_is_said_and_costs_nothing(
    run: Path, address: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with stored(run, address):
        first = build(run / "x", STAGE, SKIPPED, numbers, PARTS)

        def refuse(address: str, names: list[str]) -> None:
            if names:
                raise UserError(f"{places.said(address)}: access is denied (no)")

        monkeypatch.setattr(places, "remove", refuse)
        build(run / "x", Stage("numbers", 3), SKIPPED, numbers, PARTS)
    assert f"shards at {first.place}: access is denied (no)" in capfd.readouterr().err


def test_an_address_belongs_to_one_run(tmp_path: Path, run: Path, address: str) -> None:
    with stored(run, address):
        pass
    with stored(run, address):
        pass
    (tmp_path / "other").mkdir()
    with (
        pytest.raises(UserError, match="it holds the shards of another folder; give an address of its own"),
        stored(tmp_path / "other", address),
    ):
        pass


def test_the_folder_of_the_run_is_no_place_of_its_own(run: Path) -> None:
    with pytest.raises(UserError, match="it is the folder of the run itself"), stored(run, f"file://{run}/"):
        pass


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "write it as an address"),
        ("s3://", "write it as an address"),
        ("shards/", "write it as an address"),
        ("s3://a b", "write it as an address"),
        ("s3://bucket/x?token=1", "write it as an address"),
        ("https://host/x", "shards cannot be kept at https://"),
        ("memory://x", "shards cannot be kept at memory://"),
        ("file://shards", "write the path out, file:///"),
        ("sftp://me:word@host/x", "sftp://host/x: it holds a password"),
    ],
)
def test_what_is_no_address_for_shards(run: Path, text: str, match: str) -> None:
    with pytest.raises(UserError, match=match) as error, stored(run, text):
        pass
    assert "\n" not in str(error.value)
    assert "word" not in str(error.value).replace("password", "")
    assert local_files(run) == [OUTPUT_MARK]


def test_a_driver_that_is_missing_is_named(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(UserError, match="gs:// needs the package gcsfs"), stored(run, "gs://bucket/x"):
        pass
    monkeypatch.setitem(sys.modules, "fsspec", None)
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(UserError, match=r"pip install 'codekiln\[remote\]'"), stored(run, "gs://bucket/x"):
        pass


def test_damage_and_loss_are_one_line(run: Path, address: str) -> None:
    with stored(run, address):
        dataset = build(run / "x", STAGE, SKIPPED, numbers, PARTS)
    shard = str(dataset.shard_paths[0])
    whole = places.read(shard) or b""
    places.write(shard, whole[:-40])
    assert read_sound(shard, dataset.manifest.shards[0].sha256) is None
    with pytest.raises(Exception, match="cannot read shard file://"):
        dataset.table()
    with pytest.raises(Exception, match="does not match its manifest"):
        dataset.verify()
    places.remove(str(dataset.place), ["part-00000.parquet", "never-there"])
    assert read_sound(shard, dataset.manifest.shards[0].sha256) is None
    with pytest.raises(Exception, match="it is not there any more"):
        dataset.table()
    with pytest.raises(UserError, match=r"are no codekiln dataset: there is no manifest\.json"):
        Dataset.open(f"{address}/none")


def test_only_the_wanted_columns_are_fetched(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from codekiln.shards.store import write_shard

    rows = [{"repo": "r", "path": f"{n}", "reason": os.urandom(2000).hex(), "size": n} for n in range(500)]
    info = write_shard(
        pa.Table.from_pylist(rows, schema=SKIPPED), f"{address}/part-00000.parquet", SKIPPED, {}
    )
    fetched: list[int] = []
    opened = places.opened

    class Counting:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

        def __enter__(self) -> Counting:
            return self

        def __exit__(self, *_: object) -> None:
            self.inner.close()

        def read(self, size: int = -1) -> bytes:
            data = self.inner.read(size)
            fetched.append(len(data))
            return data

    monkeypatch.setattr(places, "opened", lambda place: Counting(opened(place)))
    table = read_shard(f"{address}/part-00000.parquet", ["path", "size"])
    assert table.column("size").to_pylist() == list(range(500))
    assert 0 < sum(fetched) < 0.1 * info.bytes


def test_records_of_somebody_else_are_no_records(run: Path) -> None:
    folder = run / "x"
    folder.mkdir()
    for text in ("{", "[]", '{"address": 1}', '{"address": "s3://b/x", "parts": "1", "shuffled": 0}'):
        (folder / places.RECORD).write_text(text)
        assert places.record_of(folder) is None
    far.forget(run)


@pytest.mark.slow
def test_a_process_ends_well_right_after_it_has_read_columns_at_an_address(tmp_path: Path) -> None:
    table = pa.table({f"c{number}": list(range(20_000)) for number in range(12)})
    pq.write_table(table, tmp_path / "part.parquet", row_group_size=2_000)
    code = "import sys; from codekiln.shards.store import read_shard; read_shard(sys.argv[1], ['c1', 'c5', 'c9'])"
    words = [sys.executable, "-c", code, f"file://{tmp_path}/part.parquet"]
    # A thread of Arrow that still held the file aborted one process in eight.
    ends = [subprocess.run(words, capture_output=True, text=True, timeout=60) for _ in range(40)]
    assert [(end.returncode, end.stderr) for end in ends] == [(0, "")] * 40
