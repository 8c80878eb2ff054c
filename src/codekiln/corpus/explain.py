"""Why a file was kept or dropped: every signal, every rule with its threshold, its twin, split and licence."""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from codekiln.corpus.rules import rules_of
from codekiln.errors import UserError
from codekiln.shards import Dataset
from codekiln.shards.store import MANIFEST

#: The value of a rule whose signal was not measured, though the rule is for this language.
NOT_MEASURED = "not measured"


def explain(sources: Path, corpus: Path, path: str, *, unfinished: bool = False) -> dict[str, Any]:
    """Everything that decided a file's fate.

    A build that ended with an error leaves its decisions in the folders' `.partial` siblings. They count where no
    corpus of these sources is finished, or where they are asked for; the answer then has `unfinished: True`.

    Args:
        unfinished: tell of the build that did not finish, though a finished corpus is there.
        path: a stored path, `repo:path`, `repo/path`, or the end of one that fits a single file; `./` is taken off. A commit is
            `commit/ID`, of which the first digits do, a conversation `issues/NUMBER` or `pull/NUMBER`. Or the id of a row.

    Returns:
        For a skipped path `{status: "skipped", repo, path, reason, size}`. Otherwise `status` ("train", "heldout",
        "dropped", or "kept" when the build ended before its split), id, repo, path, kind, language, size, revision, added_at, reason, detail, `signals`, `rules`
        (name, value, comparison, threshold, origin, applies, fired), `twins` (the other files of its near-copy
        group, the kept one marked), `repository_twins` (the repositories that are near copies of its own) and `license` (licenses, type, evidence).

    Raises:
        UserError: nothing that was looked at has this path, or several files do; or no unfinished build is there.
    """
    if not path:
        raise UserError("PATH is empty; give the path of a file as it is in its source")
    sources, corpus, unfinished = _chosen(sources, corpus, unfinished)
    mark = {"unfinished": True} if unfinished else {}
    decisions = (
        Dataset.open(corpus / "decisions") if _stands(corpus / "decisions") or not unfinished else None
    )
    names = list(decisions.rows(["id", "repo", "path"])) if decisions else []
    skips = list(Dataset.open(sources / "skipped").rows())
    found = _match(names + skips, path)
    if not found:
        path = _normal(path)
        found = _match(names + skips, path) or [row for row in names if row["id"] == path]
    if not found:
        inside = [
            row
            for row in skips
            if row["path"].endswith("/")
            and any(
                text.startswith(row["path"])
                for text in (path, path.partition(":")[2], path.removeprefix(f"{row['repo']}/"))
            )
        ]
        if not inside:
            raise UserError(
                f"no file {path} was looked at: it is outside the sources, ignored by git, or spelled differently"
            )
        found = inside[:1]
    same = len({(row["repo"], row["path"]) for row in found}) == 1
    ids = [row["id"] for row in found if "id" in row]
    if same and len(ids) > 1:  # the forms of a notebook, or rows of tables
        raise UserError(f"{path} is {len(ids)} rows of one path; give one of their ids: {', '.join(ids[:4])}")
    if len(found) > 1 and not same:
        some = ", ".join(f"{row['repo']}:{row['path']}" for row in found[:4])
        raise UserError(f"{path} fits {len(found)} files ({some}); give one as repo:path")
    row = next((row for row in found if "id" in row), found[0])
    if "reason" in row:
        return {"status": "skipped"} | {key: row[key] for key in ("repo", "path", "reason", "size")} | mark
    assert decisions is not None  # the row is one of them
    return _explain_file(sources, corpus, decisions, row["id"]) | mark


def _stands(dataset: Path) -> bool:
    return (dataset / MANIFEST).exists()


def unfinished_beside(sources: Path, corpus: Path) -> bool:
    """Whether a build after that of the finished corpus came to something and did not end."""
    return _of_one_build(sources, corpus) and _tried(sources, corpus) is not None


def _chosen(sources: Path, corpus: Path, unfinished: bool) -> tuple[Path, Path, bool]:
    """The folders of the build to tell of, and whether it did not finish."""
    tried = _tried(sources, corpus)
    if tried and (unfinished or not _of_one_build(sources, corpus)):
        return *tried, True
    if unfinished:
        raise UserError(f"there is no unfinished build beside {corpus}; leave --unfinished out")
    return sources, corpus, False


