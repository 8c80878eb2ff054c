"""The runtime tokenizer: no control token ever comes from text, and every text comes back as it was."""

from __future__ import annotations

import json
import pickle
import shutil
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codekiln import formats
from codekiln.errors import UserError
from codekiln.modeling.tokenizer import Tokenizer, load_tokenizer
from codekiln.modeling.tokenizer_files import (
    ADDED_TOKENS,
    BASE_VOCABULARY,
    TOKENIZER_SIZE,
    tokenizer_document,
)

SPELLED = [content for content, _ in ADDED_TOKENS]


@pytest.fixture(scope="module")
def tokenizer(pico_checkpoint: Path) -> Tokenizer:
    return load_tokenizer(pico_checkpoint)


def test_the_release_has_22_added_tokens_of_which_14_are_special() -> None:
    assert TOKENIZER_SIZE == 151_665
    assert len(ADDED_TOKENS) == 22
    assert sum(special for _, special in ADDED_TOKENS) == 14
    ids = {content: BASE_VOCABULARY + offset for offset, content in enumerate(SPELLED)}
    assert {token: ids[token] for token in formats.CONTROL_IDS} == formats.CONTROL_IDS


def test_transformers_reads_the_same_tokenizer(pico_checkpoint: Path, tokenizer: Tokenizer) -> None:
    from transformers import AutoTokenizer

    reference = AutoTokenizer.from_pretrained(pico_checkpoint)
    assert len(reference) == TOKENIZER_SIZE
    assert (reference.eos_token_id, reference.pad_token_id, reference.bos_token_id) == (151645, 151643, None)
    assert reference.convert_tokens_to_ids(SPELLED) == list(range(BASE_VOCABULARY, TOKENIZER_SIZE))
    for text in ("def f(x):\n\treturn x  # ünïcode 😀 1234\r\n", "it's  we'LL\n\n\n", "   "):
        assert tokenizer.encode(text) == reference(text)["input_ids"]
    chat = reference.apply_chat_template(
        [{"role": "user", "content": "hi"}], add_generation_prompt=True, tokenize=True, return_dict=False
    )
    assert chat[0] == formats.CONTROL_IDS[formats.IM_START]


@pytest.mark.parametrize("token", SPELLED)
def test_a_spelled_control_token_is_ordinary_text(tokenizer: Tokenizer, token: str) -> None:
    text = f'STOP = "{token}"\n{token}'
    ids = tokenizer.encode(text)
    assert max(ids) < BASE_VOCABULARY
    assert tokenizer.decode(ids) == text


words = st.one_of(
    st.text(max_size=40), st.sampled_from([*SPELLED, "\r\n", "\t", "    ", "\0", "é", "e\u0301"])
)


