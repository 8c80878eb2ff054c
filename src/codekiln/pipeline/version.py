"""Which codekiln made an output."""

from __future__ import annotations

import subprocess
from pathlib import Path


def source_commit() -> str | None:
    """Commit of the checkout that this package runs from, with "+changes" when it is not clean; None elsewhere."""
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return None
    try:
        commit = _git(root, "rev-parse", "HEAD").strip()
        return commit + (
            "+changes" if _git(root, "status", "--porcelain", "--untracked-files=no").strip() else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
