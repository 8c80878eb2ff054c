"""A user's own files in an output folder survive every command, and an earlier run's results survive a mistake."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from pipeline_kit import codekiln

from codekiln.errors import UserError
from codekiln.pipeline.run import ORDER, Run
from codekiln.pipeline.runner import Stage, bring, locked, read_record
from codekiln.recipe import load_recipe
from codekiln.shards import LocalExecutor


def stage(key: str) -> Stage:
    return Stage("corpus", 1, {"key": key}, {}, lambda work: (work / "data").write_text(key) and None)


def mine(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    return folder


def code(folder: Path, count: int = 4) -> Path:
    folder.mkdir(parents=True)
    for number in range(count):
        lines = (f"def f{number}_{n}(x):\n    return x * {number + n} + len('{n}')\n\n\n" for n in range(6))
        (folder / f"m{number}.py").write_text("".join(lines))
    return folder


def tree(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize("name", ["corpus", "corpus.partial"])
@pytest.mark.parametrize("marked", [False, True])
def test_a_users_folder_is_refused_and_kept(tmp_path: Path, name: str, marked: bool) -> None:
    mine(tmp_path / name)
    if marked:
        (tmp_path / ".codekiln.lock").write_text("1\n")
    before = tree(tmp_path)
    with pytest.raises(UserError, match=f"{name}: codekiln has not made this"), locked(tmp_path, ["corpus"]):
        pass
    assert tree(tmp_path) == before
    with pytest.raises(UserError, match=f"{name}: codekiln has not made this"):
        bring(tmp_path / "corpus", stage("a"))
    assert tree(tmp_path) == before


def test_copies_beside_a_stage_are_kept_by_a_new_and_an_old_output(tmp_path: Path) -> None:
    mine(tmp_path / "corpus.old")
    for key, cached in (("a", False), ("a", True), ("b", False)):
        assert bring(tmp_path / "corpus", stage(key))["cached"] is cached
        assert (tmp_path / "corpus.old/notes.txt").read_text() == "mine"
    assert sorted(os.listdir(tmp_path)) == ["corpus", "corpus.old"]


@pytest.mark.parametrize("left", [{}, {"claim.json.tmp": ""}, {"claim.json": f'"{"0" * 64}"', "half": "x"}])
def test_what_a_kill_leaves_does_not_stop_the_next_run(tmp_path: Path, left: dict[str, str]) -> None:
    bring(tmp_path / "corpus", stage("a"))
    for folder in ("corpus.partial", ".corpus.codekiln.old"):
        (tmp_path / folder).mkdir()
        for name, text in left.items():
            (tmp_path / folder / name).write_text(text)
    bring(tmp_path / "corpus", stage("b"))
    assert os.listdir(tmp_path) == ["corpus"]
    assert (tmp_path / "corpus/data").read_text() == "b"


@pytest.mark.parametrize("name", ["model", "report.html", "run.json", "adapter", "model-f16.gguf", "stages"])
def test_a_run_takes_no_results_that_are_not_its_own(tmp_path: Path, name: str) -> None:
    work = Run(load_recipe("quickstart"), tmp_path / "x", executor=LocalExecutor(1), threads=1)
    mine(tmp_path / "x" / name)
    with pytest.raises(UserError, match=f"{name}: codekiln has not made this"):
        work.check()
    if name != "stages":
        (tmp_path / "x/.codekiln.lock").write_text("1\n")  # of another command: no stages are here
        with pytest.raises(UserError, match=f"{name}: codekiln has not made this"):
            work.check()
    (tmp_path / "x/.codekiln.lock").write_text("1\n")
    (tmp_path / "x/stages").mkdir(exist_ok=True)
    work.check()
    mine(tmp_path / "x/stages" / ORDER[1])
    with pytest.raises(UserError, match=f"stages/{ORDER[1]}: codekiln has not made this"):
        work.check()


def test_the_lock_does_not_write_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("mine")
    (tmp_path / "x").mkdir()
    (tmp_path / "x/.codekiln.lock").symlink_to(tmp_path / "text")
    with pytest.raises(Exception, match=r"codekiln\.lock|cannot write"), locked(tmp_path / "x", ["corpus"]):
        pass
    assert (tmp_path / "text").read_text() == "mine"


@pytest.mark.parametrize(
    "files", [{"a": 1}, {"a": [1]}, {"a": ["1", "h"]}, {"a": [1, 2]}, {"a": None}, {"a": [True, "h"]}]
)
def test_a_record_of_another_shape_is_told(tmp_path: Path, files: object) -> None:
    bring(tmp_path / "corpus", stage("a"))
    path = tmp_path / "corpus/stage.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "files": files}))
    with pytest.raises(UserError, match="is not what codekiln wrote; delete"):
        read_record(tmp_path / "corpus")
    with pytest.raises(UserError, match="is not what codekiln wrote; delete"):
        bring(tmp_path / "corpus", stage("a"))


def test_corpus_build_keeps_what_is_not_its_own(tmp_path: Path) -> None:
    source, folder = code(tmp_path / "code"), tmp_path / "x"
    build = ("corpus", "build", source, "-o", folder, "--workers", "1", "--recipe", "quickstart")
    mine(folder / "sources.partial")
    assert "sources.partial: codekiln has not made this" in codekiln(*build, check=2).stderr
    assert tree(folder) == {"sources.partial": None, "sources.partial/notes.txt": b"mine"}
    os.rename(folder / "sources.partial", folder / "corpus.old")
    for _ in range(2):
        codekiln(*build)
        assert (folder / "corpus.old/notes.txt").read_text() == "mine"


def test_eval_keeps_what_is_not_its_own(recipe: Path, pico_checkpoint: Path, tmp_path: Path) -> None:
    codekiln(
        "corpus",
        "build",
        code(tmp_path / "code"),
        "-o",
        tmp_path / "c",
        "--workers",
        "1",
        "--recipe",
        "quickstart",
    )
    folder = mine(tmp_path / "userproj/eval").parent
    words = ("eval", pico_checkpoint, "--corpus", tmp_path / "c/corpus", "--recipe", recipe, "--threads", "1")
    for _ in range(2):
        assert "eval: codekiln has not made this" in codekiln(*words, "-o", folder, check=2).stderr
        assert (folder / "eval/notes.txt").read_text() == "mine"
        (folder / ".codekiln.lock").write_text("1\n")
    os.rename(folder / "eval", folder / "own")
    (folder / "precision.json").write_text('"mine"')
    assert "precision.json is not what codekiln wrote" in codekiln(*words, "-o", folder, check=2).stderr
    assert (folder / "precision.json").read_text() == '"mine"'


def test_a_mistake_keeps_an_earlier_runs_results(recipe: Path, repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run = ("run", recipe, "-o", folder, "--threads", "1", "--workers", "1", "--until", "corpus")
    codekiln(*run)
    made = [read_record(folder / "stages" / name) for name in ("sources", "corpus")]
    stages = [{"stage": record["stage"], "key": record["key"]} for record in made]
    document = {"name": "pico", "config": {"sources": {"paths": [str(repository)]}}, "stages": stages}
    shown = ("model", "report.html", "report.json", "run.json")
    (folder / "model").mkdir()
    for name in shown[1:]:
        (folder / name).write_text(json.dumps(document))
    (tmp_path / "empty").mkdir()
    alone = code(tmp_path / "alone", 1)
    for wrong in (
        (tmp_path / "gone"),
        (tmp_path / "empty"),
        alone,
    ):  # the last is noticed in the second stage
        codekiln(*run, "--source", wrong, check=2)
        assert all((folder / name).exists() for name in shown), wrong
    codekiln(*run)
    assert all((folder / name).exists() for name in shown)
    codekiln(*run, "--source", code(tmp_path / "other"))
    assert not any((folder / name).exists() for name in shown)


def test_train_names_a_folder_of_another_stage(recipe: Path, pico_checkpoint: Path, tmp_path: Path) -> None:
    codekiln(
        "corpus",
        "build",
        code(tmp_path / "code"),
        "-o",
        tmp_path / "c",
        "--workers",
        "1",
        "--recipe",
        "quickstart",
    )
    words = ("train", tmp_path / "c/corpus", "-m", pico_checkpoint, "--tokens", "9", "-o", tmp_path / "t")
    assert "is no dataset but the output of stage corpus" in codekiln(*words, check=2).stderr