def _tried(sources: Path, corpus: Path) -> tuple[Path, Path] | None:
    """The folders of a build that came to decisions or to skipped paths and did not finish."""
    tried = sources.with_name(sources.name + ".partial")
    if _stands(tried / "files") and _stands(tried / "skipped"):
        return tried, corpus.with_name(corpus.name + ".none")
    tried = corpus.with_name(corpus.name + ".partial")
    return (sources, tried) if _of_one_build(sources, tried) else None


def _of_one_build(sources: Path, corpus: Path) -> bool:
    if not (_stands(corpus / "decisions") and _stands(sources / "files")):
        return False
    read = Dataset.open(corpus / "decisions").manifest.inputs.get("files")
    return read == Dataset.open(sources / "files").content_hash


def _normal(path: str) -> str:
    """A path without `./`, doubled slashes and the like, also behind `repo:`; a slash at its end stays."""
    repo, colon, inner = path.rpartition(":")
    plain = posixpath.normpath(inner) if inner else ""
    return repo + colon + plain + ("/" if inner.endswith("/") and plain != "/" else "")


def _match(rows: list[dict[str, Any]], path: str) -> list[dict[str, Any]]:
    for fits in (
        lambda row: path in (row["path"], f"{row['repo']}:{row['path']}"),
        lambda row: row["path"].endswith("/" + path) or f"/{path}".endswith(f"/{row['repo']}/{row['path']}"),
        lambda row: (
            path.rpartition(":")[0] in ("", row["repo"]) and _begins(row["path"], path.rpartition(":")[2])
        ),
    ):
        found = [row for row in rows if fits(row)]
        if found:
            return found
    return []


def _begins(path: str, wanted: str) -> bool:
    """Whether a path is that of the commit whose id begins with the wanted digits."""
    digits = wanted.removeprefix("commit/")
    return len(digits) >= 7 and path.startswith("commit/" + digits)


def _row(dataset: Dataset, identity: str, columns: list[str] | None = None) -> dict[str, Any]:
    for table in dataset.tables(columns):
        found = table.filter(pc.equal(table["id"], identity)).to_pylist()
        if found:
            return dict(found[0])
    raise UserError(f"{dataset.path} has no row {identity}: sources and corpus are not of one run")


def _explain_file(sources: Path, corpus: Path, decisions: Dataset, identity: str) -> dict[str, Any]:
    decision = _row(decisions, identity)
    columns = ["id", "kind", "revision", "added_at", "licenses", "license_type", "license_evidence"]
    file = _row(Dataset.open(sources / "files"), identity, columns)
    signals = _row(Dataset.open(corpus / "signals"), identity)
    signals.pop("id")
    rules = [
        {
            "name": rule.name,
            "value": NOT_MEASURED if rule.unmeasured(decision["language"], signals) else signals[rule.signal],
            "comparison": rule.comparison,
            "threshold": rule.threshold,
            "origin": rule.origin,
            "applies": rule.applies(decision["language"]),
            "fired": rule.drops(decision["language"], signals),
        }
        for rule in rules_of(decisions)
    ]
    twins = []
    if decision["near_group"]:
        for other in decisions.rows(["id", "repo", "path", "kept", "near_group"]):
            if other["near_group"] == decision["near_group"] and other["id"] != identity:
                twins.append({key: other[key] for key in ("repo", "path", "kept")})
    copies = set()
    if decision.get("repository_group"):  # absent in a corpus of an earlier version
        for other in decisions.rows(["repo", "repository_group"]):
            if other["repository_group"] == decision["repository_group"]:
                copies.add(other["repo"])
    return {
        "status": decision["split"] or ("kept" if decision["kept"] else "dropped"),
        **{key: decision[key] for key in ("id", "repo", "path", "language", "size", "reason", "detail")},
        "kind": file["kind"],
        "revision": file["revision"],
        "added_at": file["added_at"],
        "signals": {
            name: value for name, value in signals.items() if value is not None or not name.startswith("oc_")
        },
        "rules": rules,
        "twins": twins,
        "repository_twins": [
            {"repo": name, "kept": name == decision.get("repository_group")}
            for name in sorted(copies - {decision["repo"]})
        ],
        "license": {
            "licenses": file["licenses"],
            "type": file["license_type"],
            "evidence": file["license_evidence"],
        },
    }
