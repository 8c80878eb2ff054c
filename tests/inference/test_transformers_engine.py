from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from codekiln.errors import RunError, UserError
from codekiln.formats import CONTROL_IDS, END_OF_TEXT, FIM_MIDDLE, FIM_PREFIX, FIM_SUFFIX, STOP_IDS
from codekiln.inference.transformers_engine import Probe, TransformersEngine

END = CONTROL_IDS[END_OF_TEXT]


def random_ids(count: int, seed: int) -> list[int]:
    generator = random.Random(seed)
    return [generator.randrange(1000) for _ in range(count)]


@pytest.fixture(scope="module")
def oracle(pico_checkpoint: Path):
    torch.set_num_threads(1)
    return AutoModelForCausalLM.from_pretrained(pico_checkpoint, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def engine(pico_checkpoint: Path) -> TransformersEngine:
    return TransformersEngine.load(pico_checkpoint, dtype="float32", batch_size=8)


def full_logits_bits(oracle, context: list[int], target: list[int]) -> float:
    with torch.inference_mode():
        logits = oracle(torch.tensor([context + target])).logits[0].double()
    rows = torch.log_softmax(logits, -1)[len(context) - 1 : -1]
    return float(-rows.gather(-1, torch.tensor(target)[:, None]).sum()) / math.log(2)


def plain_generate(oracle, prompt: list[int], limit: int, stops: frozenset[int]) -> tuple[list[int], str]:
    with torch.inference_mode():
        out = oracle.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            do_sample=False,
            max_new_tokens=limit,
            eos_token_id=sorted(stops),
            pad_token_id=END,
        )[0].tolist()[len(prompt) :]
    return (out[:-1], "stop") if out and out[-1] in stops else (out, "length")


def test_score_equals_cross_entropy_of_full_logits(engine, oracle) -> None:
    lengths = [(1, 1), (1, 40), (30, 5), (7, 100), (64, 64), (3, 90), (12, 1), (5, 0), (90, 70), (2, 2)]
    sequences = [(random_ids(c, 2 * i), random_ids(t, 2 * i + 1)) for i, (c, t) in enumerate(lengths)]
    got = engine.score(sequences)
    for value, (context, target) in zip(got, sequences):
        expected = full_logits_bits(oracle, context, target) if target else 0.0
        assert value == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_score_needs_context_only_for_a_target(engine) -> None:
    assert engine.score([([], []), ([5], [])]) == [0.0, 0.0]
    assert engine.score([]) == []
    with pytest.raises(ValueError, match="context"):
        engine.score([([], [1])])


def cut_at(ids: list[int], stops: frozenset[int]) -> tuple[list[int], str]:
    first = next((i for i, token in enumerate(ids) if token in stops), None)
    return (ids, "length") if first is None else (ids[:first], "stop")


def test_completion_equals_plain_generate_in_the_order_of_the_prompts(engine, oracle) -> None:
    prompts = [random_ids(length, length) for length in (17, 1, 60, 3, 17, 33, 2, 9, 28)]
    free = [plain_generate(oracle, prompt, 14, frozenset({END}))[0] for prompt in prompts]
    # Tokens that the model does write become stop tokens, so that rows end at different steps.
    stops = frozenset({END, free[0][5], free[3][0], free[6][11]})
    got = engine.complete(prompts, 14, stops)
    expected = [cut_at(ids, stops) for ids in free]
    assert [(list(c.token_ids), c.finish_reason) for c in got] == expected
    assert {reason for _, reason in expected} == {"stop", "length"}
    assert len({len(ids) for ids, _ in expected}) > 2
    assert plain_generate(oracle, prompts[0], 14, stops) == expected[0]


def test_a_stop_at_the_last_allowed_token_counts_as_stopped(engine, oracle) -> None:
    prompt = random_ids(12, 3)
    free, _ = plain_generate(oracle, prompt, 10, frozenset())
    stop = free[7]
    first = free.index(stop)
    assert engine.complete([prompt], first + 1, {stop})[0].finish_reason == "stop"
    cut = engine.complete([prompt], max(first, 1), {END})[0]
    assert (cut.finish_reason, list(cut.token_ids)) == ("length", free[: max(first, 1)])


def test_batch_size_changes_nothing(engine, pico_checkpoint: Path) -> None:
    single = TransformersEngine(engine.model, batch_size=1)
    probes = [
        Probe(tuple(random_ids(3 + 11 * i % 50, i)), tuple(random_ids(i % 5 * 3, 100 + i)), END)
        for i in range(13)
    ]
    for one, many in zip(single.probe(probes, 12, STOP_IDS), engine.probe(probes, 12, STOP_IDS)):
        assert one.completion == many.completion
        assert many.answer_bits == pytest.approx(one.answer_bits, rel=1e-5, abs=1e-5)
        assert many.end_bits == pytest.approx(one.end_bits, rel=1e-5)


def test_probe_equals_score_and_complete_apart(engine, oracle) -> None:
    prompts = [
        [
            CONTROL_IDS[FIM_PREFIX],
            *random_ids(n, n),
            CONTROL_IDS[FIM_SUFFIX],
            *random_ids(4, 9),
            CONTROL_IDS[FIM_MIDDLE],
        ]
        for n in (20, 3, 45, 11, 0)
    ]
    answers = [random_ids(n, 50 + n) for n in (6, 0, 13, 1, 30)]
    results = engine.probe([Probe(tuple(p), tuple(a), END) for p, a in zip(prompts, answers)], 8, STOP_IDS)
    for result, prompt, answer in zip(results, prompts, answers):
        expected = full_logits_bits(oracle, prompt, answer) if answer else 0.0
        assert result.answer_bits == pytest.approx(expected, rel=1e-4, abs=1e-4)
        assert result.end_bits == pytest.approx(full_logits_bits(oracle, prompt + answer, [END]), rel=1e-4)
        assert list(result.completion.token_ids) == plain_generate(oracle, prompt, 8, STOP_IDS)[0]


def test_an_empty_prompt_is_refused_and_no_prompts_give_nothing(engine) -> None:
    assert engine.complete([], 4, {END}) == []
    with pytest.raises(ValueError, match="at least one token"):
        engine.complete([[]], 4, {END})


def test_bfloat16_is_close_to_float32(engine, pico_checkpoint: Path) -> None:
    half = TransformersEngine.load(pico_checkpoint, dtype="bfloat16")
    sequences = [(random_ids(20, 1), random_ids(60, 2))]
    assert half.score(sequences)[0] == pytest.approx(engine.score(sequences)[0], rel=0.02)


def test_bad_checkpoints_get_one_line(tmp_path: Path, pico_checkpoint: Path) -> None:
    with pytest.raises(UserError, match=r"no config\.json"):
        TransformersEngine.load(tmp_path)
    with pytest.raises(UserError, match="dtype"):
        TransformersEngine.load(pico_checkpoint, dtype="int3")
    (tmp_path / "config.json").write_bytes((pico_checkpoint / "config.json").read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(RunError, match="cannot load the checkpoint"):
        TransformersEngine.load(tmp_path)
