"""Bad sources through the real command: one clear line and the right exit code, or handled and told."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import tarfile
import time
import zipfile
from pathlib import Path

import pytest
from pipeline_kit import (
    codekiln,
    files,
    git,
    kill_group,
    leftovers,
    module,
    powerless,
    run,
    skipped,
    start,
    write_modules,
)

CONTROL = (
    "<|endoftext|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|im_start|>",
    "<|file_sep|>",
)
CRLF = b'def crlf(value):\r\n    return value + 1\r\n\r\n\r\nclass Lines:\r\n    end = "so"\r\n\r\n    def f(self):\r\n        return self.end * 3\r\n'


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
    absolute = tmp_path / "absolute.py"
    bad = ["../secret.py", str(absolute), "a/../../secret.py", "..\\windows.py", "C:\\drive.py"]
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
    assert not absolute.exists()
    assert {path.removeprefix("pkg/") for path in files(tmp_path / "run")} == {
        f"m{number}.py" for number in range(4)
    }
    reasons = skipped(tmp_path / "run")
    refused = [path for path, reason in reasons.items() if reason == "unsafe path in archive"]
    assert len(refused) == len(bad) + (1 if kind == "zip" else 3)
    assert "outside" not in (tmp_path / "run/stages/sources/files/part-00000.parquet").read_bytes().decode(
        "latin-1"
    )


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
