"""Greedy continuations of a GGUF file by llama.cpp, and how far they agree with those of another engine.

llama.cpp runs in a process of its own: its memory is returned when the check is over, and a crash in it is an
error of the check, not of the run.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from codekiln import formats
from codekiln.errors import RunError, one_line

#: Where llama.cpp ends a generation of a Qwen2.5 file; the ending token itself is not returned.
END_IDS = frozenset(
    formats.CONTROL_IDS[token]
    for token in (
        formats.END_OF_TEXT,
        formats.IM_END,
        formats.FIM_PAD,
        formats.REPO_NAME,
        formats.FILE_SEP,
    )
)


@dataclass(frozen=True)
class Completion:
    """A greedy continuation: ids, the natural log-probability of each, the likeliest few at each position
    (id -> log-probability), and whether the model ended it by itself (the ending id is not in `ids`; where the
    engine tells, the likeliest few at that position are the last of `top`)."""

    ids: list[int]
    logprobs: list[float]
    top: list[dict[int, float]]
    stopped: bool


@dataclass(frozen=True)
class Agreement:
    """Two engines on the same prompts.

    `same` prompts of `prompts` have identical continuations and ends; `tokens` positions agree before the first
    difference; to end is a choice like any other. The log-probability differences (nats) are over the reference's likeliest ids at these positions,
    where both engines name them. `narrowest` is the smallest lead (nats) of the reference's best id over its
    second at a position where the other engine chose differently: near 0 for a tie that rounding decided,
    None where all agree, infinite where the reference names no second.
    """

    prompts: int
    same: int
    tokens: int
    mean_logprob_difference: float
    max_logprob_difference: float
    narrowest: float | None


def llama_greedy(
    gguf: Path,
    prompts: list[list[int]],
    new_tokens: int,
    *,
    top: int = 5,
    threads: int = 1,
    timeout: float = 1_800.0,
) -> list[Completion]:
    """Continue each prompt (token ids) greedily by up to `new_tokens` ids, in the order given.

    `top` likeliest ids are reported at each position. The key-value cache is f32, so that the weights are what
    is compared. Raises RunError when xllamacpp is not installed, the file cannot be loaded, llama.cpp crashes or
    takes longer than `timeout` seconds.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise RunError("llama.cpp is not installed: pip install 'codekiln[llama]'")
    if not gguf.is_file():
        raise RunError(f"{gguf}: no such file")
    request = {
        "gguf": str(gguf),
        "prompts": prompts,
        "new_tokens": new_tokens,
        "top": top,
        "threads": threads,
    }
    command = [sys.executable, "-m", "codekiln.modeling.llama_check"]
    try:
        done = subprocess.run(
            command, input=json.dumps(request).encode(), capture_output=True, timeout=timeout
        )
    except subprocess.TimeoutExpired as error:
        raise RunError(f"{gguf}: llama.cpp took longer than {timeout:.0f} seconds") from error
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        detail = one_line(lines[-1])[:300] if lines else f"exit status {done.returncode}"
        raise RunError(f"{gguf}: llama.cpp could not run it: {detail}")
    return [
        Completion(
            item["ids"],
            item["logprobs"],
            [{int(token): value for token, value in place.items()} for place in item["top"]],
            item["stopped"],
        )
        for item in json.loads(done.stdout)
    ]


def compare(reference: list[Completion], other: list[Completion]) -> Agreement:
    """How far two engines agree on the same prompts, prompt by prompt up to the first difference."""
    same = tokens = 0
    differences: list[float] = []
    leads: list[float] = []
    for first, second in zip(reference, other, strict=True):
        for place, (one, two) in enumerate(zip(first.ids, second.ids, strict=False)):
            named = first.top[place].keys() & second.top[place].keys()
            differences += [
                abs(first.top[place][token] - second.top[place][token]) for token in sorted(named)
            ]
            if one != two:
                leads += _lead(first, place)
                break
            tokens += 1
        else:
            # One of them ended where the other went on. An answer that is only shorter has not ended: llama.cpp's
            # server keeps back the tokens of a character whose last bytes have not come.
            shorter = len(first.ids) != len(second.ids)
            if first.stopped != second.stopped or (shorter and first.stopped):
                leads += _lead(first, min(len(first.ids), len(second.ids)))
        same += first.ids == second.ids and first.stopped == second.stopped
    return Agreement(
        prompts=len(reference),
        same=same,
        tokens=tokens,
        mean_logprob_difference=sum(differences) / len(differences) if differences else 0.0,
        max_logprob_difference=max(differences, default=0.0),
        narrowest=min(leads, default=None),
    )


def _lead(completion: Completion, place: int) -> list[float]:
    """By how much (nats) the best id led the second there; infinitely where that is not known."""
    best = sorted(completion.top[place].values(), reverse=True) if place < len(completion.top) else []
    return [best[0] - best[1] if len(best) > 1 else math.inf]


def _serve(request: dict[str, Any]) -> list[Completion]:
    """The work of the separate process."""
    import xllamacpp

    prompts, new_tokens = request["prompts"], request["new_tokens"]
    parameters = xllamacpp.CommonParams()
    parameters.model.path = request["gguf"]
    longest = max((len(prompt) for prompt in prompts), default=0)
    parameters.n_ctx = -(-(longest + new_tokens + 8) // 256) * 256
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = request["threads"]
    parameters.cache_type_k = parameters.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    parameters.cache_prompt = False
    parameters.cache_ram_mib = 0
    parameters.warmup = False
    parameters.verbosity = -1
    server = xllamacpp.Server(parameters)
    options = {"n_predict": new_tokens, "temperature": 0.0, "n_probs": request["top"], "cache_prompt": False}
    return [_completion(server.handle_completions({"prompt": prompt, **options})) for prompt in prompts]


def _completion(answer: dict[str, Any]) -> Completion:
    if "choices" not in answer:
        raise RuntimeError(f"llama.cpp answered {answer}")
    choice = answer["choices"][0]
    places = (choice.get("logprobs") or {}).get("content") or []
    stopped = choice["finish_reason"] == "stop"
    if places and places[-1]["id"] in END_IDS:
        places = places[:-1]
    return Completion(
        [place["id"] for place in places],
        [place["logprob"] for place in places],
        [{entry["id"]: entry["logprob"] for entry in place["top_logprobs"]} for place in places],
        stopped,
    )


def _main() -> None:
    # Whatever the library prints goes to stderr; stdout carries the answer alone.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    completions = _serve(json.load(sys.stdin))
    json.dump([asdict(completion) for completion in completions], answer)
    answer.close()


if __name__ == "__main__":
    _main()
