"""Checkpoints out to GGUF and in again, and what llama.cpp makes of them."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from codekiln import formats
from codekiln.errors import RunError, UserError
from codekiln.modeling.checkpoint_folder import check_checkpoint, expected_shapes, open_tensors
from codekiln.modeling.gguf_export import write_gguf
from codekiln.modeling.gguf_file import read_gguf
from codekiln.modeling.gguf_import import import_gguf
from codekiln.modeling.gguf_names import gguf_name
from codekiln.modeling.hf_check import hf_greedy
from codekiln.modeling.llama_check import Completion, compare, llama_greedy
from codekiln.modeling.safetensors_file import from_bf16, read_rows, to_bf16, write_bf16
from codekiln.modeling.tokenizer import load_tokenizer


def load(folder: Path) -> dict[str, np.ndarray]:
    return {
        name: np.concatenate(list(read_rows(path, entry, 1 << 20)))
        for name, (path, entry) in open_tensors(folder).items()
    }


def replace_rows(folder: Path, name: str, change) -> None:  # type: ignore[no-untyped-def]
    """Rewrite one tensor of a copied checkpoint."""
    tensors = load(folder)
    tensors[name] = change(tensors[name])
    shapes = {key: value.shape for key, value in tensors.items()}
    write_bf16(folder / "model.safetensors", shapes, ([value] for value in tensors.values()))


@pytest.fixture(scope="module")
def exported(pico_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("gguf")
    return {kind: write_gguf(pico_checkpoint, folder / f"{kind}.gguf", kind) for kind in ("f16", "q8_0")}


@pytest.fixture(scope="module")
def imported(exported: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {}
    for kind, path in exported.items():
        folders[kind] = tmp_path_factory.mktemp(kind)
        import_gguf(path, folders[kind])
    return folders


@pytest.fixture(scope="module")
def metadata(exported: dict[str, Path]) -> dict[str, tuple]:
    """Key -> (value, types), as the gguf library reads the exported file."""
    from gguf import GGUFReader

    return {key: (field.contents(), field.types) for key, field in GGUFReader(exported["f16"]).fields.items()}


@pytest.fixture(scope="module")
def prompts(pico_checkpoint: Path) -> list[list[int]]:
    encode = load_tokenizer(pico_checkpoint).encode
    hole = formats.flatten(formats.fim_prompt(encode, "def add(a, b):\n    return ", "\n\nadd(1, 2)\n"))[0]
    return [encode("def parse(text):\n    "), hole, encode("import os\n")]


def test_bf16_rounds_as_torch_does() -> None:
    import torch

    values = np.random.default_rng(0).standard_normal(20_000).astype(np.float32) * 1e3
    values[:4] = [np.inf, -np.inf, 0.0, np.nan]
    ours = from_bf16(to_bf16(values))
    theirs = torch.from_numpy(values).to(torch.bfloat16).float().numpy()
    np.testing.assert_array_equal(ours, theirs)


def test_out_to_f16_and_in_again_gives_the_same_weights_and_tokenizer(
    pico_checkpoint: Path, imported: dict[str, Path]
) -> None:
    again = imported["f16"]
    config, original = (json.loads((f / "config.json").read_text("utf-8")) for f in (again, pico_checkpoint))
    assert config == original
    before, after = load(pico_checkpoint), load(again)
    assert before.keys() == after.keys()
    for name, values in before.items():
        # bf16 has fewer digits than f16, so only values below f16's normal range may move
        np.testing.assert_allclose(after[name], values, rtol=0, atol=2**-24, err_msg=name)
    assert load_tokenizer(again).fingerprint == load_tokenizer(pico_checkpoint).fingerprint
    settings = json.loads((again / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert settings["eos_token"] == formats.IM_END
    assert "<|im_start|>" in settings["chat_template"]


def test_transformers_loads_an_imported_file_without_a_missing_or_unexpected_key(
    imported: dict[str, Path],
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model, report = AutoModelForCausalLM.from_pretrained(imported["q8_0"], output_loading_info=True)
    assert not any(report.values()), report
    assert model.dtype == torch.bfloat16
    assert model.lm_head.weight is model.model.embed_tokens.weight


def test_llama_cpp_continues_f16_as_transformers_does(
    pico_checkpoint: Path, exported: dict[str, Path], prompts: list[list[int]]
) -> None:
    reference = hf_greedy(pico_checkpoint, prompts, 12)
    agreement = compare(reference, llama_greedy(exported["f16"], prompts, 12))
    assert agreement.same == agreement.prompts == len(prompts)
    assert agreement.max_logprob_difference < 0.05
    assert agreement.narrowest is None


def test_llama_cpp_continues_q8_0_as_the_same_weights_do(
    exported: dict[str, Path], imported: dict[str, Path], prompts: list[list[int]]
) -> None:
    reference = hf_greedy(imported["q8_0"], prompts, 8)
    agreement = compare(reference, llama_greedy(exported["q8_0"], prompts, 8))
    assert agreement.narrowest is None or agreement.narrowest < 0.1  # only a near tie may fall otherwise
    assert agreement.tokens >= 8 * len(prompts) * 3 // 4
    assert agreement.mean_logprob_difference < 0.1


def test_llama_cpp_stops_where_a_fim_middle_ends(
    pico_checkpoint: Path, prompts: list[list[int]], tmp_path: Path
) -> None:
    folder = tmp_path / "ending"
    shutil.copytree(pico_checkpoint, folder)
    hole = prompts[1]
    favourite = hf_greedy(folder, [hole], 1)[0].ids[0]

    def prefer_the_end(rows: np.ndarray) -> np.ndarray:
        rows[formats.CONTROL_IDS[formats.END_OF_TEXT]] = 1.5 * rows[favourite]
        return rows

    replace_rows(folder, "model.embed_tokens.weight", prefer_the_end)
    reference = hf_greedy(folder, [hole], 4)
    assert [(one.ids, one.stopped) for one in reference] == [([], True)]
    ended = llama_greedy(write_gguf(folder, tmp_path / "end.gguf", "f16"), [hole], 4)
    assert ended == [Completion([], [], [], True)]
    assert compare(reference, ended).same == 1


@pytest.mark.slow
def test_our_reader_finds_what_the_library_finds(
    exported: dict[str, Path], metadata: dict[str, tuple]
) -> None:
    ours = read_gguf(exported["f16"]).metadata
    assert ours == {key: value for key, (value, _) in metadata.items() if not key.startswith("GGUF.")}


def test_the_metadata_names_every_end_and_every_fim_token(exported: dict[str, Path]) -> None:
    metadata = read_gguf(exported["f16"]).metadata
    found = {
        key: metadata[f"tokenizer.ggml.{key}_token_id"]
        for key in (
            "eos",
            "eot",
            "bos",
            "padding",
            *(f"fim_{k}" for k in ("pre", "suf", "mid", "pad", "rep", "sep")),
        )
    }
    assert found == {
        "eos": 151645,
        "eot": 151643,
        "bos": 151643,
        "padding": 151643,
        "fim_pre": 151659,
        "fim_suf": 151661,
        "fim_mid": 151660,
        "fim_pad": 151662,
        "fim_rep": 151663,
        "fim_sep": 151664,
    }
    tokens = metadata["tokenizer.ggml.tokens"]
    types = metadata["tokenizer.ggml.token_type"]
    assert len(tokens) == len(types) == 151_936
    assert (tokens[151659], types[151659]) == ("<|fim_prefix|>", 3)
    assert (tokens[151657], types[151657]) == ("<tool_call>", 4)
    assert (tokens[151935], types[151935]) == ("[PAD151935]", 5)


def test_the_same_folder_gives_the_same_bytes_and_leaves_nothing_beside(
    pico_checkpoint: Path, exported: dict[str, Path], tmp_path: Path
) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(pico_checkpoint, copy)
    again = write_gguf(copy, tmp_path / "out" / "x.gguf", "q8_0")
    assert again.read_bytes() == exported["q8_0"].read_bytes()
    assert [path.name for path in again.parent.iterdir()] == ["x.gguf"]


@pytest.mark.slow
def test_a_head_stored_at_another_precision_is_tied_again_from_the_better_copy(
    pico_checkpoint: Path, metadata: dict[str, tuple], tmp_path: Path
) -> None:
    """As in the released Q4_K_M files: the embedding twice, once coarse and once fine."""
    from gguf import GGMLQuantizationType, GGUFValueType, GGUFWriter
    from gguf.quants import quantize

    path = tmp_path / "twice.gguf"
    writer = GGUFWriter(path, "qwen2")
    for key, (value, types) in metadata.items():
        if not key.startswith("GGUF.") and key != "general.architecture":
            writer.add_key_value(key, value, types[0], types[1] if types[0] == GGUFValueType.ARRAY else None)
    tensors = load(pico_checkpoint)
    rows = tensors.pop("model.embed_tokens.weight")
    for name, kind in (("output.weight", "Q8_0"), ("token_embd.weight", "Q5_0")):
        stored = GGMLQuantizationType[kind]
        writer.add_tensor(name, quantize(rows, stored), raw_dtype=stored)
    for name, values in tensors.items():
        writer.add_tensor(gguf_name(name), values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    folder = tmp_path / "imported"
    folder.mkdir()
    assert import_gguf(path, folder)["tie_word_embeddings"] is True
    tensors = load(folder)
    assert "lm_head.weight" not in tensors
    difference = np.abs(tensors["model.embed_tokens.weight"] - rows).max()
    assert difference < 0.01 * np.abs(rows).max()


@pytest.mark.slow
def test_an_untied_head_stays_untied(
    pico_checkpoint: Path, exported: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "untied"
    shutil.copytree(pico_checkpoint, folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(
        json.dumps({**config, "tie_word_embeddings": False}), encoding="utf-8"
    )
    tensors = load(folder)
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"][::-1]
    shapes = {name: values.shape for name, values in tensors.items()}
    write_bf16(folder / "model.safetensors", shapes, ([values] for values in tensors.values()))
    again = tmp_path / "again"
    again.mkdir()
    assert import_gguf(write_gguf(folder, tmp_path / "u.gguf", "f16"), again)["tie_word_embeddings"] is False
    np.testing.assert_allclose(load(again)["lm_head.weight"], tensors["lm_head.weight"], atol=2**-24)


def test_a_checkpoint_saved_by_transformers_5_exports_the_same(
    pico_checkpoint: Path, exported: dict[str, Path], tmp_path: Path
) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    AutoModelForCausalLM.from_pretrained(pico_checkpoint).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(pico_checkpoint).save_pretrained(tmp_path)
    assert "rope_theta" not in json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert write_gguf(tmp_path, tmp_path / "x.gguf", "f16").read_bytes() == exported["f16"].read_bytes()


@pytest.mark.parametrize("keep", [0, 3, 40, 5_000, 3_000_000, -1])
def test_a_truncated_gguf_is_one_line(exported: dict[str, Path], tmp_path: Path, keep: int) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(exported["q8_0"].read_bytes()[:keep])
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match=r"cut\.gguf") as error:
        import_gguf(path, tmp_path / "out")
    assert "\n" not in str(error.value)


def test_a_wrong_file_or_architecture_is_one_line(tmp_path: Path) -> None:
    from gguf import GGUFWriter

    text = tmp_path / "notes.gguf"
    text.write_text("this is no model\n" * 100, encoding="utf-8")
    with pytest.raises(UserError, match="not a GGUF file"):
        import_gguf(text, tmp_path)
    other = tmp_path / "llama.gguf"
    writer = GGUFWriter(other, "llama")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(UserError, match="architecture is 'llama'"):
        import_gguf(other, tmp_path)


def test_llama_cpp_refuses_a_truncated_file_without_taking_the_run_with_it(
    exported: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(exported["q8_0"].read_bytes()[:-1_000])
    with pytest.raises(RunError, match=r"cut\.gguf") as error:
        llama_greedy(path, [[1, 2, 3]], 2)
    assert "\n" not in str(error.value)


def test_export_refuses_what_llama_cpp_would_read_otherwise(pico_checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    shutil.copytree(pico_checkpoint, folder)
    text = (folder / "tokenizer.json").read_text(encoding="utf-8")
    (folder / "tokenizer.json").write_text(text.replace("\\\\p{N}|", "\\\\p{N}{1,3}|"), encoding="utf-8")
    with pytest.raises(UserError, match="other rules"):
        write_gguf(folder, tmp_path / "x.gguf", "f16")
    assert not list(tmp_path.glob("*.gguf*"))
    assert not list(tmp_path.glob(".*"))


def test_a_weight_beyond_half_precision_is_named(pico_checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "large"
    shutil.copytree(pico_checkpoint, folder)
    replace_rows(folder, "model.layers.1.mlp.up_proj.weight", lambda rows: rows * np.float32(1e9))
    with pytest.raises(RunError, match=r"layers\.1\.mlp\.up_proj"):
        write_gguf(folder, tmp_path / "x.gguf", "f16")


@pytest.mark.parametrize("damage", ["cut", "header", "config", "shape", "missing tensor", "model type"])
def test_a_damaged_local_checkpoint_is_one_line(pico_checkpoint: Path, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(pico_checkpoint, folder)
    weights, settings = folder / "model.safetensors", folder / "config.json"
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-1])
    elif damage == "header":
        weights.write_bytes(b"\xff" * 100)
    elif damage == "config":
        settings.write_text('{"model_type": ', encoding="utf-8")
    elif damage == "missing tensor":
        shapes = expected_shapes(check_checkpoint(folder))
        shapes.popitem()
        write_bf16(weights, shapes, ([np.zeros(shape, np.float32)] for shape in shapes.values()))
    else:
        config = json.loads(settings.read_text(encoding="utf-8"))
        config.update({"intermediate_size": 512} if damage == "shape" else {"model_type": "llama"})
        settings.write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(UserError, match=str(folder)) as error:
        check_checkpoint(folder)
    assert "\n" not in str(error.value)


def test_compare_measures_up_to_the_first_difference() -> None:
    first = Completion(
        [1, 2, 3], [-0.1, -0.2, -0.3], [{1: -0.1, 9: -3.0}, {2: -0.2, 3: -0.7}, {3: -0.3}], False
    )
    second = Completion([1, 3], [-0.2, -0.4], [{1: -0.2, 9: -3.0}, {3: -0.4, 2: -0.5}], True)
    agreement = compare([first, first], [first, second])
    assert (agreement.prompts, agreement.same, agreement.tokens) == (2, 1, 4)
    assert agreement.max_logprob_difference == pytest.approx(0.3)
    assert agreement.narrowest == pytest.approx(0.5)


def test_compare_takes_an_end_for_a_choice() -> None:
    ended = Completion([1], [-0.1], [{1: -0.1, 9: -3.0}, {151643: -0.1, 5: -2.1}], True)
    endless = Completion([1, 5], [-0.1, -0.4], [{1: -0.1}, {5: -0.4}], False)
    cut = Completion([1], [-0.1], [{1: -0.1}], True)
    nothing = Completion([], [], [], True)
    assert compare([ended], [cut]).same == 1
    assert compare([ended], [endless]).narrowest == pytest.approx(2.0)
    going_on = Completion([1, 5], [-0.1, -0.4], [{1: -0.1}, {5: -0.4, 151643: -1.2}], False)
    assert compare([going_on], [cut]).narrowest == pytest.approx(0.8)
    assert compare([nothing], [endless]).narrowest == math.inf
    kept_back = Completion([1], [-0.1], [{1: -0.1}], False)
    assert compare([going_on], [kept_back]).narrowest is None
