"""Gathers what a run's stages left behind into the report's data (codekiln.report.schema)."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from codekiln import __version__
from codekiln.corpus.build import summarize
from codekiln.dataset.stats import stats
from codekiln.evaluation.proof import compare, samples, verdict
from codekiln.machine import cpu_model
from codekiln.modeling.checkpoint_folder import parameter_count, read_config
from codekiln.modeling.fetch import Checkpoint
from codekiln.modeling.qwen2 import Qwen2Config
from codekiln.pipeline.version import source_commit
from codekiln.recipe import Recipe, dump
from codekiln.shards import Dataset
from codekiln.shards.disk import read_json
from codekiln.training.budget import flops_per_token
from codekiln.training.engine import read_metrics, read_rate

_PACKAGES = ("torch", "transformers", "tokenizers", "pyarrow", "gguf", "xllamacpp")
#: File -> what it is, for the table of exports.
_WHAT = {
    "model": "merged checkpoint, Hugging Face format",
    "adapter": "LoRA adapter alone, PEFT format",
    "model-f16.gguf": "GGUF, 16-bit floats, for llama.cpp",
    "model-q8_0.gguf": "GGUF, 8-bit blocks, for llama.cpp",
}


def assemble(
    recipe: Recipe,
    stages: dict[str, Path],
    checkpoint: Checkpoint,
    plan: dict[str, Any],
    records: list[dict[str, Any]],
) -> dict[str, Any]:
    """The report of a finished run.

    Args:
        stages: stage name -> folder; records: what each stage did in this process, in order.
    """
    corpus = summarize(stages["sources"], stages["corpus"])
    dataset = stats(stages["dataset"])
    compared = compare(stages["before"], stages["after"], recipe.proof, recipe.seed)
    checks = read_json(stages["export"] / "checks.json")
    return {
        "codekiln": {"version": __version__, "commit": source_commit()},
        "name": recipe.name,
        "verdict": verdict(compared),
        "metrics": {side: compared[side] for side in ("before", "after", "difference")},
        "counts": compared["counts"],
        "by_kind": compared["by_kind"],
        "by_language": compared["by_language"],
        "model": {
            "name": checkpoint.name,
            "hub_id": checkpoint.hub_id,
            "revision": checkpoint.revision,
            "source": checkpoint.source,
            "origin": checkpoint.origin,
            "sha256": checkpoint.sha256,
            "license": checkpoint.license,
            "parameters": parameter_count(read_config(checkpoint.path)),
        },
        "funnel": _funnel(corpus, dataset, stages),
        "drops": [
            {
                "reason": row["reason"],
                "files": row["files"],
                "bytes": row["bytes"],
                "examples": row["examples"],
            }
            for row in (*corpus["skipped"], *corpus["drops"])
        ],
        "languages": [
            {
                "language": row["language"],
                "files": row["read_files"],
                "bytes": row["read_bytes"],
                "train": row["train_files"],
                "heldout": row["heldout_files"],
            }
            for row in corpus["languages"]
        ],
        "dataset": {
            **{
                key: dataset[key]
                for key in ("rows", "tokens", "targets", "documents", "fill", "epochs", "files")
            },
            "fim_share": dataset["fim_share"],
            "empty_share": dataset["empty_share"],
            "documents_by_form": dataset["forms"],
            "spans": dataset["spans"],
        },
        "training": _training(recipe, stages, checkpoint, plan),
        "samples": samples(stages["before"], stages["after"], recipe.proof.samples, recipe.seed),
        "export": {"files": _exports(records), "checks": checks},
        "provenance": _provenance(corpus, stages),
        "stages": [
            {
                "stage": record["stage"],
                "key": record["key"],
                "seconds": record["seconds"],
                "cached": record["cached"],
                "output_hash": record["output_hash"],
            }
            for record in records
        ],
        "config": dump(recipe),
        "environment": _environment(plan),
    }


def _funnel(corpus: dict[str, Any], dataset: dict[str, Any], stages: dict[str, Path]) -> list[dict[str, Any]]:
    funnel = corpus["funnel"]

    def step(stage: str, label: str, name: str, detail: str = "") -> dict[str, Any]:
        return {
            "stage": stage,
            "label": label,
            "files": funnel[name]["files"],
            "bytes": funnel[name]["bytes"],
            "tokens": None,
            "detail": detail,
        }

    rate = read_rate(stages["training"])
    return [
        step("sources", "found", "candidates"),
        step("sources", "read", "read", f"{funnel['skipped']['files']} skipped"),
        step("corpus", "kept", "kept", f"{funnel['dropped']['files']} dropped by rules and deduplication"),
        step("split", "held out for the proof", "heldout"),
        step("split", "for training", "train"),
        {
            "stage": "dataset",
            "label": "packed rows",
            "files": dataset["files"],
            "bytes": None,
            "tokens": dataset["tokens"],
            "detail": f"{dataset['rows']} rows, {dataset['fill']:.1%} full; {dataset['documents']} documents, "
            f"{dataset['fim_share']:.0%} of them fill-in-the-middle",
        },
        {
            "stage": "training",
            "label": "trained on",
            "files": None,
            "bytes": None,
            "tokens": rate["tokens"],
            "detail": f"{rate['steps']} steps",
        },
    ]


def _training(
    recipe: Recipe, stages: dict[str, Path], checkpoint: Checkpoint, plan: dict[str, Any]
) -> dict[str, Any]:
    rate = read_rate(stages["training"])
    measured = read_json(stages["plan"] / "run.json")
    lengths = Dataset.open(stages["dataset"] / "file").table(["lengths"]).column("lengths").to_pylist()
    documents = [length for row in lengths for length in row]
    context = sum(n * n for n in documents) / max(sum(documents), 1)
    flops = flops_per_token(Qwen2Config.from_folder(checkpoint.path), recipe.training, context)
    return {
        "method": recipe.training.method,
        "tokens": rate["tokens"],
        "steps": rate["steps"],
        "dtype": plan["dtype"],
        "threads": plan["threads"],
        "tokens_per_second": rate["tokens_per_second"],
        "share_of_peak": rate["tokens_per_second"] * flops / (measured["gemm_gflops"] * 1e9),
        "curve": read_metrics(stages["training"]),
    }


def _exports(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Exported files and folders with their sizes; a folder's hash is that of its weights."""
    record = next(record for record in records if record["stage"] == "export")
    rows: dict[str, dict[str, Any]] = {}
    for name, (size, digest) in sorted(record["files"].items()):
        top = name.split("/")[0]
        if top not in _WHAT:
            continue
        row = rows.setdefault(top, {"path": top, "bytes": 0, "sha256": None, "what": _WHAT[top]})
        row["bytes"] += size
        if name.endswith((".safetensors", ".gguf")):
            row["sha256"] = digest
    return [rows[name] for name in _WHAT if name in rows]


def _provenance(corpus: dict[str, Any], stages: dict[str, Path]) -> dict[str, Any]:
    sources: dict[tuple[str, str | None], int] = {}
    for row in Dataset.open(stages["sources"] / "files").rows(["repo", "revision"]):
        key = (row["repo"], row["revision"] or None)
        sources[key] = sources.get(key, 0) + 1
    return {
        "sources": [
            {"repo": repo, "revision": revision, "files": files}
            for (repo, revision), files in sources.items()
        ],
        "licenses": [
            {
                "license": row["license"],
                "type": row["license_type"],
                "files": row["files"],
                "bytes": row["bytes"],
                "evidence": row["evidence"],
            }
            for row in corpus["licenses"]
        ],
        "files": [
            {
                "repo": row["repo"],
                "path": row["path"],
                "revision": row["revision"] or None,
                "license": " AND ".join(row["licenses"]) or None,
            }
            for row in corpus["provenance"]
        ],
    }


def _environment(plan: dict[str, Any]) -> dict[str, Any]:
    versions: dict[str, Any] = {"python": platform.python_version(), "system": platform.system()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        **versions,
        "processor": cpu_model(),
        "dtype": plan["dtype"],
        "threads": plan["threads"],
    }
