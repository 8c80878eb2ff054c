"""Who must be named for what was kept: licences and copyright lines by repository, as JSON or as text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

#: Characters of a file in which its copyright lines are looked for, and how many of a repository are listed.
HEAD = 4_000
MAX_LINES = 50

_COPYRIGHT = re.compile(r"(?:copyright\b|©|\(c\)[ \t]+(?=\d{4}))[^\n]{0,200}", re.IGNORECASE)
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_TRAIL = " \t\r*/#-;\"'"


def copyright_lines(text: str) -> list[str]:
    """Lines in the first `HEAD` characters that claim a copyright with a year or a holder, in order, each once."""
    found = []
    for match in _COPYRIGHT.finditer(text[:HEAD]):
        line = " ".join(match[0].strip(_TRAIL).removesuffix("*/").removesuffix("-->").split())
        words = line.lower()
        claims = _YEAR.search(line) or re.match(r"(?:copyright )?(?:\(c\)|©) ?\w", words)
        if claims and not re.search(r"\{|<year>|yyyy|\[year\]|copyright (?:notice|holder|owner|law)", words):
            found.append(line)
    return list(dict.fromkeys(found))


def attribution(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One entry a repository and licence set, sorted, from rows of `files` that were kept.

    A row needs `repo`, `path`, `licenses` and `license_evidence`; `revision` and `content` (for copyright lines) are
    used where they are there. An entry holds repo, revision, licenses, evidence (each different one), copyright,
    files (their paths). A file without a known licence appears under an empty `licenses`.
    """
    entries: dict[tuple[str, str, tuple[str, ...]], dict[str, Any]] = {}
    for row in rows:
        ids = tuple(row["licenses"] or ())
        revision = str(row.get("revision") or "")
        # A commit is named by its own id: the commits of a repository stand together.
        key = (str(row["repo"]), "" if row["path"] == f"commit/{revision}" else revision, ids)
        entry = entries.setdefault(key, {"evidence": set(), "copyright": set(), "files": []})
        entry["files"].append(row["path"])
        entry["evidence"].add(row["license_evidence"])
        if len(entry["copyright"]) < 4 * MAX_LINES:
            entry["copyright"].update(copyright_lines(row.get("content") or ""))
    return [
        {
            "repo": repo,
            "revision": revision or None,
            "licenses": list(ids),
            "evidence": sorted(entry["evidence"]),
            "copyright": sorted(entry["copyright"])[:MAX_LINES],
            "files": sorted(entry["files"]),
        }
        for (repo, revision, ids), entry in sorted(entries.items(), key=lambda item: item[0])
    ]


def attribution_text(entries: Iterable[Mapping[str, Any]]) -> str:
    """The entries of `attribution` as a text file: a paragraph each, the paths at its end."""
    parts = []
    for entry in entries:
        lines = [f"{entry['repo']}" + (f" at {entry['revision']}" if entry["revision"] else "")]
        lines.append("  Licence: " + (", ".join(entry["licenses"]) or "none found"))
        lines += [f"  Stated by: {evidence}" for evidence in entry["evidence"]]
        lines += [f"  {line}" for line in entry["copyright"]]
        lines.append(f"  Files: {len(entry['files'])}")
        lines += [f"    {path}" for path in entry["files"]]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n" if parts else ""
