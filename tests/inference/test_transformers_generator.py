from __future__ import annotations

from pathlib import Path

import pytest

from codekiln.formats import CONTROL_IDS, STOP_IDS, fim_prompt, flatten
from codekiln.inference.generator import GenerationRequest, Generator
from codekiln.inference.transformers_generator import TransformersGenerator


@pytest.fixture(scope="module")
def generator(pico_checkpoint: Path) -> TransformersGenerator:
    return TransformersGenerator.load(pico_checkpoint, dtype="float32", batch_size=2)


def test_requests_of_different_kinds_are_answered_in_order(generator: Generator) -> None:
    requests = [
        GenerationRequest("def add(a, b):\n", max_new_tokens=6),
        GenerationRequest("def add(a, b):\n    ", "\n", max_new_tokens=3),
        GenerationRequest("def add(a, b):\n    ", "", max_new_tokens=6),
        GenerationRequest("import os\n", max_new_tokens=3),
    ]
    answers = generator.generate(requests)
    assert [generator.generate([request])[0] for request in requests] == answers
    for request, answer in zip(requests, answers):
        assert len(answer.completion.token_ids) <= request.max_new_tokens
        assert answer.text == generator.tokenizer.decode(list(answer.completion.token_ids))
    assert generator.generate([]) == []


def test_a_suffix_makes_an_infilling_prompt(generator: TransformersGenerator) -> None:
    encode = generator.tokenizer.encode
    prompt, _ = flatten(fim_prompt(encode, "x = ", "\ny = 2\n"))
    assert prompt[0] == CONTROL_IDS["<|fim_prefix|>"]
    assert prompt[-1] == CONTROL_IDS["<|fim_middle|>"]
    (answer,) = generator.generate([GenerationRequest("x = ", "\ny = 2\n", max_new_tokens=5)])
    assert answer.completion == generator.engine.complete([prompt], 5, STOP_IDS)[0]


def test_control_tokens_in_a_prompt_stay_text(generator: TransformersGenerator) -> None:
    plain = generator.tokenizer.encode("a<|endoftext|>b")
    assert not STOP_IDS.intersection(plain)
    (answer,) = generator.generate([GenerationRequest("a<|endoftext|>b", max_new_tokens=4)])
    assert answer.completion == generator.engine.complete([plain], 4, STOP_IDS)[0]
