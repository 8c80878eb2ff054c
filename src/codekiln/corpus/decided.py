"""A file of the corpus while its fate is decided."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

LICENSE_RANK = {"permissive": 0, "no_license": 1, "non_permissive": 2}


@dataclass
class File:
    """A file's row without its content, and what becomes of it."""

    id: str
    repo: str
    path: str
    kind: str
    language: str
    licenses: list[str]
    license_type: str
    license_evidence: str
    added_at: int | None
    size: int
    reason: str = ""
    detail: str = ""
    near_group: str = ""
    repository_group: str = ""
    split: str = ""
    place: tuple[int, int] = (0, 0)  # (shard, row)
    signals: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.repo}:{self.path}"

    @property
    def preference(self) -> tuple[int, str, str]:
        """The least of a group of copies is kept: permissive licence first, then (repo, path)."""
        return LICENSE_RANK.get(self.license_type, 2), self.repo, self.path