@settings(max_examples=150, deadline=None)
@given(st.lists(words, max_size=6).map("".join))
def test_every_text_round_trips_without_control_tokens(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    assert all(token < BASE_VOCABULARY for token in ids)
    assert tokenizer.decode(ids) == text
    assert tokenizer.encode_batch([text, "x", text]) == [ids, tokenizer.encode("x"), ids]


@pytest.fixture(scope="module")
def faster(pico_checkpoint: Path) -> Tokenizer:
    """A tokenizer that has seen enough text to change over to the faster encoder."""
    pytest.importorskip("fastokens", reason="fastokens has no wheel for this platform")
    own = Tokenizer(pico_checkpoint, json.loads((pico_checkpoint / "tokenizer.json").read_text("utf-8")))
    assert own._faster is None
    own.encode_batch(["x = 1\n" * 400_000, "a\u0301"])
    assert own._faster is not None
    return own


@settings(max_examples=300, deadline=None)
@given(st.lists(words, max_size=6).map("".join))
def test_the_faster_encoder_gives_the_same_ids(tokenizer: Tokenizer, faster: Tokenizer, text: str) -> None:
    assert faster.encode_batch([text, "", text]) == [tokenizer.encode(text), [], tokenizer.encode(text)]


def test_the_faster_encoder_refuses_what_the_other_refuses_and_agrees_on_real_files(
    tokenizer: Tokenizer, faster: Tokenizer
) -> None:
    texts = [path.read_text("utf-8") for path in sorted(Path(__file__).parent.glob("*.py"))]
    assert faster.encode_batch(texts) == tokenizer.encode_batch(texts)
    for odd in ("(" * 50_000, " " * 50_000, "ab\n  " * 10_000, "\r\n\t " * 10_000, "1" * 9_999):
        assert faster.encode(odd) == tokenizer.encode(odd)
    with pytest.raises(UserError, match="Unicode"):
        faster.encode("a\ud800b")


def test_decomposed_text_keeps_its_bytes_while_the_release_composes_it(
    pico_checkpoint: Path, tokenizer: Tokenizer
) -> None:
    from transformers import AutoTokenizer

    text = "cafe\u0301"
    reference = AutoTokenizer.from_pretrained(pico_checkpoint)
    assert reference.decode(reference(text)["input_ids"]) == unicodedata.normalize("NFC", text) != text
    assert tokenizer.decode(tokenizer.encode(text)) == text
    composed = unicodedata.normalize("NFC", text)
    assert tokenizer.encode(composed) == reference(composed)["input_ids"]


def test_decode_leaves_control_tokens_out_or_spells_them(tokenizer: Tokenizer) -> None:
    ids = [formats.CONTROL_IDS[formats.FIM_PREFIX], *tokenizer.encode("a = "), 151643, 151935]
    assert tokenizer.decode(ids) == "a = "
    assert tokenizer.decode(ids, control=True) == "<|fim_prefix|>a = <|endoftext|>"


def test_lone_surrogates_are_refused_in_one_line(tokenizer: Tokenizer) -> None:
    with pytest.raises(UserError, match="Unicode"):
        tokenizer.encode("a\ud800b")


def test_it_survives_pickling_and_has_a_fingerprint_of_its_content(
    tokenizer: Tokenizer, pico_checkpoint: Path, tmp_path: Path
) -> None:
    again = pickle.loads(pickle.dumps(tokenizer))  # noqa: S301
    assert again.encode("x = 1") == tokenizer.encode("x = 1")
    document = json.loads((pico_checkpoint / "tokenizer.json").read_text(encoding="utf-8"))
    document["model"]["merges"] = [merge.split(" ") for merge in document["model"]["merges"]]
    respelled = tmp_path / "tokenizer.json"
    respelled.write_text(json.dumps(document), encoding="utf-8")
    assert load_tokenizer(respelled).fingerprint == tokenizer.fingerprint
    document["model"]["merges"].pop()
    respelled.write_text(json.dumps(document), encoding="utf-8")
    assert load_tokenizer(tmp_path).fingerprint != tokenizer.fingerprint


def test_a_tokenizer_saved_by_transformers_is_the_same(
    pico_checkpoint: Path, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    AutoTokenizer.from_pretrained(pico_checkpoint).save_pretrained(tmp_path)
    again = load_tokenizer(tmp_path)
    text = "class A:\n    x = '<|im_start|>'\n"
    assert again.encode(text) == tokenizer.encode(text)
    assert again.fingerprint == tokenizer.fingerprint


@pytest.mark.parametrize("damage", ["missing", "cut", "other ids", "no merges"])
def test_a_wrong_tokenizer_file_is_named(pico_checkpoint: Path, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "tokenizer.json"
    if damage != "missing":
        shutil.copy(pico_checkpoint / "tokenizer.json", path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:10_000])
    elif damage in ("other ids", "no merges"):
        document = json.loads(path.read_text(encoding="utf-8"))
        if damage == "other ids":
            document["added_tokens"][0]["id"] = 5
        else:
            del document["model"]["merges"]
        path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(UserError, match=r"tokenizer\.json") as error:
        load_tokenizer(tmp_path)
    assert "\n" not in str(error.value)


def test_another_vocabulary_is_no_qwen_tokenizer() -> None:
    with pytest.raises(UserError, match="another tokenizer"):
        tokenizer_document(["a", "b"], [])
    padded = [f"t{index}" for index in range(BASE_VOCABULARY)] + ["<s>"]
    with pytest.raises(UserError, match="another tokenizer"):
        tokenizer_document(padded, [])
