"""What the report says about sources and corpus: funnel, languages, drops, licences, provenance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codekiln.corpus.sources.reading import REDACTED
from codekiln.shards import Dataset

_EXAMPLES = 3


class _Tally:
    """Files and bytes by a key, with a few example paths."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, ...], dict[str, Any]] = {}

    def add(self, key: tuple[str, ...], size: int, example: str) -> None:
        row = self.rows.setdefault(key, {"files": 0, "bytes": 0, "examples": []})
        row["files"] += 1
        row["bytes"] += size
        if len(row["examples"]) < _EXAMPLES:
            row["examples"].append(example)

    def table(self, *names: str, examples: bool = False) -> list[dict[str, Any]]:
        """Rows by falling number of files, then by key."""
        ordered = sorted(self.rows.items(), key=lambda item: (-item[1]["files"], item[0]))
        return [
            dict(zip(names, key)) | {k: v for k, v in row.items() if examples or k != "examples"}
            for key, row in ordered
        ]

    def total(self) -> dict[str, int]:
        return {name: sum(row[name] for row in self.rows.values()) for name in ("files", "bytes")}


def summarize(sources: Path, corpus: Path) -> dict[str, Any]:
    """Figures of a finished corpus.

    Returns:
        `funnel`: candidates, skipped, read, dropped, kept, train, heldout (files and bytes each); `skipped` and
        `drops`: by reason, with up to three example paths; `languages`: files and bytes read, kept, train and
        held out; `kinds`: rows and bytes read, kept, train and held out of files, notebooks, commits, conversations;
        `licenses`: of the training files, with the evidence; `provenance`: one row a training file
        (repo, path, revision, licenses, license_type, evidence, bytes); `control_tokens`: literal control tokens
        seen in source text; `redactions`: replaced places by rule. A vendored folder counts as one skipped path.
    """
    skipped, drops, licenses = _Tally(), _Tally(), _Tally()
    splits = {"train": _Tally(), "heldout": _Tally()}
    for row in Dataset.open(sources / "skipped").rows():
        skipped.add((row["reason"],), row["size"] or 0, f"{row['repo']}:{row['path']}")
    languages: dict[str, dict[str, Any]] = {}
    kinds: dict[str, dict[str, Any]] = {}
    form = Dataset.open(sources / "files").rows(["kind"])  # row for row as the decisions are
    for row, read_row in zip(Dataset.open(corpus / "decisions").rows(), form):
        for table, key in ((languages, row["language"]), (kinds, read_row["kind"])):
            line = table.setdefault(
                key,
                {
                    name: 0
                    for stem in ("read", "kept", "train", "heldout")
                    for name in (f"{stem}_files", f"{stem}_bytes")
                },
            )
            for stem in ["read"] + (["kept", row["split"]] if row["kept"] else []):
                line[f"{stem}_files"] += 1
                line[f"{stem}_bytes"] += row["size"]
        if row["kept"]:
            splits[row["split"]].add((row["split"],), row["size"], "")
        else:
            drops.add((row["reason"],), row["size"], f"{row['repo']}:{row['path']} ({row['detail']})")
    provenance = []
    columns = ["repo", "path", "revision", "licenses", "license_type", "license_evidence", "size"]
    for row in Dataset.open(corpus / "train").rows(columns):
        names = " AND ".join(row["licenses"]) or "none found"
        licenses.add((names, row["license_type"], row["license_evidence"]), row["size"], row["path"])
        row["evidence"], row["bytes"] = row.pop("license_evidence"), row.pop("size")
        provenance.append(row)
    read = {stem: sum(line[f"read_{stem}"] for line in languages.values()) for stem in ("files", "bytes")}
    kept = {stem: sum(line[f"kept_{stem}"] for line in languages.values()) for stem in ("files", "bytes")}
    passed_over = skipped.total()
    return {
        "funnel": {
            "candidates": {stem: read[stem] + passed_over[stem] for stem in read},
            "skipped": passed_over,
            "read": read,
            "dropped": drops.total(),
            "kept": kept,
            "train": splits["train"].total(),
            "heldout": splits["heldout"].total(),
        },
        "skipped": skipped.table("reason", examples=True),
        "drops": drops.table("reason", examples=True),
        "languages": [
            {"language": name} | line
            for name, line in sorted(languages.items(), key=lambda item: (-item[1]["read_bytes"], item[0]))
        ],
        "kinds": [
            {"kind": name} | line
            for name, line in sorted(kinds.items(), key=lambda item: (-item[1]["read_bytes"], item[0]))
        ],
        "licenses": licenses.table("license", "license_type", "evidence"),
        "provenance": provenance,
        "redactions": {
            name.removeprefix(REDACTED): number
            for name, number in Dataset.open(sources / "files").manifest.counters.items()
            if name.startswith(REDACTED)
        },
        "control_tokens": Dataset.open(corpus / "signals").manifest.counters.get("control_tokens", 0),
    }


def how_made(sources: Path, corpus: Path) -> dict[str, str]:
    """Names and values that say how a corpus was made: what was read, with which settings, by which stages."""
    read, decided = Dataset.open(sources / "files").manifest, Dataset.open(corpus / "decisions").manifest
    repos = set()
    for table in Dataset.open(sources / "files").tables(["repo"]):
        repos |= set(table["repo"].unique().to_pylist())
    shown = sorted(repos)[:5] + (["…"] if len(repos) > 5 else [])
    config = decided.config
    changed = ", ".join(f"{rule} {value:g}" for rule, value in sorted(config["rules"].items()))
    return {
        "Sources": f"{len(repos)}: {', '.join(shown)}",
        "Hash of the sources": read.inputs["sources"][:12],
        "Largest file read": f"{read.config['max_file_bytes']:,} bytes",
        "Licences": "permissive alone" if config.get("licenses") == "permissive" else "any",
        "Rules": ", ".join(config.get("rulesets", ["starcoder2"])),
        "Near copies from": f"Jaccard {config['near_jaccard']:g}",
        **(
            {
                "Near-copy repositories from": f"Jaccard {config['repository_jaccard']:g}, kept: {config['repository_keep']}"
            }
            if config.get("repository_jaccard")
            else {}
        ),
        "Split": f"by {config['split']}, seed {decided.seed}",
        "Changed thresholds": changed or "none",
        "Stages": f"sources {read.stage_version}, corpus {decided.stage_version}",
    }
