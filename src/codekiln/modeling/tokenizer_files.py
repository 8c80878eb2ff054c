"""The files of a Qwen2.5 tokenizer, written from its vocabulary and merges.

A Qwen2.5 vocabulary (report section 1.3) is 151,643 byte-level BPE entries followed by 22 added tokens, ids
151643 to 151664. Model files that were padded to the embedding rows (151,936) name further, unused entries;
they are no tokens and are left out here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from codekiln import formats
from codekiln.errors import UserError

#: Byte-level BPE entries before the added tokens.
BASE_VOCABULARY = 151_643

#: The added tokens in id order from 151643, and whether the release marks them `special`.
ADDED_TOKENS: tuple[tuple[str, bool], ...] = (
    (formats.END_OF_TEXT, True),
    (formats.IM_START, True),
    (formats.IM_END, True),
    ("<|object_ref_start|>", True),
    ("<|object_ref_end|>", True),
    ("<|box_start|>", True),
    ("<|box_end|>", True),
    ("<|quad_start|>", True),
    ("<|quad_end|>", True),
    ("<|vision_start|>", True),
    ("<|vision_end|>", True),
    ("<|vision_pad|>", True),
    ("<|image_pad|>", True),
    ("<|video_pad|>", True),
    ("<tool_call>", False),
    ("</tool_call>", False),
    (formats.FIM_PREFIX, False),
    (formats.FIM_MIDDLE, False),
    (formats.FIM_SUFFIX, False),
    (formats.FIM_PAD, False),
    (formats.REPO_NAME, False),
    (formats.FILE_SEP, False),
)

#: Tokens that the tokenizer knows: `len(AutoTokenizer)`.
TOKENIZER_SIZE = BASE_VOCABULARY + len(ADDED_TOKENS)

#: How text is cut before merging: contractions, words with one leading sign, single digits, punctuation, space.
SPLIT_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)

_BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}


def _added_tokens() -> list[dict[str, Any]]:
    return [
        {
            "id": BASE_VOCABULARY + offset,
            "content": content,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": special,
        }
        for offset, (content, special) in enumerate(ADDED_TOKENS)
    ]


def tokenizer_document(vocabulary: list[str], merges: list[str]) -> dict[str, Any]:
    """The content of `tokenizer.json`: NFC, Qwen2 split, byte-level BPE, 22 added tokens.

    `vocabulary` holds the byte-level spellings in id order (its first 151,643 entries are used), `merges` the
    pairs `"left right"` in rank order. Raises UserError when the vocabulary is too short or the entries behind
    it are not Qwen2.5's added tokens.
    """
    if len(vocabulary) < BASE_VOCABULARY:
        raise UserError(
            f"the vocabulary has {len(vocabulary)} entries, a Qwen2.5 one has {BASE_VOCABULARY} before its "
            "control tokens: this is another tokenizer"
        )
    for offset, (content, _) in enumerate(ADDED_TOKENS[: len(vocabulary) - BASE_VOCABULARY]):
        found = vocabulary[BASE_VOCABULARY + offset]
        if found != content:
            raise UserError(
                f"vocabulary entry {BASE_VOCABULARY + offset} is {found!r}, Qwen2.5 has {content!r} there: "
                "this is another tokenizer"
            )
    ids = {token: index for index, token in enumerate(vocabulary[:BASE_VOCABULARY])}
    if len(ids) != BASE_VOCABULARY:
        raise UserError("the vocabulary has the same entry twice: the tokenizer is damaged")
    split = {"type": "Split", "pattern": {"Regex": SPLIT_PATTERN}, "behavior": "Isolated", "invert": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": _added_tokens(),
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, _BYTE_LEVEL]},
        "post_processor": _BYTE_LEVEL,
        "decoder": _BYTE_LEVEL,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": ids,
            "merges": merges,
        },
    }


def tokenizer_config(*, eos: str, chat_template: str | None, max_length: int = 32_768) -> dict[str, Any]:
    """The content of `tokenizer_config.json`: no BOS, padding with end-of-text, EOS as given."""
    decoder = {
        str(token["id"]): {key: value for key, value in token.items() if key != "id"}
        for token in _added_tokens()
    }
    config: dict[str, Any] = {
        "add_bos_token": False,
        "add_prefix_space": False,
        "added_tokens_decoder": decoder,
        "additional_special_tokens": [content for content, special in ADDED_TOKENS[1:] if special],
        "bos_token": None,
        "clean_up_tokenization_spaces": False,
        "eos_token": eos,
        "errors": "replace",
        "model_max_length": max_length,
        "pad_token": formats.END_OF_TEXT,
        "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }
    if chat_template:
        config["chat_template"] = chat_template
    return config


def write_tokenizer(
    folder: Path, vocabulary: list[str], merges: list[str], *, eos: str, chat_template: str | None
) -> None:
    """Write `tokenizer.json`, `tokenizer_config.json`, `vocab.json` and `merges.txt` into `folder`."""
    document = tokenizer_document(vocabulary, merges)
    texts = {
        "tokenizer.json": json.dumps(document, ensure_ascii=False, indent=2),
        "tokenizer_config.json": json.dumps(
            tokenizer_config(eos=eos, chat_template=chat_template), ensure_ascii=False, indent=2
        ),
        "vocab.json": json.dumps(document["model"]["vocab"], ensure_ascii=False),
        "merges.txt": "#version: 0.2\n" + "".join(f"{merge}\n" for merge in merges),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
