"""The real 0.5B-instruct model, end to end: fetched, loaded, coherent, exported, run by llama.cpp."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from codekiln import formats
from codekiln.modeling.catalogue import CATALOGUE
from codekiln.modeling.checkpoint_folder import check_checkpoint, parameter_count
from codekiln.modeling.fetch import Checkpoint, resolve
from codekiln.modeling.gguf_export import write_gguf
from codekiln.modeling.hf_check import hf_greedy
from codekiln.modeling.llama_check import Completion, compare, llama_greedy
from codekiln.modeling.tokenizer import Tokenizer, load_tokenizer

pytestmark = pytest.mark.weights

NAME = "qwen2.5-coder-0.5b-instruct"


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return resolve(NAME)


@pytest.fixture(scope="module")
def tokenizer(checkpoint: Checkpoint) -> Tokenizer:
    return load_tokenizer(checkpoint.path)


@pytest.fixture(scope="module")
def prompts(tokenizer: Tokenizer) -> list[list[int]]:
    encode, ids = tokenizer.encode, formats.CONTROL_IDS
    turn = [ids[formats.IM_START], *encode("user\nSay hi."), ids[formats.IM_END], *encode("\n")]
    return [
        encode("def fibonacci(n):\n    "),
        formats.flatten(
            formats.fim_prompt(encode, "def add(a, b):\n    return ", "\n\n\nprint(add(1, 2))\n")
        )[0],
        encode("class Stack:\n    def __init__(self):\n"),
        [*turn, ids[formats.IM_START], *encode("assistant\n")],
    ]


@pytest.fixture(scope="module")
def reference(checkpoint: Checkpoint, prompts: list[list[int]]) -> list[Completion]:
    return hf_greedy(checkpoint.path, prompts, 32)


def test_transformers_loads_it_whole(checkpoint: Checkpoint) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, report = AutoModelForCausalLM.from_pretrained(checkpoint.path, output_loading_info=True)
    assert not any(report.values()), report
    assert sum(parameter.numel() for parameter in model.parameters()) == 494_032_768
    assert parameter_count(check_checkpoint(checkpoint.path)) == CATALOGUE[NAME].parameters
    reference = AutoTokenizer.from_pretrained(checkpoint.path)
    assert (len(reference), reference.eos_token, reference.bos_token) == (151_665, formats.IM_END, None)
    chat = reference.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False)
    assert chat.startswith("<|im_start|>system\nYou are Qwen, created by Alibaba Cloud.")


def test_its_tokenizer_is_the_releases(checkpoint: Checkpoint, tokenizer: Tokenizer) -> None:
    from transformers import AutoTokenizer

    reference = AutoTokenizer.from_pretrained(checkpoint.path)
    for text in (
        "def f(x):\n\treturn x  # ünïcode 😀 1234\r\n",
        "it's  we'LL\n\n\n",
        Path(ast.__file__).read_text(),
    ):
        assert tokenizer.encode(text) == reference(text)["input_ids"]
        assert tokenizer.decode(tokenizer.encode(text)) == text
    # ids of the released vocabulary
    assert tokenizer.encode("def hello_world():\n    print") == [750, 23811, 31792, 3932, 262, 1173]


def test_it_writes_python(tokenizer: Tokenizer, reference: list[Completion]) -> None:
    assert "if n <= 0" in tokenizer.decode(reference[0].ids)
    assert tokenizer.decode(reference[1].ids).startswith("a + b")
    assert "self.items = []" in tokenizer.decode(reference[2].ids)
    assert reference[3].stopped


@pytest.mark.parametrize("kind", ["f16", "q8_0"])
def test_llama_cpp_continues_the_export_as_transformers_does(
    checkpoint: Checkpoint, prompts: list[list[int]], reference: list[Completion], tmp_path: Path, kind: str
) -> None:
    path = write_gguf(checkpoint.path, tmp_path / "model.gguf", kind)  # type: ignore[arg-type]
    agreement = compare(reference, llama_greedy(path, prompts, 32))
    assert agreement.same == agreement.prompts, agreement
    assert agreement.mean_logprob_difference < (0.02 if kind == "f16" else 0.15)
