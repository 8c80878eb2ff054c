"""The training benchmark as its user starts it, on a tiny checkpoint: what it reports, and that the peers agree."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "training_cpu.py"
FIGURES = ("ratio_to_hf_trainer", "ratio_to_trl", "share_of_peak", "peak_memory_ratio")

pytestmark = pytest.mark.slow


def benchmark(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, **environment},
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def without(folder: Path, package: str) -> dict[str, str]:
    """An environment whose Python finds no such package."""
    (folder / "sitecustomize.py").write_text(f"import sys\nsys.modules[{package!r}] = None\n")
    return {"PYTHONPATH": str(folder)}


@pytest.fixture(scope="module")
def result(pico_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One round of every engine that is installed, and the table beside the document."""
    table = tmp_path_factory.mktemp("benchmark") / "result.md"
    done = benchmark(
        "--model",
        pico_checkpoint,
        "--length",
        "128",
        "--steps",
        "1",
        "--rounds",
        "1",
        "--json",
        "--out",
        table,
    )
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    document["table"] = table.read_text()
    return document


def test_one_document_holds_figures_of_both_cases(result: dict[str, Any]) -> None:
    for case in (result, result["packed"]):
        assert set(FIGURES) <= set(case)
        assert 0 < case["share_of_peak"] < 1
    assert [result[key] for key in FIGURES] == [result["single"][key] for key in FIGURES]
    assert result["settings"]["length"] == sum(result["packed"]["document_sizes"])
    assert len(result["packed"]["document_sizes"]) == 4


def test_table_shows_no_path_of_this_machine(result: dict[str, Any], pico_checkpoint: Path) -> None:
    assert "codekiln" in result["table"]
    assert str(pico_checkpoint.parent) not in result["table"]


@pytest.mark.skipif(importlib.util.find_spec("trl") is None, reason="needs codekiln[bench]")
def test_engines_do_the_same_work(result: dict[str, Any]) -> None:
    for case in (result["single"], result["packed"]):
        assert set(case["engines"]) == {"codekiln", "hf_trainer", "trl"}
        assert case["same_work"], {name: run["first_loss"] for name, run in case["engines"].items()}
        assert all(case[key] > 0 for key in FIGURES)


def test_every_engine_isolates_documents(result: dict[str, Any]) -> None:
    for name, figures in result["packed"]["engines"].items():
        assert figures["isolation"]["isolates"] is True, (name, figures["isolation"])


def test_an_absent_peer_is_one_line(pico_checkpoint: Path, tmp_path: Path) -> None:
    done = benchmark(
        *("--model", pico_checkpoint, "--length", "64", "--steps", "1", "--rounds", "1", "--json"),
        *("--engines", "codekiln,trl"),
        **without(tmp_path, "trl"),
    )
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "trl" in line]
    assert line.startswith("trl needs ")
    assert line.endswith(": pip install 'codekiln[bench]'")
    document = json.loads(done.stdout)
    assert document["ratio_to_trl"] is None
    assert document["share_of_peak"] > 0


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--engines", "unsloth"], "unsloth"),
        (["--model", "no-such-model"], "no-such-model"),
        (["--length", "4"], "--length"),
        (["--out", "result.txt"], "result.txt"),
        (["--out", "missing/result.md"], "missing"),
        (["--steps", "0"], "--steps"),
    ],
)
def test_a_wrong_argument_is_one_line(arguments: list[str], word: str) -> None:
    done = benchmark(*arguments)
    assert done.returncode == 2
    assert word in done.stderr.strip().splitlines()[-1]
    assert done.stdout == ""
