"""Why a file was kept or dropped: every signal, every rule with its threshold, its twin, split and licence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from codekiln.corpus.rules import with_thresholds
from codekiln.errors import UserError
from codekiln.shards import Dataset


def explain(sources: Path, corpus: Path, path: str) -> dict[str, Any]:
    """Everything that decided a file's fate.

    Args:
        path: a stored path, `repo:path`, or the end of one that fits a single file.

    Returns:
        For a skipped path `{status: "skipped", repo, path, reason, size}`. Otherwise `status` ("train", "heldout"
        or "dropped"), id, repo, path, language, size, revision, added_at, reason, detail, `signals`, `rules`
        (name, value, comparison, threshold, origin, applies, fired), `twins` (the other files of its near-copy
        group, the kept one marked) and `license` (licenses, type, evidence).

    Raises:
        UserError: nothing that was looked at has this path, or several files do.
    """
    decisions = Dataset.open(corpus / "decisions")
    names = decisions.table(["id", "repo", "path"]).to_pylist()
    skips = list(Dataset.open(sources / "skipped").rows())
    found = _match(names + skips, path)
    if not found:
        inside = [
            row
            for row in skips
            if row["path"].endswith("/")
            and any(text.startswith(row["path"]) for text in (path, path.partition(":")[2]))
        ]
        if not inside:
            raise UserError(
                f"no file {path} was looked at: it is outside the sources, ignored by git, or spelled differently"
            )
        found = inside[:1]
    if len(found) > 1:
        some = ", ".join(f"{row['repo']}:{row['path']}" for row in found[:4])
        raise UserError(f"{path} fits {len(found)} files ({some}); give one as repo:path")
    row = found[0]
    if "reason" in row:
        return {"status": "skipped"} | {key: row[key] for key in ("repo", "path", "reason", "size")}
    return _explain_file(sources, corpus, decisions, row["id"])


def _match(rows: list[dict[str, Any]], path: str) -> list[dict[str, Any]]:
    for fits in (
        lambda row: path in (row["path"], f"{row['repo']}:{row['path']}"),
        lambda row: row["path"].endswith("/" + path) or path.endswith(f"/{row['repo']}/{row['path']}"),
    ):
        found = [row for row in rows if fits(row)]
        if found:
            return found
    return []


def _row(dataset: Dataset, identity: str, columns: list[str] | None = None) -> dict[str, Any]:
    for table in dataset.tables(columns):
        found = table.filter(pc.equal(table["id"], identity)).to_pylist()
        if found:
            return dict(found[0])
    raise UserError(f"{dataset.path} has no row {identity}: sources and corpus are not of one run")


def _explain_file(sources: Path, corpus: Path, decisions: Dataset, identity: str) -> dict[str, Any]:
    decision = _row(decisions, identity)
    columns = ["id", "revision", "added_at", "licenses", "license_type", "license_evidence"]
    file = _row(Dataset.open(sources / "files"), identity, columns)
    signals = _row(Dataset.open(corpus / "signals"), identity)
    signals.pop("id")
    rules = [
        {
            "name": rule.name,
            "value": signals[rule.signal],
            "comparison": rule.comparison,
            "threshold": rule.threshold,
            "origin": rule.origin,
            "applies": rule.applies(decision["language"]),
            "fired": rule.applies(decision["language"]) and rule.fires(signals[rule.signal]),
        }
        for rule in with_thresholds(decisions.manifest.config.get("rules", {}))
    ]
    twins = []
    if decision["near_group"]:
        for other in decisions.rows(["id", "repo", "path", "kept", "near_group"]):
            if other["near_group"] == decision["near_group"] and other["id"] != identity:
                twins.append({key: other[key] for key in ("repo", "path", "kept")})
    return {
        "status": decision["split"] or "dropped",
        **{key: decision[key] for key in ("id", "repo", "path", "language", "size", "reason", "detail")},
        "revision": file["revision"],
        "added_at": file["added_at"],
        "signals": signals,
        "rules": rules,
        "twins": twins,
        "license": {
            "licenses": file["licenses"],
            "type": file["license_type"],
            "evidence": file["license_evidence"],
        },
    }
