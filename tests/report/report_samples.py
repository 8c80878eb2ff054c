"""Reports to draw: a full one made of real code of the running interpreter, and three awkward ones."""

from __future__ import annotations

import math
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from report_parts import change, curve, metrics, samples

HOSTILE = (
    "</pre></code><script>alert('x')</script><img src=x onerror=alert(1)>\"' onload=\"alert(2)"
    "<|fim_prefix|><|endoftext|>]]><!-- &lt; &#60; \u202e\u2066 \x00\x1b[31m\x7f\udc80 <style>*{}</style>"
)


def full(*, worse: bool = False, files: int = 1240, steps: int = 90) -> dict[str, Any]:
    """A report with every part."""
    random = Random(7)
    word, verb = ("worse", "rose") if worse else ("better", "fell")
    paths = [f"Lib/package_{i % 40}/module_{i:04d}.py" for i in range(files)]
    return {
        "codekiln": {"version": "0.1.0", "commit": "0a8ac84cf3f0f7a7e8d8b7a6c5d4e3f201020304"},
        "name": "quickstart",
        "verdict": {
            "word": word,
            "sentence": f"Bits per byte of the held-out text {verb}, and the interval excludes zero; so did those of "
            "the middles. Exact match of single lines shows no clear change.",
        },
        "metrics": metrics(worse),
        "counts": {
            "text_files": 118,
            "text_bytes": 1_290_113,
            "probe_files": 46,
            "line_probes": 48,
            "block_probes": 24,
        },
        "by_kind": {
            "line": {
                "probes": 48,
                "bits_per_byte": change(0.942, 0.721, 0.06),
                "end_of_text_bits": change(7.81, 0.42, 0.9),
                "new_tokens": change(41.2, 14.9, 5.0),
            },
            "block": {"probes": 24, "exact_match_raw": change(0.0, 0.042, 0.05)},
        },
        "by_language": {
            "Python": {"text_files": 117, "probe_files": 45, "bits_per_byte": change(0.59, 0.56, 0.01)},
            "C": {"text_files": 1, "probe_files": 1, "bits_per_byte": change(0.81, 0.79, 0.0)},
        },
        "model": {
            "name": "qwen2.5-coder-0.5b-instruct",
            "hub_id": "Qwen/Qwen2.5-Coder-0.5B-Instruct",
            "revision": "ea3f2471cf1b1f0db85067f1ef93848e38e88c25",
            "source": "package index mirror",
            "sha256": "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
            "license": "Apache-2.0",
            "parameters": 494_032_768,
        },
        "funnel": [
            {
                "stage": "sources",
                "label": "Files found",
                "files": 1893,
                "bytes": 33_100_000,
                "detail": "1 source",
            },
            {
                "stage": "corpus",
                "label": "Text files with a known language",
                "files": 1702,
                "bytes": 27_900_000,
                "detail": "binaries, links and vendored files left out",
            },
            {
                "stage": "corpus",
                "label": "Kept by the rules",
                "files": 1421,
                "bytes": 15_400_000,
                "detail": "9 rules",
            },
            {
                "stage": "split",
                "label": "Training files",
                "files": 1240,
                "bytes": 13_600_000,
                "tokens": 3_910_000,
            },
            {
                "stage": "split",
                "label": "Held-out files",
                "files": 118,
                "bytes": 1_290_113,
                "tokens": 371_000,
            },
            {
                "stage": "dataset",
                "label": "Packed rows",
                "files": 1240,
                "tokens": 4_020_000,
                "detail": "1,963 rows",
            },
            {
                "stage": "training",
                "label": "Tokens trained on",
                "tokens": 184_320,
                "detail": "90 steps, 4.6 %",
            },
        ],
        "drops": [
            {
                "reason": "near_copy_of_heldout",
                "files": 63,
                "bytes": 510_000,
                "examples": [
                    "Lib/test/test_asyncio/test_very_long_module_name_for_wrapping.py",
                    "Lib/test/b.py",
                ],
            },
            {
                "reason": "encoded_data",
                "files": 41,
                "bytes": 9_200_000,
                "examples": [f"Lib/encodings/cp{i}.py" for i in range(8)],
            },
            {"reason": "generated", "files": 12, "bytes": 320_000, "examples": []},
        ],
        "languages": [
            {"language": "Python", "files": 1390, "bytes": 15_100_000, "train": 1214, "heldout": 116},
            {"language": "C", "files": 21, "bytes": 240_000, "train": 19, "heldout": 2},
            {"language": "Shell", "files": 10, "bytes": 60_000, "train": 7, "heldout": 0},
        ],
        "dataset": {
            "rows": 1963,
            "tokens": 4_020_224,
            "fill": 0.9992,
            "row_length": 2048,
            "documents_by_form": {"plain": 611, "fim": 604, "repository": 25},
            "spans": {"characters": 241, "line": 180, "line_end": 91, "syntax": 74, "empty": 18},
        },
        "training": {
            "method": "lora",
            "tokens": 184_320,
            "steps": steps,
            "dtype": "bfloat16",
            "threads": 2,
            "tokens_per_second": 431.77,
            "share_of_peak": 0.7312,
            "curve": curve(steps, random),
        },
        "samples": samples(),
        "export": {
            "files": [
                {
                    "path": "model",
                    "bytes": 988_097_824,
                    "sha256": "ab" * 32,
                    "what": "merged checkpoint, bfloat16",
                },
                {
                    "path": "adapter",
                    "bytes": 35_237_104,
                    "sha256": "cd" * 32,
                    "what": "LoRA adapter, PEFT format",
                },
                {"path": "model-f16.gguf", "bytes": 994_156_320, "sha256": "ef" * 32, "what": "GGUF, f16"},
                {"path": "model-q8_0.gguf", "bytes": 531_067_680, "sha256": "01" * 32, "what": "GGUF, q8_0"},
            ],
            "checks": [
                {
                    "arrow": "training to merged checkpoint",
                    "measure": "max |logit difference|",
                    "value": 2.4e-5,
                    "limit": 1e-4,
                    "ok": True,
                    "detail": "4 prompts, float32, same greedy tokens",
                },
                {
                    "arrow": "merged checkpoint to GGUF q8_0",
                    "measure": "max |log-probability difference|",
                    "value": 0.31 if worse else 0.083,
                    "limit": 0.2,
                    "ok": not worse,
                    "detail": "llama.cpp, 4 prompts of 64 tokens",
                },
            ],
        },
        "provenance": {
            "sources": [{"repo": "stdlib", "revision": "3.11.9", "files": 1893}],
            "licenses": [
                {
                    "license": "PSF-2.0",
                    "type": "permissive",
                    "files": files,
                    "bytes": 13_600_000,
                    "evidence": "LICENSE.txt of the interpreter",
                }
            ],
            "files": [
                {
                    "repo": "stdlib",
                    "path": path,
                    "revision": "3.11.9",
                    "license": "PSF-2.0",
                }
                for path in paths
            ],
        },
        "stages": [
            {
                "stage": name,
                "key": f"{i}a" * 32,
                "seconds": seconds,
                "cached": i < 2,
                "output_hash": f"{i}b" * 32,
            }
            for i, (name, seconds) in enumerate(
                [
                    ("sources", 2.1),
                    ("corpus", 9.4),
                    ("dataset", 21.7),
                    ("model", 0.2),
                    ("before", 61.0),
                    ("training", 427.3),
                    ("after", 60.2),
                    ("export", 31.9),
                ]
            )
        ],
        "config": {
            "name": "quickstart",
            "seed": 1,
            "sources": {"paths": ["stdlib"], "split": "file"},
            "training": {"method": "lora", "rank": 16, "learning_rate": 2e-4, "tokens": None},
        },
        "environment": {"python": "3.11.9", "torch": "2.13.0", "cores": 2, "memory_bytes": 25_769_803_776},
    }


