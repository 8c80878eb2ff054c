"""Real repositories, files and short-cuts for the corpus tests."""

from __future__ import annotations

import io
import os
import random
import re
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import Any

from codekiln.corpus.build import build_corpus
from codekiln.corpus.config import CorpusConfig, SourceConfig
from codekiln.corpus.sources.stage import build_sources
from codekiln.shards import Dataset, LocalExecutor

_NAMES = {
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


def git(folder: Path, *arguments: str, when: int | None = None) -> str:
    """Run git in a folder, at a fixed time where one is given."""
    environment = os.environ | _NAMES
    if when is not None:
        environment |= {"GIT_AUTHOR_DATE": f"@{when} +0000", "GIT_COMMITTER_DATE": f"@{when} +0000"}
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def repository(folder: Path, files: dict[str, str | bytes], *, when: int = 1_700_000_000) -> Path:
    """A new git repository with one commit."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main")
    return commit(folder, files, when=when)


def commit(folder: Path, files: dict[str, str | bytes], *, when: int = 1_700_000_000) -> Path:
    write(folder, files)
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-q", "-m", "change", when=when)
    return folder


def program(number: int, functions: int = 6) -> str:
    """A small Python file that shares no long run of words with that of another number."""
    draw = random.Random(f"program {number}")
    lines = [f'"""Module {number}."""', ""]
    for _ in range(functions):
        words = [f"{draw.choice(_WORDS)}_{draw.randrange(10**6)}" for _ in range(6)]
        lines += [
            f"def {words[0]}({words[1]}, {words[2]}):",
            f"    {words[3]} = {words[1]} + {draw.randrange(1000)}",
            f"    if {words[3]} > {words[2]}:",
            f"        return {words[4]}({words[3]}, {words[5]})",
            f"    return {words[2]} * {draw.randrange(1000)}",
            "",
        ]
    return "\n".join(lines)


_VERBS = "load store parse merge split count fetch index order token value group cache block"
_WORDS = _VERBS.split()


def sources(out: Path, *paths: Path, workers: int = 1, earlier: Path | None = None, **settings: Any) -> Path:
    config = SourceConfig(paths=tuple(str(path) for path in paths), **settings)
    build_sources(out / "sources", config, seed=0, executor=LocalExecutor(workers), earlier=earlier)
    return out / "sources"


def corpus(out: Path, source: Path, *, seed: int = 0, workers: int = 1, **settings: Any) -> Path:
    build_corpus(out / "corpus", source, CorpusConfig(**settings), seed=seed, executor=LocalExecutor(workers))
    return out / "corpus"


def rows(folder: Path) -> dict[str, dict[str, Any]]:
    """Rows of a dataset by path."""
    return {row["path"]: row for row in Dataset.open(folder).rows()}


def reasons(folder: Path) -> dict[str, str]:
    return {path: row["reason"] for path, row in rows(folder).items()}


def mutate(text: str, share: float, seed: int) -> str:
    """Replace a share of the words, each at a random place."""
    draw = random.Random(f"mutate {seed}")
    return re.sub(r"\w+", lambda m: f"w{draw.randrange(10**9)}" if draw.random() < share else m[0], text)


def plain_jaccard(first: str, second: str) -> float:
    """Jaccard similarity of word 5-grams, by the definition."""
    a, b = _plain_shingles(first), _plain_shingles(second)
    return len(a & b) / len(a | b) if a | b else 0.0


def _plain_shingles(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"[a-z0-9_\x80-\U0010ffff]+", text.lower())
    return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}


def tar(path, members, mode="w"):
    """A tar of (name, content) members; in place of content (kind, target) makes a link or device."""
    with tarfile.open(path, mode) as bundle:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
                bundle.addfile(info, io.BytesIO(content))
            else:
                info.type, info.linkname = content
                bundle.addfile(info)
    return path


def zipped(path, members):
    """A zip of (name, content) members, names as they are: absolute and climbing ones too."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in members:
            info = zipfile.ZipInfo("x")
            info.filename = name
            bundle.writestr(info, content, zipfile.ZIP_DEFLATED)
    return path
