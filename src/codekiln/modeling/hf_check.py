"""Greedy continuations of a Hugging Face checkpoint by transformers: the reference that exports are held against."""

from __future__ import annotations

from pathlib import Path

from codekiln.modeling.llama_check import END_IDS, Completion


def hf_greedy(
    folder: Path, prompts: list[list[int]], new_tokens: int, *, top: int = 5, dtype: str = "float32"
) -> list[Completion]:
    """Continue each prompt (token ids) greedily by up to `new_tokens` ids with transformers, ends as llama.cpp's.

    `dtype` is the torch type the model computes in; log-probabilities are taken in float32.
    """
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()
    completions = []
    with torch.inference_mode():
        for prompt in prompts:
            ids: list[int] = []
            chosen: list[float] = []
            likeliest: list[dict[int, float]] = []
            step, past, stopped = torch.tensor([prompt]), None, False
            while len(ids) < new_tokens:
                result = model(input_ids=step, past_key_values=past, use_cache=True, logits_to_keep=1)
                past = result.past_key_values
                best = result.logits[0, -1].float().log_softmax(-1).topk(top)
                token = int(best.indices[0])
                likeliest.append(dict(zip(best.indices.tolist(), best.values.tolist(), strict=True)))
                if token in END_IDS:
                    stopped = True
                    break
                ids.append(token)
                chosen.append(float(best.values[0]))
                step = torch.tensor([[token]])
            completions.append(Completion(ids, chosen, likeliest, stopped))
    return completions
