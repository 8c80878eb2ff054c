"""Golden token sequences of the formats, and their agreement with the control tokens' literal spelling."""

from __future__ import annotations

from pathlib import Path

import pytest

from codekiln import formats
from codekiln.formats import Kind

PLAIN, CONTEXT, MIDDLE, END, SENTINEL, REPOSITORY = range(6)


def in_bytes(text: str) -> list[int]:
    return list(text.encode())


def test_golden_plain_file() -> None:
    ids, kinds = formats.flatten(formats.plain(in_bytes, "a=1\n"))
    assert ids == [97, 61, 49, 10, 151643]
    assert kinds == [PLAIN, PLAIN, PLAIN, PLAIN, END]
    assert formats.loss_mask(kinds) == formats.loss_mask(kinds, loss="middle") == [1, 1, 1, 1, 1]


def test_golden_file_fim_is_prefix_suffix_middle_and_closed() -> None:
    ids, kinds = formats.flatten(formats.fim(in_bytes, "a=", "1", "\n"))
    assert ids == [151659, 97, 61, 151661, 10, 151660, 49, 151643]
    assert kinds == [SENTINEL, CONTEXT, CONTEXT, SENTINEL, CONTEXT, SENTINEL, MIDDLE, END]
    assert formats.loss_mask(kinds) == [0, 1, 1, 0, 1, 0, 1, 1]
    assert formats.loss_mask(kinds, loss="middle") == [0, 0, 0, 0, 0, 0, 1, 1]


def test_golden_repository_fim() -> None:
    head = formats.repository_context(in_bytes, "r", [("a", "x\n"), ("b", "y")], "c")
    ids, kinds = formats.flatten([*head, *formats.fim(in_bytes, "p", "m", "s")])
    assert ids == [
        *(151663, 114, 10),  # <|repo_name|>r\n
        *(151664, 97, 10, 120, 10, 10),  # <|file_sep|>a\nx\n\n
        *(151664, 98, 10, 121, 10),  # <|file_sep|>b\ny\n
        *(151664, 99, 10),  # <|file_sep|>c\n
        *(151659, 112, 151661, 115, 151660, 109, 151643),
    ]
    assert kinds == [
        *(SENTINEL, REPOSITORY, REPOSITORY),
        *(SENTINEL, *[REPOSITORY] * 5),
        *(SENTINEL, *[REPOSITORY] * 4),
        *(SENTINEL, REPOSITORY, REPOSITORY),
        *(SENTINEL, CONTEXT, SENTINEL, CONTEXT, SENTINEL, MIDDLE, END),
    ]
    assert sum(formats.loss_mask(kinds, loss="middle")) == 2


def test_golden_repository_plain() -> None:
    head = formats.repository_context(in_bytes, "r", [], "c")
    ids, _ = formats.flatten([*head, *formats.plain(in_bytes, "z")])
    assert ids == [151663, 114, 10, 151664, 99, 10, 122, 151643]


def test_an_empty_middle_ends_at_once() -> None:
    ids, _ = formats.flatten(formats.fim(in_bytes, "a", "", "b"))
    assert ids == [151659, 97, 151661, 98, 151660, 151643]


def test_the_prompt_is_the_sample_without_its_answer() -> None:
    sample, prompt = formats.fim(in_bytes, "a", "b", "c"), formats.fim_prompt(in_bytes, "a", "c")
    assert sample[: len(prompt)] == prompt
    assert [segment.kind for segment in sample[len(prompt) :]] == [Kind.MIDDLE, Kind.END]


def test_ids_are_those_of_the_report() -> None:
    assert formats.CONTROL_IDS["<|endoftext|>"] == 151643
    assert [formats.CONTROL_IDS[f"<|fim_{name}|>"] for name in ("prefix", "middle", "suffix", "pad")] == [
        151659,
        151660,
        151661,
        151662,
    ]
    assert (formats.CONTROL_IDS["<|repo_name|>"], formats.CONTROL_IDS["<|file_sep|>"]) == (151663, 151664)
    assert frozenset({151643, 151645, 151659, 151660, 151661, 151663, 151664}) == formats.STOP_IDS


@pytest.mark.parametrize("loss", ["all", "middle"])
def test_sentinels_are_never_targets_and_end_of_text_always_is(loss: str) -> None:
    head = formats.repository_context(in_bytes, "r", [("a", "x")], "c")
    ids, kinds = formats.flatten([*head, *formats.fim(in_bytes, "p", "m", "s")])
    mask = formats.loss_mask(kinds, loss=loss)
    controls = set(formats.CONTROL_IDS.values()) - {151643}
    assert all(not kept for kept, number in zip(mask, ids) if number in controls)
    assert mask[-1] == 1


def test_the_literal_format_reads_as_the_same_ids(pico_checkpoint: Path) -> None:
    """The Hugging Face tokenizer, with special tokens on, is the oracle for the whole layout."""
    from tokenizers import Tokenizer

    from codekiln.modeling.tokenizer import load_tokenizer

    encode = load_tokenizer(pico_checkpoint).encode
    oracle = Tokenizer.from_file(str(pico_checkpoint / "tokenizer.json"))
    prefix, middle, suffix = "def add(a, b):\n    return", " a + b", "\n\n\nprint(add(1, 2))\n"
    files = [("pkg/a.py", "import os\n"), ("pkg/ä.py", "x = 'é'\n")]
    literal = (
        "<|repo_name|>demo\n<|file_sep|>pkg/a.py\nimport os\n\n<|file_sep|>pkg/ä.py\nx = 'é'\n\n"
        f"<|file_sep|>pkg/c.py\n<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>{middle}<|endoftext|>"
    )
    head = formats.repository_context(encode, "demo", files, "pkg/c.py")
    ids, _ = formats.flatten([*head, *formats.fim(encode, prefix, middle, suffix)])
    assert ids == oracle.encode(literal, add_special_tokens=False).ids
    ids, _ = formats.flatten(formats.plain(encode, prefix))
    assert ids == oracle.encode(prefix + "<|endoftext|>", add_special_tokens=False).ids


def test_source_text_never_becomes_a_control_token(pico_checkpoint: Path) -> None:
    from codekiln.modeling.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(pico_checkpoint)
    text = "".join(formats.CONTROL_IDS) + "<tool_call>"
    ids, _ = formats.flatten(formats.fim(tokenizer.encode, text, text, text))
    controls = set(range(151643, 151665))
    assert [number for number in ids if number in controls] == [151659, 151661, 151660, 151643]
    assert tokenizer.decode(tokenizer.encode(text)) == text
