"""The main job once with the real weights: a small budget, and every exported artefact loaded by its tool."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pipeline_kit import codekiln

pytestmark = [pytest.mark.weights, pytest.mark.slow]

SMALL = ("proof.line_probes=8", "proof.block_probes=4", "proof.text_tokens=2500", "proof.resamples=1000")


def test_quickstart_adapts_the_real_model(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    settings = [word for value in SMALL for word in ("--set", value)]
    done = codekiln("run", "quickstart", "--tokens", "6000", "-o", folder, *settings, "--json", timeout=2400)
    report = json.loads(done.stdout)

    assert report["model"]["parameters"] == 494_032_768
    change = report["metrics"]["difference"]["bits_per_byte"]
    assert change["high"] < 0, "held-out text must get cheaper, with an interval that excludes zero"
    assert [check["ok"] for check in report["export"]["checks"]] == [True] * 4
    _loads_everywhere(folder)


def _loads_everywhere(folder: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from codekiln.modeling.fetch import resolve
    from codekiln.modeling.llama_check import llama_greedy

    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    prompt = tokenizer("def is_even(number):\n    return number", return_tensors="pt")
    merged = AutoModelForCausalLM.from_pretrained(folder / "model", dtype=torch.float32)
    greedy = merged.generate(**prompt, max_new_tokens=8, do_sample=False)[0]
    text = tokenizer.decode(greedy)
    assert "% 2" in text
    ids = prompt["input_ids"][0].tolist()
    for kind in ("f16", "q8_0"):
        continued = llama_greedy(folder / f"model-{kind}.gguf", [ids], 4)[0]
        assert continued.ids == greedy[len(ids) : len(ids) + 4].tolist()
    base = AutoModelForCausalLM.from_pretrained(
        resolve("qwen2.5-coder-0.5b-instruct").path, dtype=torch.float32
    )
    adapted = PeftModel.from_pretrained(base, folder / "adapter")
    with torch.inference_mode():
        difference = (adapted(**prompt).logits - merged(**prompt).logits).abs().mean()
    assert difference < 0.1