def minimal() -> dict[str, Any]:
    """Only what the schema asks for."""
    return {"codekiln": {"version": "0.1.0", "commit": None}, "name": "bare"}


def partial() -> dict[str, Any]:
    """A run cut down: few metrics, no intervals, one step, numpy numbers, numbers that are not finite."""
    report = minimal() | {
        "verdict": {"word": "no clear change", "sentence": "The intervals include zero."},
        "metrics": {
            "before": {"bits_per_byte": {"value": np.float32(0.75)}, "fim_stop_rate": {"value": None}},
            "after": {"bits_per_byte": {"value": 0.75}},
            "difference": {"bits_per_byte": {"value": 0.0}},
        },
        "funnel": [{"stage": "sources", "label": "Files found", "files": np.int64(3)}],
        "training": {
            "method": "full",
            "tokens_per_second": math.inf,
            "curve": [{"step": 1, "loss": math.nan}],
        },
        "config": {"source": Path("src")},
    }
    return report


def hostile() -> dict[str, Any]:
    """Every string of a full report is an attack, keys of free-form parts included."""

    def poison(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            free = key in (
                "counts",
                "by_kind",
                "by_language",
                "documents_by_form",
                "spans",
                "config",
                "environment",
            )
            return {(HOSTILE + k if free else k): poison(item, k) for k, item in value.items()}
        if isinstance(value, list):
            return [poison(item, key) for item in value]
        if isinstance(value, str) and key not in ("word",):
            return HOSTILE + value
        return value

    return {key: poison(value, key) for key, value in full(files=30).items()}
