"""The whole run through the real command, with the pico model: results, cache, refusals."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pipeline_kit import codekiln, results

from codekiln.shards.store import OUTPUT_MARK

METRICS = {
    "bits_per_byte",
    "fim_bits_per_byte",
    "fim_line_exact_match_raw",
    "fim_line_exact_match_truncated",
    "fim_line_edit_similarity_raw",
    "fim_line_edit_similarity_truncated",
    "fim_block_edit_similarity_raw",
    "fim_block_edit_similarity_truncated",
    "fim_stop_rate",
}


def run(
    recipe: Path, folder: Path, *arguments: str, check: int | None = 0
) -> subprocess.CompletedProcess[str]:
    return codekiln("run", recipe, "-o", folder, "--threads", "1", "--workers", "1", *arguments, check=check)


@pytest.fixture(scope="module")
def finished(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], str]:
    folder = tmp_path_factory.mktemp("run") / "whole"
    done = run(recipe, folder, "--json")
    return folder, json.loads(done.stdout), done.stderr


def test_the_run_delivers_every_file_and_figure(finished: tuple[Path, dict[str, Any], str]) -> None:
    folder, report, _ = finished
    assert json.loads((folder / "report.json").read_text()) == report
    assert {"model", "adapter", "model-f16.gguf", "model-q8_0.gguf", "report.html"} <= set(os.listdir(folder))
    for side in ("before", "after", "difference"):
        assert set(report["metrics"][side]) == METRICS
    for name in METRICS:
        before, after, difference = (
            report["metrics"][side][name] for side in ("before", "after", "difference")
        )
        if "block" in name and after["value"] is None:
            continue  # three small files need not hold a block that can be asked for
        assert difference["value"] == pytest.approx(after["value"] - before["value"], abs=1e-9)
        assert difference["low"] <= difference["value"] <= difference["high"]
    assert report["metrics"]["difference"]["bits_per_byte"]["value"] != 0
    assert all(check["ok"] for check in report["export"]["checks"])
    assert len(report["export"]["checks"]) == 4
    assert report["training"]["tokens"] >= 1500
    assert len(report["samples"]) == 3


def test_the_funnel_accounts_for_every_file(finished: tuple[Path, dict[str, Any], str]) -> None:
    folder, report, _ = finished
    steps = {step["label"]: step["files"] for step in report["funnel"]}
    drops = {drop["reason"]: drop["files"] for drop in report["drops"]}
    assert steps["found"] - steps["read"] + (steps["read"] - steps["kept"]) == sum(drops.values())
    assert steps["held out for the proof"] + steps["for training"] == steps["kept"]
    assert steps["held out for the proof"] == 3
    assert "secret.py" not in (folder / "report.json").read_text()
    explained = json.loads(codekiln("corpus", "explain", folder, "logo.py", "--json").stdout)
    assert "binary" in json.dumps(explained)


def test_held_out_files_never_train(finished: tuple[Path, dict[str, Any], str]) -> None:
    from codekiln.shards import Dataset

    stages = finished[0] / "stages"
    heldout = {f"{row['repo']}:{row['path']}" for row in Dataset.open(stages / "corpus" / "heldout").rows()}
    seen = set()
    for level in ("file", "repository"):
        for row in Dataset.open(stages / "dataset" / level).rows(["documents"]):
            seen |= {name for document in row["documents"] for name in document.split("\n")}
    assert heldout
    assert seen
    assert not {name.split("#")[0] for name in seen} & heldout


def test_a_second_run_makes_nothing_again(finished: tuple[Path, dict[str, Any], str], recipe: Path) -> None:
    folder = finished[0]
    before = results(folder)
    done = run(recipe, folder)
    assert done.stderr.count("up to date") == 8
    assert results(folder) == before
    assert "bits per byte" in done.stdout.lower()
    plan = json.loads(run(recipe, folder, "--dry-run", "--json").stdout)
    assert {row["state"] for row in plan["stages"]} == {"up to date", "looked up", "written"}


def test_a_changed_threshold_runs_only_what_depends_on_it(
    finished: tuple[Path, dict[str, Any], str], recipe: Path
) -> None:
    plan = json.loads(run(recipe, finished[0], "--dry-run", "--json", "--set", "dataset.fim_rate=0.9").stdout)
    states = {row["stage"]: row["state"] for row in plan["stages"]}
    assert [states[name] for name in ("sources", "corpus", "plan", "before")] == ["up to date"] * 4
    assert states["dataset"] == "runs"
    assert states["training"] == states["after"] == "runs after its inputs"


def test_transformers_peft_and_llama_cpp_load_what_was_exported(
    finished: tuple[Path, dict[str, Any], str],
) -> None:
    from gguf import GGUFReader
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from codekiln.formats import CONTROL_IDS, END_OF_TEXT, FIM_MIDDLE

    folder, report, _ = finished
    model = AutoModelForCausalLM.from_pretrained(folder / "model")
    assert model.config.tie_word_embeddings
    assert len(AutoTokenizer.from_pretrained(folder / "model")) == 151_665
    base = AutoModelForCausalLM.from_pretrained(report["config"]["model"]["name"])
    assert PeftModel.from_pretrained(base, folder / "adapter").peft_config["default"].r == 4
    fields = GGUFReader(folder / "model-q8_0.gguf").fields
    assert fields["tokenizer.ggml.fim_mid_token_id"].contents() == CONTROL_IDS[FIM_MIDDLE]
    assert CONTROL_IDS[END_OF_TEXT] in {
        field.contents() for name, field in fields.items() if name.endswith(("eot_token_id", "eos_token_id"))
    }


def test_a_second_run_in_the_folder_is_refused(
    finished: tuple[Path, dict[str, Any], str], recipe: Path
) -> None:
    with open(finished[0] / OUTPUT_MARK) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = run(recipe, finished[0], check=2)
    assert done.stderr.count("\n") == 1
    assert "another run" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--source", "nowhere"], 2, "nowhere"),
        (["--tokens", "5", "--minutes", "1"], 2, "not both"),
        (["--set", "training.lerning_rate=1"], 2, "learning_rate"),
        (["-m", "no-such-model"], 2, "no-such-model"),
        (["--split", "time", "--source", "{plain}"], 2, "git"),
        (["--source", "{empty}"], 2, "no "),
        (["--source", "{binary}"], 2, "no "),
        (["--source", "{single}"], 2, "only one file"),
    ],
)
def test_a_mistake_gets_one_line(
    recipe: Path, tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    places = {name: tmp_path / name for name in ("plain", "empty", "binary", "single")}
    for place in places.values():
        place.mkdir()
    for number in range(5):
        (places["plain"] / f"m{number}.py").write_text(
            f"def f{number}(x):\n    return x * {number} + x\n" * 8
        )
        (places["binary"] / f"b{number}.py").write_bytes(b"\x00\x01\x02" * 50)
    (places["single"] / "one.py").write_text("def f(x):\n    return x + 1\n" * 10)
    given = [argument.format(**places) for argument in arguments]
    done = run(recipe, tmp_path / "run", *given, check=code)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("codekiln: error: ")
    assert words in last
    assert done.stdout == ""


@pytest.mark.slow
def test_full_training_runs_too(recipe: Path, tmp_path: Path) -> None:
    done = run(
        recipe, tmp_path / "full", "--set", "training.method=full", "--set", "export.gguf=[]", "--json"
    )
    report = json.loads(done.stdout)
    assert report["training"]["method"] == "full"
    assert not (tmp_path / "full/adapter").exists()
    assert all(check["ok"] for check in report["export"]["checks"])


@pytest.mark.slow
def test_stages_as_commands_give_the_runs_hashes(
    finished: tuple[Path, dict[str, Any], str],
    recipe: Path,
    repository: Path,
    pico_checkpoint: Path,
    tmp_path: Path,
) -> None:
    _folder, report, _ = finished
    expected = {row["stage"]: row["output_hash"] for row in report["stages"]}
    common = ("--recipe", recipe)
    codekiln("corpus", "build", repository, "-o", tmp_path / "c", *common, "--workers", "2")
    codekiln(
        "dataset",
        "build",
        tmp_path / "c/corpus",
        "-m",
        pico_checkpoint,
        "--tokens",
        "1500",
        "-o",
        tmp_path / "d",
        *common,
    )
    codekiln(
        "train",
        tmp_path / "d/dataset",
        "-m",
        pico_checkpoint,
        "-o",
        tmp_path / "t",
        *common,
        "--threads",
        "1",
    )
    made = {
        name: json.loads((tmp_path / place / "stage.json").read_text())["output_hash"]
        for name, place in {
            "sources": "c/sources",
            "corpus": "c/corpus",
            "dataset": "d/dataset",
            "training": "t/training",
        }.items()
    }
    assert made == {name: expected[name] for name in made}
    shown = codekiln("dataset", "show", tmp_path / "d", "-m", pico_checkpoint).stdout
    assert "def " in shown


def test_help_of_every_command_needs_no_model() -> None:
    for command in (
        "run",
        "corpus",
        "dataset",
        "train",
        "eval",
        "compare",
        "export",
        "report",
        "models",
        "doctor",
    ):
        assert "Usage:" in codekiln(command, "--help").stdout


@pytest.mark.slow
def test_shards_at_an_address_change_nothing(
    recipe: Path, finished: tuple[Path, dict[str, Any], str], tmp_path: Path
) -> None:
    whole, _, _ = finished
    run(recipe, tmp_path / "run", "--shards", f"file://{tmp_path}/store")
    for stage in ("sources", "corpus", "dataset", "training", "export"):
        here, there = (
            json.loads((folder / f"stages/{stage}/stage.json").read_text())
            for folder in (tmp_path / "run", whole)
        )
        assert (here["key"], here["output_hash"]) == (there["key"], there["output_hash"]), stage
    assert not list((tmp_path / "run").rglob("*.parquet"))
    assert list((tmp_path / "store").rglob("*.parquet"))
    again = run(recipe, tmp_path / "run", "--shards", f"file://{tmp_path}/store")
    assert again.stderr.count("up to date") == 8
