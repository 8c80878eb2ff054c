"""A small real git repository and a recipe that runs every stage on the pico model in seconds."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest
from pipeline_kit import git, write_modules

MODULES = (
    "textwrap",
    "heapq",
    "bisect",
    "shlex",
    "string",
    "copy",
    "fnmatch",
    "glob",
    "sched",
    "calendar",
    "cmd",
    "csv",
)

RECIPE = """
name: pico
sources: {{paths: ["{source}"]}}
model: {{name: "{model}"}}
dataset: {{length: 256, repository_length: 384}}
training: {{tokens: 1500, rank: 4, batch_tokens: 256, learning_rate: 1.0e-3, checkpoint_seconds: 0.2, dtype: float32}}
proof: {{line_probes: 4, block_probes: 2, text_tokens: 400, text_window: 128, prefix_tokens: 48, suffix_tokens: 24,
  line_new_tokens: 4, block_new_tokens: 6, resamples: 200, samples: 3}}
"""


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository with a dozen real modules, a licence, a binary, and an ignored file."""
    folder = tmp_path_factory.mktemp("code") / "project"
    (folder / "lib").mkdir(parents=True)
    git(folder, "init", "-q")
    library = Path(sysconfig.get_path("stdlib"))
    for number, module in enumerate(MODULES):
        (folder / "lib" / f"{module}.py").write_bytes((library / f"{module}.py").read_bytes())
        date = f"{1_700_000_000 + 86_400 * number} +0000"
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "-m", module, GIT_AUTHOR_DATE=date, GIT_COMMITTER_DATE=date)
    (folder / "LICENSE").write_text(
        "MIT License\n\nPermission is hereby granted, free of charge, to any person\n"
    )
    (folder / "logo.py").write_bytes(b"\x00\x01binary")
    (folder / ".gitignore").write_text("secret.py\n")
    (folder / "secret.py").write_text("TOKEN = 1\n" * 30)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "rest")
    return folder


@pytest.fixture(scope="session")
def recipe(tmp_path_factory: pytest.TempPathFactory, repository: Path, pico_checkpoint: Path) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "pico.yaml"
    path.write_text(RECIPE.format(source=repository, model=pico_checkpoint))
    return path


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_modules(tmp_path_factory.mktemp("modules") / "project", 6)
