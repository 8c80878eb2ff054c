"""Only what codekiln made is replaced or removed; what somebody else put beside it stays."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from codekiln.errors import UserError
from codekiln.shards import Stage, build
from codekiln.shards.folders import discard_partial, is_ours, partial_folder, replace_folder
from codekiln.shards.tables import SKIPPED

STAGE = Stage("numbers", 1, {"scale": 2}, {}, seed=5)


def number(task: int) -> pa.Table:
    return pa.Table.from_pylist([{"repo": "r", "path": "p", "reason": "", "size": task}], schema=SKIPPED)


def mine(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    return folder


@pytest.mark.parametrize("name", ["x", "x.partial"])
def test_a_dataset_never_replaces_somebody_elses_folder(tmp_path: Path, name: str) -> None:
    mine(tmp_path / name)
    (tmp_path / name / "manifest.json").write_text('{"name": "a web page"}')
    with pytest.raises(UserError, match=f"{name}.*codekiln has not made this"):
        build(tmp_path / "x", STAGE, SKIPPED, number, [1])
    assert (tmp_path / name / "notes.txt").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_copy_beside_a_dataset_stays(tmp_path: Path) -> None:
    build(tmp_path / "x", STAGE, SKIPPED, number, [1])
    mine(tmp_path / "x.old")
    other = Stage("numbers", 2)
    for _ in range(2):
        build(tmp_path / "x", other, SKIPPED, number, [2])
    assert (tmp_path / "x.old/notes.txt").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x", "x.old"]


def test_leftovers_of_a_kill_while_replacing_go(tmp_path: Path) -> None:
    build(tmp_path / "x", STAGE, SKIPPED, number, [1])
    mine(tmp_path / ".x.codekiln.old")  # half removed: no record is left in it
    build(tmp_path / "x", STAGE, SKIPPED, number, [1])
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize(
    ("name", "content", "ours"),
    [
        ("claim.json", json.dumps("0" * 64), True),
        ("claim.json", json.dumps({"claim": 1}), False),
        ("claim.json", "", False),
        ("claim.json.tmp", "", True),
        ("stage.json", json.dumps({"key": "k", "output_hash": "h", "files": {}}), True),
        ("stage.json", json.dumps({"key": "k"}), False),
        ("manifest.json", json.dumps({"schema_name": "files", "shards": []}), True),
        ("manifest.json", "[" * 100_000, False),
        ("notes.txt", "", False),
        ("", "", True),
    ],
)
def test_a_folder_is_known_by_what_its_records_say(
    tmp_path: Path, name: str, content: str, ours: bool
) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    if name:
        (folder / name).write_text(content)
    assert is_ours(folder) is ours


def test_what_a_link_leads_to_is_not_removed(tmp_path: Path) -> None:
    build(tmp_path / "far", STAGE, SKIPPED, number, [1])
    (tmp_path / "x").symlink_to(tmp_path / "far")
    build(tmp_path / "x", Stage("numbers", 2), SKIPPED, number, [2])
    assert not (tmp_path / "x").is_symlink()
    assert (tmp_path / "far/manifest.json").exists()


def test_files_and_strangers_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("mine")
    mine(partial_folder(tmp_path / "y"))
    (tmp_path / "new").mkdir()
    with pytest.raises(UserError):
        replace_folder(tmp_path / "new", tmp_path / "x")
    with pytest.raises(UserError):
        discard_partial(tmp_path / "y")
    assert (tmp_path / "x").read_text() == (tmp_path / "y.partial/notes.txt").read_text() == "mine"
