"""Fixtures that several rooms' tests share."""

from __future__ import annotations

import argparse
import ast
import json
import signal
import textwrap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from codekiln import formats
from codekiln.modeling.tokenizer_files import ADDED_TOKENS, BASE_VOCABULARY, SPLIT_PATTERN, write_tokenizer

# A shell starts a background job with SIGINT ignored, and commands under test would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Machines are shared: how long an example takes by the clock says nothing.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")

PICO_ROWS = 151_936
PICO_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def train_pico_tokenizer(folder: Path, merges: int = 1_500) -> int:
    """A byte-level BPE trained on standard-library source, padded so that the control ids are Qwen2.5's.

    Returns the number of live entries.
    """
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT_PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=256 + merges,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    texts = [Path(module.__file__).read_text(encoding="utf-8") for module in (argparse, ast, json, textwrap)]
    tokenizer.train_from_iterator(texts, trainer)
    trained = json.loads(tokenizer.to_str())["model"]
    vocabulary = sorted(trained["vocab"], key=trained["vocab"].get)
    live = len(vocabulary)
    vocabulary += [f"<unused_{index}>" for index in range(live, BASE_VOCABULARY)]
    pairs = [pair if isinstance(pair, str) else " ".join(pair) for pair in trained["merges"]]
    write_tokenizer(folder, vocabulary, pairs, eos=formats.IM_END, chat_template=PICO_TEMPLATE)
    return live


def write_pico_weights(folder: Path, live: int, seed: int = 0) -> None:
    """Random Qwen2 weights of 2 layers, seeded; spread enough that the best two logits are seldom close.

    The rows of unused entries (from `live` on, and behind the control tokens) are small, so that greedy
    decoding yields real pieces of text.
    """
    import torch
    from safetensors.torch import save_file

    hidden, layers, heads, kv_heads, inner = 128, 2, 4, 2, 256
    config = {
        "architectures": ["Qwen2ForCausalLM"],
        "attention_dropout": 0.0,
        "bos_token_id": formats.CONTROL_IDS[formats.END_OF_TEXT],
        "eos_token_id": formats.CONTROL_IDS[formats.IM_END],
        "hidden_act": "silu",
        "hidden_size": hidden,
        "initializer_range": 0.02,
        "intermediate_size": inner,
        "max_position_embeddings": 4096,
        "max_window_layers": layers,
        "model_type": "qwen2",
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "num_key_value_heads": kv_heads,
        "rms_norm_eps": 1e-06,
        "rope_theta": 1000000.0,
        "sliding_window": None,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "use_sliding_window": False,
        "vocab_size": PICO_ROWS,
    }
    head = hidden // heads
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (PICO_ROWS, hidden)}
    for layer in range(layers):
        prefix = f"model.layers.{layer}."
        for name, rows in (("q", heads * head), ("k", kv_heads * head), ("v", kv_heads * head)):
            shapes[f"{prefix}self_attn.{name}_proj.weight"] = (rows, hidden)
            shapes[f"{prefix}self_attn.{name}_proj.bias"] = (rows,)
        shapes[f"{prefix}self_attn.o_proj.weight"] = (hidden, heads * head)
        shapes[f"{prefix}mlp.gate_proj.weight"] = (inner, hidden)
        shapes[f"{prefix}mlp.up_proj.weight"] = (inner, hidden)
        shapes[f"{prefix}mlp.down_proj.weight"] = (hidden, inner)
        shapes[f"{prefix}input_layernorm.weight"] = (hidden,)
        shapes[f"{prefix}post_attention_layernorm.weight"] = (hidden,)
    shapes["model.norm.weight"] = (hidden,)
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, shape in shapes.items():
        values = torch.randn(shape, generator=generator) * 0.08
        if name == "model.embed_tokens.weight":
            values *= 2.5
            values[live:BASE_VOCABULARY] *= 0.2
            values[BASE_VOCABULARY + len(ADDED_TOKENS) :] *= 0.2
        tensors[name] = (values + 1 if name.endswith("norm.weight") else values).to(torch.bfloat16)
    save_file(tensors, str(folder / "model.safetensors"), metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


@pytest.fixture(scope="session")
def pico_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hugging Face checkpoint folder: random-weight Qwen2 (hidden 128, 2 layers, tied) with a real tokenizer.

    Read-only by agreement: copy it before changing anything.
    """
    folder = tmp_path_factory.mktemp("pico")
    write_pico_weights(folder, live=train_pico_tokenizer(folder))
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole runs first: two test processes then end at about the same time."""
    items.sort(key=lambda item: "pipeline" not in item.path.parts)
