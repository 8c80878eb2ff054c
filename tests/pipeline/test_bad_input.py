"""Bad input through the real command: one clear line and the right exit code, or handled and told."""

from __future__ import annotations

import ctypes
import io
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pipeline_kit import codekiln, git, kill_group, leftovers, results, start

CONTROL = (
    "<|endoftext|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|im_start|>",
    "<|file_sep|>",
)
CRLF = b'def crlf(value):\r\n    return value + 1\r\n\r\n\r\nclass Lines:\r\n    end = "so"\r\n\r\n    def f(self):\r\n        return self.end * 3\r\n'


def module(number: int) -> str:
    """Python that no rule drops and that is no near copy of another module."""
    names = [
        f"{word}_{number * 7 + at}"
        for at, word in enumerate(("read", "parse", "write", "merge", "close", "count"))
    ]
    return "".join(
        f"def {name}(value, other={at}):\n    total = value * {number + at} + other\n    return total - len('{name}')\n\n\n"
        for at, name in enumerate(names)
    )


def write_modules(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"m{number}.py").write_text(module(number))
    return folder


def run(
    recipe: Path, folder: Path, *arguments: str | Path, until: str = "corpus", check: int = 0, **options: Any
) -> subprocess.CompletedProcess[str]:
    """`codekiln run` up to a stage; a run that ends badly has to say why in one last line, and nothing on stdout."""
    stop = ("--until", until) if until else ()
    done = codekiln(
        "run",
        recipe,
        "-o",
        folder,
        "--workers",
        "1",
        "--threads",
        "1",
        *stop,
        *arguments,
        check=check,
        **options,
    )
    if check:
        said = done.stderr.strip().splitlines()
        assert said[-1].startswith("codekiln: error: "), done.stderr
        assert sum("error:" in line for line in said) == 1
        assert "internal error" not in done.stderr
        assert done.stdout == ""
    return done


def files(folder: Path) -> dict[str, dict[str, Any]]:
    """Rows of `files` by path, without the licence columns' worth of detail."""
    from codekiln.shards import Dataset

    return {row["path"]: row for row in Dataset.open(folder / "stages/sources/files").rows()}


def skipped(folder: Path) -> dict[str, str]:
    from codekiln.shards import Dataset

    return {row["path"]: row["reason"] for row in Dataset.open(folder / "stages/sources/skipped").rows()}


def powerless() -> None:
    """Take from root what reads files whatever their mode, so that modes count for the tests as for a user."""
    if os.getuid() == 0:
        drop, override, search = 24, 1, 2  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in (override, search):
            if libc.prctl(drop, capability, 0, 0, 0):
                raise OSError(ctypes.get_errno(), "prctl")


