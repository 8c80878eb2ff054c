"""Names, paths and places: what `resolve` finds without a network, and what it says when it finds nothing."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from codekiln.downloads import cachefolder
from codekiln.errors import CodekilnError, RunError, UserError
from codekiln.modeling import cache
from codekiln.modeling.catalogue import CATALOGUE, find
from codekiln.modeling.checkpoint_folder import checkpoint_hash, parameter_count
from codekiln.modeling.fetch import fetch, resolve
from codekiln.modeling.gguf_export import write_gguf
from codekiln.modeling.verify import require_sound, verify

NAME = "qwen2.5-coder-0.5b-instruct"

#: hidden, layers, heads, key-value heads, intermediate, rows, tied (report section 1.1, released configurations)
SHAPES = {
    "0.5b": (896, 24, 14, 2, 4864, 151_936, True),
    "1.5b": (1536, 28, 12, 2, 8960, 151_936, True),
    "3b": (2048, 36, 16, 2, 11_008, 151_936, True),
    "7b": (3584, 28, 28, 4, 18_944, 152_064, False),
    "14b": (5120, 48, 40, 8, 13_824, 152_064, False),
    "32b": (5120, 64, 40, 8, 27_648, 152_064, False),
}


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty caches, and no network."""
    monkeypatch.setenv("CODEKILN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CODEKILN_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path


def put_into_cache(source: Path) -> Path:
    folder = cache.model_folder(NAME)

    def fill(target: Path) -> None:
        shutil.copytree(source, target, dirs_exist_ok=True)

    with cachefolder.locked(NAME):
        cache.prepare(folder, {"name": NAME, "source": "mirror", "revision": None}, fill)
    return folder


def put_into_hub_cache(source: Path, hub: Path) -> Path:
    """The layout of the Hugging Face cache: blobs by hash, a snapshot of links."""
    entry = CATALOGUE[NAME]
    repository = hub / f"models--{entry.hub_id.replace('/', '--')}"
    snapshot = repository / "snapshots" / entry.revision
    snapshot.mkdir(parents=True)
    (repository / "blobs").mkdir()
    for path in source.iterdir():
        content = path.read_bytes()
        if path.suffix == ".safetensors":
            digest = hashlib.sha256(content).hexdigest()
        else:
            digest = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
        shutil.copy(path, repository / "blobs" / digest)
        (snapshot / path.name).symlink_to(Path("../../blobs") / digest)
    return snapshot


def test_the_family_is_whole_and_pinned() -> None:
    assert list(CATALOGUE) == [
        f"qwen2.5-coder-{size}{suffix}" for size in SHAPES for suffix in ("", "-instruct")
    ]
    for entry in CATALOGUE.values():
        assert re.fullmatch(r"[0-9a-f]{40}", entry.revision)
        assert entry.license == ("Qwen-Research" if "-3b" in entry.name else "Apache-2.0")
    assert len({entry.revision for entry in CATALOGUE.values()}) == len(CATALOGUE)


@pytest.mark.parametrize("size", SHAPES)
def test_parameter_counts_follow_from_the_shapes(size: str) -> None:
    hidden, layers, heads, kv_heads, inner, rows, tied = SHAPES[size]
    config = {
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "intermediate_size": inner,
        "vocab_size": rows,
        "tie_word_embeddings": tied,
    }
    for entry in (CATALOGUE[f"qwen2.5-coder-{size}"], CATALOGUE[f"qwen2.5-coder-{size}-instruct"]):
        assert entry.parameters == parameter_count(config)
        assert entry.non_embedding_parameters == entry.parameters - hidden * rows * (1 if tied else 2)
    assert CATALOGUE[NAME].parameters == 494_032_768


def test_the_mirror_adds_up() -> None:
    mirror = CATALOGUE[NAME].mirror
    assert mirror is not None
    assert mirror.size == 491_400_064
    assert len(mirror.packages) == len(mirror.sizes) == 6


def test_names_are_found_in_any_spelling_and_near_ones_are_listed() -> None:
    assert find("Qwen/Qwen2.5-Coder-0.5B-Instruct").name == find(f" {NAME.upper()} ").name == NAME
    with pytest.raises(UserError, match=r"qwen2\.5-coder-7b-instruct"):
        resolve("qwen-coder-7b-instruct")


def test_offline_with_nothing_cached_names_the_three_ways_in_one_line() -> None:
    with pytest.raises(RunError) as error:
        resolve(NAME)
    text = str(error.value)
    assert "\n" not in text
    assert "CODEKILN_OFFLINE" in text
    for way in ("local path", "Hugging Face hub", "package index"):
        assert way in text


def test_a_local_folder_comes_first(pico_checkpoint: Path) -> None:
    found = resolve(str(pico_checkpoint))
    assert (found.source, found.path, found.revision) == ("local", pico_checkpoint, None)
    weights = hashlib.sha256((pico_checkpoint / "model.safetensors").read_bytes()).hexdigest()
    assert found.sha256 == checkpoint_hash(pico_checkpoint) == weights


def test_a_local_gguf_is_converted_once(pico_checkpoint: Path, own_places: Path) -> None:
    path = write_gguf(pico_checkpoint, own_places / "mine.gguf", "q8_0")
    first = resolve(str(path))
    assert (first.name, first.source) == ("mine", "local")
    changed = (first.path / "model.safetensors").stat().st_mtime_ns
    again = resolve(str(path))
    assert again == first
    assert (again.path / "model.safetensors").stat().st_mtime_ns == changed
    assert verify(str(path)).files == 7


@pytest.mark.parametrize(
    "given", ["empty", "notes.txt", "absent.gguf", "./absent", "~nosuchuser/absent", "cut.gguf"]
)
def test_a_wrong_local_path_is_the_users_mistake_in_one_line(
    own_places: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.chdir(own_places)
    (own_places / "empty").mkdir()
    (own_places / "notes.txt").write_text("hello", encoding="utf-8")
    (own_places / "cut.gguf").write_bytes(b"GGUF\3\0\0\0")
    with pytest.raises(UserError, match=given.removeprefix("./")) as error:
        resolve(given)
    assert "\n" not in str(error.value)
    folder = own_places / "cache" / "models" / "v1"
    assert not folder.exists() or not list(folder.iterdir())


def test_a_prepared_checkpoint_is_found_and_verified(pico_checkpoint: Path) -> None:
    folder = put_into_cache(pico_checkpoint)
    found = resolve(NAME, allow_fetch=False)
    assert (found.source, found.path, found.license) == ("cache", folder, "Apache-2.0")
    result = verify(NAME)
    assert (result.files, result.damaged) == (6, [])


def test_a_truncated_cached_file_is_found_at_once(pico_checkpoint: Path) -> None:
    weights = put_into_cache(pico_checkpoint) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(RunError, match=r"model\.safetensors.*--force") as error:
        resolve(NAME)
    assert "\n" not in str(error.value)


def test_a_changed_byte_is_found_by_verify_and_mended_by_force(pico_checkpoint: Path) -> None:
    folder = put_into_cache(pico_checkpoint)
    with (folder / "model.safetensors").open("r+b") as stream:
        stream.seek(-10, 2)
        stream.write(b"\x42")
    result = verify(NAME)
    assert result.damaged == ["model.safetensors"]
    with pytest.raises(RunError, match="--force"):
        require_sound(result)
    with pytest.raises(RunError, match="not on this machine"):
        fetch(NAME, force=True)  # offline: the damaged copy is gone, and nothing can replace it
    assert not folder.exists()


def test_the_hugging_face_cache_is_used_and_its_hashes_checked(
    pico_checkpoint: Path, own_places: Path
) -> None:
    snapshot = put_into_hub_cache(pico_checkpoint, own_places / "hub")
    found = resolve(NAME)
    assert (found.source, found.path, found.revision) == ("hub", snapshot, CATALOGUE[NAME].revision)
    assert verify(NAME).damaged == []
    settings = (snapshot / "config.json").resolve()
    settings.write_text(settings.read_text(encoding="utf-8") + " ", encoding="utf-8")
    assert verify(NAME).damaged == ["config.json"]


def test_a_damaged_hugging_face_snapshot_is_told_and_not_used(
    pico_checkpoint: Path, own_places: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    snapshot = put_into_hub_cache(pico_checkpoint, own_places / "hub")
    weights = (snapshot / "model.safetensors").resolve()
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(RunError, match="not on this machine"):
        resolve(NAME)
    assert "truncated" in capsys.readouterr().err


def test_a_failed_preparation_leaves_no_folder(own_places: Path) -> None:
    folder = cache.model_folder("broken")

    def fail(target: Path) -> None:
        (target / "half").write_bytes(b"x")
        raise UserError("no")

    with cachefolder.locked("broken"), pytest.raises(UserError):
        cache.prepare(folder, {}, fail)
    assert list(folder.parent.iterdir()) == []


def test_two_processes_prepare_one_after_the_other(own_places: Path) -> None:
    program = (
        "import sys, time\n"
        "from codekiln.downloads import cachefolder\n"
        "with cachefolder.locked('x'):\n"
        "    print(time.monotonic(), flush=True); time.sleep(0.4); print(time.monotonic(), flush=True)\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=60) for process in running]
    spans = sorted(tuple(map(float, out.split())) for out, _ in outputs)
    assert spans[0][1] <= spans[1][0]
    assert any(b"waiting" in err for _, err in outputs)


def run_command(*arguments: str):  # type: ignore[no-untyped-def]
    from click.testing import CliRunner

    from codekiln.cli.models import models

    return CliRunner().invoke(models, list(arguments))


def test_list_prints_the_catalogue_as_one_document(pico_checkpoint: Path) -> None:
    folder = put_into_cache(pico_checkpoint)
    rows = {row["name"]: row for row in json.loads(run_command("list", "--json").stdout)["models"]}
    assert list(rows) == list(CATALOGUE)
    assert (rows[NAME]["here"], rows[NAME]["path"]) == ("cache", str(folder))
    assert rows[NAME]["sources"] == ["hub", "mirror"]
    assert rows["qwen2.5-coder-7b"]["here"] is None
    (folder / "config.json").write_text("{}", encoding="utf-8")
    rows = {row["name"]: row for row in json.loads(run_command("list", "--json").stdout)["models"]}
    assert rows[NAME]["here"] == "damaged"
    assert "config.json" in rows[NAME]["problem"]
    assert "qwen2.5-coder-32b-instruct" in run_command("list").stdout


def test_path_and_verify_speak_json_or_text(pico_checkpoint: Path) -> None:
    folder = put_into_cache(pico_checkpoint)
    assert run_command("path", NAME).stdout == f"{folder}\n"
    assert json.loads(run_command("path", NAME, "--json").stdout)["path"] == str(folder)
    assert json.loads(run_command("verify", NAME, "--json").stdout)["ok"] is True
    assert json.loads(run_command("fetch", NAME, "--json").stdout)["source"] == "cache"
    missing = run_command("path", "qwen2.5-coder-7b")
    assert isinstance(missing.exception, CodekilnError)
