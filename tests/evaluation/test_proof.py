from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from codekiln.errors import RunError, UserError
from codekiln.evaluation.proof import ProofConfig, compare, run_proof, samples, verdict
from codekiln.shards import Dataset
from codekiln.shards.tables import GENERATIONS, TEXT_SCORES

CONFIG = ProofConfig(
    line_probes=8,
    block_probes=3,
    text_tokens=330,
    text_window=64,
    prefix_tokens=48,
    suffix_tokens=24,
    line_new_tokens=16,
    block_new_tokens=32,
    batch_size=4,
    resamples=500,
    samples=4,
)
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


def prove(folder: Path, checkpoint: Path, heldout: Dataset, config: ProofConfig = CONFIG) -> None:
    run_proof(folder, checkpoint, heldout, config, seed=5, dtype="float32", threads=1)


def digest(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def heldout(make_heldout, library) -> Dataset:
    return make_heldout("library", library)


@pytest.fixture(scope="module")
def damaged_checkpoint(pico_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pico model with a final norm that makes it very sure of wrong tokens."""
    from safetensors.torch import load_file, save_file

    folder = tmp_path_factory.mktemp("damaged") / "model"
    shutil.copytree(pico_checkpoint, folder)
    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"] = tensors["model.norm.weight"] * 3
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.fixture(scope="module")
def proofs(
    tmp_path_factory, pico_checkpoint: Path, damaged_checkpoint: Path, heldout: Dataset
) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("proofs")
    prove(root / "pico", pico_checkpoint, heldout)
    prove(root / "damaged", damaged_checkpoint, heldout)
    return root / "pico", root / "damaged"


def test_both_datasets_hold_what_was_asked(proofs: tuple[Path, Path], library) -> None:
    text, generations = Dataset.open(proofs[0] / "text"), Dataset.open(proofs[0] / "generations")
    assert text.table().schema.names == TEXT_SCORES.names
    assert generations.table().schema.names == GENERATIONS.names
    rows = list(generations.rows())
    assert sorted(row["kind"] for row in rows) == ["block"] * 3 + ["line"] * 8
    assert len({row["id"] for row in rows}) == 11
    contents = {path: content for path, _, content in library}
    for row in rows:
        assert row["prefix"] + row["reference"] + row["suffix"] in contents[row["path"]]
        assert row["completion"].startswith(row["truncated"])
        assert row["new_tokens"] <= (32 if row["kind"] == "block" else 16)
        assert row["stopped"] or row["new_tokens"] == (32 if row["kind"] == "block" else 16)
        assert row["reference_bytes"] == len(row["reference"].encode())
        assert row["nll_bits"] > 0
    assert {row["path"] for row in text.rows()} == set(contents)
    assert 240 <= sum(row["tokens"] for row in text.rows()) <= 330


def test_a_second_run_elsewhere_gives_the_same_bytes(
    proofs: tuple[Path, Path], tmp_path: Path, pico_checkpoint: Path, heldout: Dataset
) -> None:
    prove(tmp_path / "again", pico_checkpoint, heldout)
    assert digest(tmp_path / "again") == digest(proofs[0])


def test_a_finished_proof_reads_no_weights(
    proofs: tuple[Path, Path], pico_checkpoint: Path, heldout: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    from codekiln.inference.transformers_engine import TransformersEngine

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("the weights were read")

    monkeypatch.setattr(TransformersEngine, "load", refuse)
    before = digest(proofs[0])
    prove(proofs[0], pico_checkpoint, heldout)
    # What only the comparison uses measures nothing again.
    prove(proofs[0], pico_checkpoint, heldout, CONFIG.model_copy(update={"resamples": 7, "samples": 1}))
    assert digest(proofs[0]) == before


@pytest.mark.slow
def test_a_killed_proof_goes_on_and_ends_with_the_same_bytes(
    proofs: tuple[Path, Path], tmp_path: Path, pico_checkpoint: Path, heldout: Dataset
) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from codekiln.evaluation.proof import ProofConfig, run_proof\n"
        "from codekiln.shards import Dataset\n"
        "if __name__ == '__main__':\n"
        "    out, model, held, config = sys.argv[1:]\n"
        "    run_proof(Path(out), Path(model), Dataset.open(Path(held)),\n"
        "              ProofConfig.model_validate_json(config), seed=5, dtype='float32', threads=1)\n",
        encoding="utf-8",
    )
    out = tmp_path / "killed"
    command = [sys.executable, str(script), str(out), str(pico_checkpoint), str(heldout.path)]
    process = subprocess.Popen([*command, CONFIG.model_dump_json()], stderr=subprocess.DEVNULL)
    record = out / "generations.partial" / "part-00000.json"
    deadline = time.monotonic() + 60
    while not record.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert record.exists(), "the proof was killed too early or too late"
    kept = (out / "generations.partial" / "part-00000.parquet").stat().st_mtime_ns
    prove(out, pico_checkpoint, heldout)
    assert digest(out) == digest(proofs[0])
    assert (out / "generations" / "part-00000.parquet").stat().st_mtime_ns == kept


def test_a_model_against_itself_differs_by_exactly_zero(proofs: tuple[Path, Path]) -> None:
    result = compare(proofs[0], proofs[0], CONFIG, 5)
    assert {side: set(result[side]) for side in ("before", "after", "difference")} == dict.fromkeys(
        ("before", "after", "difference"), METRICS
    )
    assert all(change == {"value": 0.0, "low": 0.0, "high": 0.0} for change in result["difference"].values())
    assert verdict(result)["word"] == "no clear change"
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_a_worse_model_is_called_worse_and_the_reverse_better(proofs: tuple[Path, Path]) -> None:
    worse = compare(*proofs, CONFIG, 5)
    assert worse["difference"]["bits_per_byte"]["low"] > 0
    said = verdict(worse)
    assert said["word"] == "worse"
    assert "is worse on the held-out files" in said["sentence"]
    assert "only 5 held-out files" in said["sentence"]
    better = compare(*reversed(proofs), CONFIG, 5)
    assert verdict(better)["word"] == "better"
    assert "is better on the held-out files" in verdict(better)["sentence"]
    for name in METRICS:
        assert better["before"][name] == worse["after"][name]
        assert better["difference"][name]["value"] == -worse["difference"][name]["value"]


def test_the_figures_follow_from_the_rows(proofs: tuple[Path, Path]) -> None:
    result = compare(*proofs, CONFIG, 5)
    rows = list(Dataset.open(proofs[0] / "generations").rows())
    bits = sum(row["nll_bits"] for row in rows) / sum(row["reference_bytes"] for row in rows)
    assert result["before"]["fim_bits_per_byte"]["value"] == pytest.approx(bits)
    stops = sum(row["stopped"] for row in rows) / len(rows)
    assert result["before"]["fim_stop_rate"]["value"] == pytest.approx(stops)
    lines = [row for row in rows if row["kind"] == "line"]
    kind = result["by_kind"]["line"]
    assert kind["probes"] == len(lines) == result["counts"]["line_probes"]
    assert kind["bits_per_byte"]["before"]["value"] == pytest.approx(
        sum(row["nll_bits"] for row in lines) / sum(row["reference_bytes"] for row in lines)
    )
    assert result["by_language"]["python"]["bits_per_byte"] == {
        **result["by_language"]["python"]["bits_per_byte"],
        "before": {
            **result["by_language"]["python"]["bits_per_byte"]["before"],
            "value": result["before"]["bits_per_byte"]["value"],
        },
    }
    assert result["counts"]["text_files"] == result["counts"]["probe_files"] == 5


def test_samples_are_the_same_places_whatever_the_outcome(proofs: tuple[Path, Path]) -> None:
    chosen = samples(*proofs, 4, 5)
    assert len(chosen) == 4
    assert [s["id"] for s in chosen] == [s["id"] for s in samples(*reversed(proofs), 4, 5)]
    assert [s["before"] for s in chosen] == [s["after"] for s in samples(*reversed(proofs), 4, 5)]
    assert samples(*proofs, 2, 5) == chosen[:2]
    assert len(samples(*proofs, 99, 5)) == 11
    assert set(chosen[0]["before"]) == {"completion", "truncated", "stopped", "exact"}


def test_different_measurements_are_not_compared(
    proofs: tuple[Path, Path], tmp_path: Path, pico_checkpoint: Path, heldout: Dataset
) -> None:
    prove(
        tmp_path / "other",
        pico_checkpoint,
        heldout,
        CONFIG.model_copy(update={"line_probes": 2, "block_probes": 0}),
    )
    with pytest.raises(RunError, match="measured different held-out text"):
        compare(proofs[0], tmp_path / "other", CONFIG, 5)


def test_nothing_to_probe_gives_nulls_and_a_plain_word(
    make_heldout, tmp_path: Path, pico_checkpoint: Path
) -> None:
    heldout = make_heldout("tiny", [("a.py", "python", "x\n")])
    prove(tmp_path / "tiny", pico_checkpoint, heldout, CONFIG.model_copy(update={"text_tokens": 0}))
    result = compare(tmp_path / "tiny", tmp_path / "tiny", CONFIG, 5)
    assert result["before"]["fim_bits_per_byte"] == {"value": None, "low": None, "high": None}
    assert result["counts"]["line_probes"] == 0
    assert verdict(result)["word"] == "no clear change"
    assert samples(tmp_path / "tiny", tmp_path / "tiny", 10, 5) == []
    json.dumps(result, allow_nan=False)


def test_one_file_cannot_prove_a_change(
    make_heldout, tmp_path: Path, pico_checkpoint: Path, damaged_checkpoint: Path, library
) -> None:
    heldout = make_heldout("one", library[:1])
    for name, model in (("before", pico_checkpoint), ("after", damaged_checkpoint)):
        prove(
            tmp_path / name, model, heldout, CONFIG.model_copy(update={"line_probes": 2, "block_probes": 0})
        )
    result = compare(tmp_path / "before", tmp_path / "after", CONFIG, 5)
    change = result["difference"]["bits_per_byte"]
    assert change["low"] == change["high"] == pytest.approx(change["value"])
    said = verdict(result)
    assert said["word"] == "no clear change"
    assert "only 1 held-out file " in said["sentence"]


def test_a_folder_without_a_checkpoint_is_a_users_mistake(tmp_path: Path, heldout: Dataset) -> None:
    with pytest.raises(UserError, match="is not a checkpoint"):
        prove(tmp_path / "out", tmp_path, heldout)
