"""`codekiln doctor` on this machine, and on machines that lack something."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from codekiln import machine


def doctor(*words: str, start: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "codekiln"] if start is None else [sys.executable, "-c", start]
    done = subprocess.run(
        [*command, "doctor", *words],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )
    assert "Traceback" not in done.stderr
    return done


def by_name(text: str) -> dict[str, dict[str, Any]]:
    document = json.loads(text)
    assert set(document) == {"ready", "checks", "measured"}
    assert all(one["status"] in ("ok", "warn", "missing") for one in document["checks"])
    assert all(one["advice"] for one in document["checks"] if one["status"] == "missing")
    return {one["name"]: one for one in document["checks"]}


def test_the_report_names_everything(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    done = doctor(
        "--json", PATH=str(tmp_path), HTTPS_PROXY="http://me:secret@proxy.test:1", HF_HUB_OFFLINE=""
    )
    document = json.loads(done.stdout)
    found = by_name(done.stdout)
    lacking = [one for one in document["checks"] if one["needed"] and one["status"] == "missing"]
    assert (done.returncode == 0) == document["ready"] == (not lacking)
    assert found["Python"]["status"] == found["torch"]["status"] == found["tokenizers"]["status"] == "ok"
    # An empty PATH: git and bubblewrap are not found, but quickstart runs without either.
    assert found["git"]["status"] == "missing"
    assert "bubblewrap is not installed" in found["sandbox"]["advice"]
    assert not found["git"]["needed"]
    assert "secret" not in done.stdout
    assert "HTTPS_PROXY=http://***@proxy.test:1" in found["network"]["value"]
    measured = document["measured"]
    assert measured["cores"] == machine.available_cores()
    assert measured["dtype"] in ("float32", "bfloat16")
    assert set(measured["gflops_per_core"]) == {"float32", "bfloat16"}
    assert min(measured["gflops_per_core"].values()) > 0


WITHOUT = """
import importlib.metadata, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "xllamacpp"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
real = importlib.metadata.version
def version(name):
    if name in ("torch", "xllamacpp"):
        raise importlib.metadata.PackageNotFoundError(name)
    return real(name)
importlib.metadata.version = version
from codekiln.cli.main import main
main()
"""


def test_missing_packages_and_weights_are_named_with_the_way_out(tmp_path: Path) -> None:
    done = doctor(
        start=WITHOUT, CODEKILN_CACHE=str(tmp_path / "new"), HF_HOME=str(tmp_path), CODEKILN_OFFLINE="1"
    )
    assert done.returncode == 1
    assert "pip install 'codekiln[train]'" in done.stdout
    assert "pip install 'codekiln[llama]'" in done.stdout
    assert "CODEKILN_OFFLINE forbids fetching it" in done.stdout
    assert done.stdout.splitlines()[-1].startswith(
        "Not ready for codekiln run quickstart; needed: weights, torch"
    )
    found = by_name(
        doctor("--json", start=WITHOUT, CODEKILN_CACHE=str(tmp_path), HF_HOME=str(tmp_path)).stdout
    )
    assert found["torch"]["status"] == "missing"
    assert found["arithmetic"]["status"] == "warn"
    assert found["weights"]["needed"]


def test_a_damaged_cache_is_told(tmp_path: Path) -> None:
    (tmp_path / "models" / "v1" / "qwen2.5-coder-0.5b-instruct").mkdir(parents=True)
    done = doctor("--json", start=WITHOUT, CODEKILN_CACHE=str(tmp_path), HF_HOME=str(tmp_path))
    weights = by_name(done.stdout)["weights"]
    assert weights["status"] == "missing"
    assert "damaged" in weights["value"]
    assert "--force" in weights["advice"]


def test_a_cache_that_is_a_file_is_not_writable(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    done = doctor("--json", start=WITHOUT, CODEKILN_CACHE=str(tmp_path / "cache"), HF_HOME=str(tmp_path))
    assert by_name(done.stdout)["cache"]["status"] == "missing"


def test_facts_about_the_machine(tmp_path: Path) -> None:
    assert 1 <= machine.available_cores() <= (os.cpu_count() or 1)
    total, available = machine.memory()
    assert 0 < available <= total
    assert machine.cpu_model()
    free = machine.free_disk(tmp_path / "not" / "there" / "yet")
    assert free is not None
    assert free > 0
    assert machine.writable(tmp_path / "new")
    (tmp_path / "file").write_text("")
    assert not machine.writable(tmp_path / "file" / "below")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_cores_follow_the_affinity() -> None:
    code = (
        "import os; from codekiln.machine import available_cores\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); print(available_cores())"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "1\n"