@pytest.fixture(scope="module")
def odd(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder of good and odd files, and a run over it: (source, run folder)."""
    place = tmp_path_factory.mktemp("odd")
    source = write_modules(place / "source", 6)
    with open(source / "huge.py", "wb") as stream:
        stream.truncate(2 * 1024**3)
    (source / "latin.py").write_bytes(b"caf\xe9 = 1\n" * 20)
    (source / "noise.py").write_bytes(bytes(range(128, 256)) * 20)
    (source / "nul.py").write_bytes(b"a = 1\n\x00\n")
    (source / "crlf.py").write_bytes(CRLF)
    names = ", ".join(repr(token) for token in CONTROL)
    (source / "tokens.py").write_text(
        f"TOKENS = [{names}]\n\n\ndef known(text):\n    return text in TOKENS\n" + module(77)
    )
    for name in (b"new\nline.py", b"not-utf8-\xff.py", "rocket \N{ROCKET}.py".encode()):
        (Path(os.fsdecode(os.fsencode(source) + b"/" + name))).write_text(module(len(name) * 100))
    (source / "shut").mkdir()
    (source / "shut/inside.py").write_text(module(50))
    (source / "closed.py").write_text(module(51))
    (source / "link.py").symlink_to("/etc/hostname")
    os.mkfifo(source / "pipe.py")
    (source / "shut").chmod(0)
    (source / "closed.py").chmod(0)
    begun = time.monotonic()
    run(recipe, place / "run", "--source", source, before=powerless, timeout=120)
    assert time.monotonic() - begun < 60
    (source / "shut").chmod(0o700)
    return source, place / "run"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("huge.py", "too large"),
        ("noise.py", "unknown encoding"),
        ("nul.py", "binary"),
        ("new\\x0aline.py", "path is not printable UTF-8"),
        ("not-utf8-\\xff.py", "path is not printable UTF-8"),
        ("shut/", "unreadable (Permission denied)"),
        ("closed.py", "unreadable (Permission denied)"),
        ("link.py", "symlink"),
        ("pipe.py", "not a regular file"),
    ],
)
def test_what_cannot_be_used_is_skipped_with_its_reason(
    odd: tuple[Path, Path], path: str, reason: str
) -> None:
    assert skipped(odd[1])[path] == reason
    assert path not in files(odd[1])


def test_odd_but_good_files_are_kept_byte_for_byte(odd: tuple[Path, Path]) -> None:
    source, folder = odd
    kept = files(folder)
    good = {
        "crlf.py",
        "latin.py",
        "tokens.py",
        "rocket \N{ROCKET}.py",
        *(f"m{number}.py" for number in range(6)),
    }
    assert set(kept) == good
    for path, row in kept.items():
        encoding = "cp1252" if path == "latin.py" else "utf-8"
        assert row["content"].encode(encoding) == (source / path).read_bytes()
    explained = json.loads(codekiln("corpus", "explain", folder, "huge.py", "--json").stdout)
    assert (explained["status"], explained["reason"]) == ("skipped", "too large")


def test_control_tokens_in_a_file_stay_text(
    odd: tuple[Path, Path], recipe: Path, pico_checkpoint: Path, tmp_path: Path
) -> None:
    from codekiln.formats import CONTROL_IDS, Kind
    from codekiln.modeling.tokenizer import load_tokenizer
    from codekiln.shards import Dataset

    corpus = odd[1] / "stages/corpus"
    if not any(row["path"] == "tokens.py" for row in Dataset.open(corpus / "train").rows(["path"])):
        pytest.fail("tokens.py was drawn for the held-out files: choose another name for it")
    codekiln(
        "dataset",
        "build",
        corpus,
        "-m",
        pico_checkpoint,
        "--tokens",
        "6000",
        "-o",
        tmp_path / "d",
        "--recipe",
        recipe,
    )
    tokenizer, first, spelled = load_tokenizer(pico_checkpoint), min(CONTROL_IDS.values()), 0
    for level in ("file", "repository"):
        for row in Dataset.open(tmp_path / "d/dataset" / level).rows():
            structure = [kind in (Kind.END, Kind.SENTINEL) for kind in row["kinds"]]
            assert structure == [token >= first for token in row["input_ids"]]
            text = tokenizer.decode([token for token in row["input_ids"] if token < first])
            spelled += text.count(CONTROL[0])
    assert spelled


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_archives_write_and_read_nothing_outside(recipe: Path, tmp_path: Path, kind: str) -> None:
    place = tmp_path / "place"
    place.mkdir()
    (tmp_path / "secret.py").write_text("SECRET = 'outside'\n" + module(9))
    bad = ["../secret.py", "/tmp/absolute.py", "a/../../secret.py", "..\\windows.py", "C:\\drive.py"]
    good = {f"pkg/m{number}.py": module(number) for number in range(4)}
    archive = place / f"package-1.0.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as bundle:
            for name, text in [*good.items(), *((name, module(30)) for name in bad)]:
                bundle.writestr(zipfile.ZipInfo(name), text)
            link = zipfile.ZipInfo("pkg/link.py")
            link.create_system, link.external_attr = 3, 0o120777 << 16
            bundle.writestr(link, "../../secret.py")
    else:
        with tarfile.open(archive, "w:gz") as bundle:
            for name, text in [*good.items(), *((name, module(30)) for name in bad)]:
                info = tarfile.TarInfo(name)
                info.size = len(text)
                bundle.addfile(info, io.BytesIO(text.encode()))
            for number, type_ in enumerate((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE)):
                info = tarfile.TarInfo(f"pkg/link{number or ''}.py")
                info.type, info.linkname = type_, "../../secret.py"
                bundle.addfile(info)
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    run(recipe, tmp_path / "run", "--source", archive)
    after = sorted(str(path) for path in tmp_path.rglob("*") if not path.is_relative_to(tmp_path / "run"))
    assert after == before
    assert not Path("/tmp/absolute.py").exists()
    assert {path.removeprefix("pkg/") for path in files(tmp_path / "run")} == {
        f"m{number}.py" for number in range(4)
    }
    reasons = skipped(tmp_path / "run")
    refused = [path for path, reason in reasons.items() if reason == "unsafe path in archive"]
    assert len(refused) == len(bad) + (1 if kind == "zip" else 3)
    assert "outside" not in (tmp_path / "run/stages/sources/files/part-00000.parquet").read_bytes().decode(
        "latin-1"
    )


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_modules(tmp_path_factory.mktemp("modules") / "project", 6)


def test_refused_before_anything_is_written(recipe: Path, modules: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init", "-q")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/model").mkdir()
    (tmp_path / "full/model/mine.py").write_text("mine")
    (tmp_path / "bad.yaml").write_text("extends: quickstart\ntraining:\n  rank: 8\n  lerning_rate: 1\n")
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 no archive")
    source = ("--source", modules)
    cases: list[tuple[Path, Path, tuple[str | Path, ...], str]] = [
        (recipe, tmp_path / "r", ("--source", empty), "no source code found"),
        (
            recipe,
            tmp_path / "r",
            ("--source", tmp_path / "broken.zip"),
            "broken.zip is not a readable archive",
        ),
        (recipe, tmp_path / "file", source, "file is a file; give a folder with -o"),
        (recipe, tmp_path / "file/inside", source, "file is a file; give a folder with -o"),
        (recipe, tmp_path / "full", source, "full/model: codekiln has not made this"),
        (recipe, modules, source, "holds the source"),
        (recipe, modules.parent, ("--source", modules / "m1.py"), "holds the source"),
        (tmp_path / "bad.yaml", tmp_path / "r", source, "bad.yaml:4: training.lerning_rate: unknown key"),
    ]
    for chosen, folder, arguments, words in cases:
        done = run(chosen, folder, *arguments, check=2)
        assert words in done.stderr, done.stderr
    assert (tmp_path / "file").read_text() == (tmp_path / "full/model/mine.py").read_text() == "mine"
    assert not (modules / "stages").exists()


@pytest.mark.parametrize("count", [2, 3])
def test_a_few_files_are_split_into_whole_ones(recipe: Path, tmp_path: Path, count: int) -> None:
    source = write_modules(tmp_path / "few", count)
    run(recipe, tmp_path / "run", "--source", source)
    decisions = (tmp_path / "run/stages/corpus/decisions/manifest.json").read_text()
    counters = json.loads(decisions)["counters"]
    assert counters == {"heldout": count - 1, "train": 1}


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
def test_a_few_files_make_a_whole_run(recipe: Path, tmp_path: Path, count: int) -> None:
    source = write_modules(tmp_path / "few", count)
    run(recipe, tmp_path / "run", "--source", source, "--set", "export.gguf=[]", until="")
    assert set(json.loads((tmp_path / "run/report.json").read_text())["metrics"]) == {
        "before",
        "after",
        "difference",
    }


@pytest.mark.parametrize("in_git", [False, True])
def test_a_run_inside_its_source_does_not_eat_its_output(recipe: Path, tmp_path: Path, in_git: bool) -> None:
    source = write_modules(tmp_path / "project", 4)
    if in_git:
        git(source, "init", "-q")
        git(source, "add", "-A")
        git(source, "commit", "-q", "-m", "first")
    folder = source / "runs/quickstart"
    run(recipe, folder, "--source", source)
    # What a whole run leaves beside its stages.
    (folder / "report.json").write_text('{\n  "report": 1\n}\n')
    again = run(recipe, folder, "--source", source)
    assert again.stderr.count("up to date") == 2
    assert set(files(folder)) == {f"m{number}.py" for number in range(4)}
    if in_git:
        shown = subprocess.run(
            ["git", "status", "--porcelain"], cwd=source, capture_output=True, text=True, check=True
        )
        assert shown.stdout == ""


def test_a_source_that_goes_away_and_comes_back(recipe: Path, tmp_path: Path) -> None:
    source = write_modules(tmp_path / "project", 4)
    run(recipe, tmp_path / "run", "--source", source)
    os.replace(source, tmp_path / "away")
    done = run(recipe, tmp_path / "run", "--source", source, check=2)
    assert f"source {source} does not exist" in done.stderr
    os.replace(tmp_path / "away", source)
    assert run(recipe, tmp_path / "run", "--source", source).stderr.count("up to date") == 2


def test_two_runs_at_once_in_one_folder(recipe: Path, modules: Path, tmp_path: Path) -> None:
    folder, log = tmp_path / "run", tmp_path / "log"
    first = start(
        log, "run", recipe, "-o", folder, "--source", modules, "--workers", "1", "--until", "corpus"
    )
    try:
        limit = time.monotonic() + 60
        while not (folder / "stages").exists():
            assert first.poll() is None, log.read_text()
            assert time.monotonic() < limit
            time.sleep(0.002)
        os.killpg(first.pid, signal.SIGSTOP)
        second = run(recipe, folder, "--source", modules, check=2)
        assert f"another run (process {first.pid}) works in {folder}" in second.stderr
        os.killpg(first.pid, signal.SIGCONT)
        assert first.wait(timeout=60) == 0, log.read_text()
    finally:
        kill_group(first)
    assert not leftovers(folder)


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
