"""Damaged files, full disks and forbidden folders through the real command: one clear line, and the run goes on."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pipeline_kit import codekiln, leftovers, powerless, results, run


@pytest.fixture(scope="module")
def built(recipe: Path, modules: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder that has come to the corpus."""
    folder = tmp_path_factory.mktemp("built") / "run"
    run(recipe, folder, "--source", modules)
    return folder


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("corpus/stage.json", lambda text: text[:40]),
        ("corpus/stage.json", lambda text: "{}\n"),
        ("corpus/stage.json", lambda text: ""),
        ("sources/files/manifest.json", lambda text: text.replace('"shards"', '"sharks"')),
        ("sources/files/manifest.json", lambda text: text[:-30] + " " * 30),
        ("sources/files/manifest.json", lambda text: text[:40]),
    ],
)
def test_a_damaged_record_is_made_again_or_told(
    recipe: Path, modules: Path, built: Path, tmp_path: Path, name: str, change: Callable[[str], str]
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(built, folder)
    path = folder / "stages" / name
    whole = path.read_text()
    path.write_text(change(whole))
    if path.name == "manifest.json":  # which only a stage that has to be made reads
        (folder / "stages/corpus/stage.json").unlink()
    done = codekiln(
        "run", recipe, "-o", folder, "--source", modules, "--workers", "1", "--until", "corpus", check=None
    )
    if done.returncode:
        line = done.stderr.strip().splitlines()[-1]
        assert line.startswith("codekiln: error: ")
        assert str(path) in line
        advice = re.search(r"delete (it|\S+) and run again", line)
        assert advice, line
        target = path if advice[1] == "it" else Path(advice[1])
        assert target.is_relative_to(folder / "stages")
        shutil.rmtree(target) if target.is_dir() else target.unlink()
        run(recipe, folder, "--source", modules)
    assert path.read_text() == whole or name.endswith("stage.json")
    hashes = [
        json.loads((place / "stages/corpus/stage.json").read_text())["output_hash"]
        for place in (folder, built)
    ]
    assert hashes[0] == hashes[1]


def damaged(checkpoint: Path, folder: Path, name: str, data: bytes | None) -> Path:
    """A copy of a checkpoint with one file changed or missing."""
    folder.mkdir()
    for path in checkpoint.iterdir():
        if path.name != name:
            (folder / path.name).symlink_to(path)
    if data is not None:
        (folder / name).write_bytes(data)
    return folder


def test_damaged_models_are_named(
    recipe: Path, modules: Path, built: Path, pico_checkpoint: Path, tmp_path: Path
) -> None:
    weights = (pico_checkpoint / "model.safetensors").read_bytes()
    config = (pico_checkpoint / "config.json").read_text()
    cases: list[tuple[str, bytes | None, str]] = [
        ("model.safetensors", weights[: len(weights) // 2], "model.safetensors: truncated"),
        ("model.safetensors", os.urandom(1000), "model.safetensors: not a safetensors file"),
        ("model.safetensors", b"", "model.safetensors: not a safetensors file"),
        ("tokenizer.json", None, "tokenizer.json: missing"),
        ("config.json", config[:50].encode(), "config.json: not valid JSON"),
        ("config.json", config.replace('"qwen2"', '"llama"').encode(), "config.json: model_type is 'llama'"),
        (
            "config.json",
            config.replace('"hidden_size": 128', '"hidden_size": 64').encode(),
            "config.json says",
        ),
    ]
    shutil.copytree(built, tmp_path / "run")
    for number, (name, data, words) in enumerate(cases):
        model = damaged(pico_checkpoint, tmp_path / f"model{number}", name, data)
        done = run(recipe, tmp_path / "run", "--source", modules, "-m", model, until="plan", check=2)
        assert words in done.stderr, done.stderr
        shutil.rmtree(model)


@pytest.mark.slow
def test_weights_that_are_not_numbers_end_the_run(
    recipe: Path, modules: Path, pico_checkpoint: Path, tmp_path: Path
) -> None:
    weights = bytearray((pico_checkpoint / "model.safetensors").read_bytes())
    weights[len(weights) // 4 : len(weights) // 4 + 2_000_000] = b"\xff" * 2_000_000
    model = damaged(pico_checkpoint, tmp_path / "model", "model.safetensors", bytes(weights))
    done = run(recipe, tmp_path / "run", "--source", modules, "-m", model, until="before", check=1)
    assert "not finite" in done.stderr


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[tuple[Path, Callable[[str], None]]]:
    """A file system of its own: (folder, resize). Root alone can mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", place], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.strip()}")

    def resize(size: str) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", place], check=True, capture_output=True)

    yield place, resize
    subprocess.run(["umount", "-l", place], check=True)


def test_a_full_disk_is_told_and_the_run_goes_on(
    recipe: Path, modules: Path, built: Path, small_disk: tuple[Path, Callable[[str], None]]
) -> None:
    place, resize = small_disk
    folder = place / "run"
    for size in ("16k", "40k", "70k"):
        resize(size)
        done = codekiln(
            "run",
            recipe,
            "-o",
            folder,
            "--source",
            modules,
            "--workers",
            "1",
            "--until",
            "corpus",
            check=None,
        )
        if done.returncode:
            assert done.returncode == 1
            line = done.stderr.strip().splitlines()[-1]
            assert re.fullmatch(
                r"codekiln: error: no space left on the disk while writing \S+; free some and run .*", line
            )
            assert str(place) in line
        if size == "16k":
            assert done.returncode == 1
    resize("8m")
    run(recipe, folder, "--source", modules)
    assert not leftovers(folder)
    hashes = [
        json.loads((one / "stages/corpus/stage.json").read_text())["output_hash"] for one in (folder, built)
    ]
    assert hashes[0] == hashes[1]


@pytest.mark.slow
def test_a_disk_that_fills_up_at_any_stage(
    recipe: Path, tmp_path: Path, small_disk: tuple[Path, Callable[[str], None]]
) -> None:
    place, resize = small_disk
    codekiln("run", recipe, "-o", tmp_path / "whole", "--threads", "1", "--workers", "1")
    failed = 0
    for size in ("64k", "200k", "300k", "400k", "8m", "60m", "80m", "110m", "300m"):
        resize(size)
        done = codekiln("run", recipe, "-o", place / "run", "--threads", "1", "--workers", "1", check=None)
        if done.returncode == 0:
            break
        failed += 1
        assert done.returncode == 1
        line = done.stderr.strip().splitlines()[-1]
        assert line.startswith("codekiln: error: ")
        assert str(place) in line
        assert "internal error" not in line
        assert "space" in line
    assert failed >= 3
    assert results(place / "run") == results(tmp_path / "whole")
    assert not leftovers(place / "run")


def test_a_limit_on_file_size_is_told(recipe: Path, modules: Path, tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    done = run(recipe, tmp_path / "run", "--source", modules, check=1, before=limit)
    assert "larger than a file may be here" in done.stderr
    run(recipe, tmp_path / "run", "--source", modules)
    assert not leftovers(tmp_path / "run")


def test_a_folder_that_may_not_be_written(recipe: Path, modules: Path, tmp_path: Path) -> None:
    shut = tmp_path / "shut"
    shut.mkdir(mode=0o500)
    done = run(recipe, shut / "run", "--source", modules, check=1, before=powerless)
    assert f"cannot write {shut / 'run'}: Permission denied" in done.stderr
