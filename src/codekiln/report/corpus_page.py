"""The page of a corpus: the funnel, what was dropped and why, languages, licences, and real files of each reason."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from codekiln.report import flow
from codekiln.report.frame import frame
from codekiln.report.markup import Child, Column, Markup, details, el, facts, join, note, scroller, table
from codekiln.report.numerals import count, plural, size, words
from codekiln.report.schema import Drop, FunnelStep, Language

#: Where a table that was cut off stands whole.
_WHOLE = "in `codekiln corpus inspect --json`"
#: Characters of a licence's evidence before it is folded.
EVIDENCE = 160
_STEPS = (
    ("sources", "found", "candidates", ""),
    ("sources", "read", "read", "path skipped"),
    ("corpus", "kept", "kept", "file dropped"),
    ("split", "held out", "heldout", ""),
    ("split", "for training", "train", ""),
)


def corpus_page(summary: dict[str, Any], samples: list[dict[str, Any]], made: dict[str, str]) -> str:
    """One self-contained HTML document.

    Args:
        summary: what `codekiln.corpus.summary.summarize` gives.
        samples: rows of reason, detail, repo, path, language, size and text; "" is the reason of a kept file.
        made: names and values that say how the corpus was made.
    """
    funnel = summary["funnel"]
    # Of what was not read the size is often not known: a commit, a folder, a link.
    read = [
        Drop(**{**row, "bytes": None if row["reason"] != "empty" and not row["bytes"] else row["bytes"]})
        for row in summary["skipped"]
    ]
    dropped = [Drop(**row) for row in summary["drops"]]
    parts: list[tuple[str, str, list[Child]]] = [
        (
            "funnel",
            "What went in and what came out",
            [flow.funnel(_steps(funnel), "From what was found to training files")],
        ),
        ("dropped", "Dropped by rules and deduplication", [flow.drops(dropped) if dropped else None]),
        ("skipped", "Never read", [flow.drops(read, "What was not read and why", "path") if read else None]),
        ("languages", "Languages", [flow.languages(_languages(summary["languages"]), _WHOLE)]),
        ("kinds", "Kinds", [_kinds(summary["kinds"])] if len(summary["kinds"]) > 1 else []),
        ("licences", "Licences", [_licences(summary["licenses"])]),
        (
            "redactions",
            "Replaced by placeholders",
            [_redactions(summary["redactions"])] if summary["redactions"] else [],
        ),
        ("samples", "Samples", [_samples(samples, _totals(summary))] if samples else []),
    ]
    head = el(
        "header",
        el("p", "codekiln · corpus", class_="kicker"),
        el("h1", f"{plural(funnel['kept']['files'], 'file')} kept of {count(funnel['read']['files'])} read"),
        el("div", facts(list(made.items())), class_="run"),
    )
    footer = note(
        "`codekiln corpus explain` tells all that decided a file's fate, `corpus what-if` what else would be kept."
    )
    shown = [(ident, heading, content) for ident, heading, content in parts if any(content)]
    return frame("codekiln corpus", head, shown, footer)


def _steps(funnel: dict[str, Any]) -> list[FunnelStep]:
    return [
        FunnelStep(
            stage=stage,
            label=label,
            files=funnel[name]["files"],
            bytes=funnel[name]["bytes"],
            detail=_lost(funnel, *lost.split()) if lost else "",
        )
        for stage, label, name, lost in _STEPS
    ]


def _lost(funnel: dict[str, Any], noun: str, fate: str) -> str:
    # A vendored folder, say, is one path that was skipped.
    return f"{plural(funnel[fate]['files'], noun)} {fate}"


def _totals(summary: dict[str, Any]) -> dict[tuple[str, str], int]:
    """Files that each group of samples was drawn from, by reason, and by language where they were kept."""
    kept = {("", row["language"]): row["kept_files"] for row in summary["languages"]}
    return kept | {(row["reason"], ""): row["files"] for row in summary["drops"]}


def _languages(rows: list[dict[str, Any]]) -> list[Language]:
    return [
        Language(
            language=row["language"],
            files=row["read_files"],
            bytes=row["read_bytes"],
            train=row["train_files"],
            heldout=row["heldout_files"],
        )
        for row in rows
    ]


def _licences(items: list[dict[str, Any]]) -> Markup:
    rows: list[list[Child]] = [
        [
            item["license"],
            words(item["license_type"]),
            count(item["files"]),
            size(item["bytes"]),
            _short(item["evidence"]),
        ]
        for item in items[: flow.LANGUAGES]
    ]
    columns = [
        Column("Licence"),
        Column("Type"),
        Column("Files", True),
        Column("Size", True),
        Column("How it was found"),
    ]
    left = len(items) - flow.LANGUAGES
    more = note(f"{plural(left, 'more line')} {_WHOLE}.") if left > 0 else None
    return join(table(columns, rows, caption="Licences of the training files"), more)


def _redactions(counts: dict[str, int]) -> Markup:
    rows: list[list[Child]] = [[words(rule), count(number)] for rule, number in sorted(counts.items())]
    return table(
        [Column("Rule"), Column("Places", True)], rows, caption="Secrets and personal data", fit="plain"
    )


def _kinds(items: list[dict[str, Any]]) -> Markup:
    stems = ("read", "kept", "train", "heldout")
    rows: list[list[Child]] = [
        [words(row["kind"]), *(count(row[f"{stem}_files"]) for stem in stems)] for row in items
    ]
    heads = [Column(name, True) for name in ("Read", "Kept", "For training", "Held out")]
    return table(
        [Column("Kind"), *heads], rows, caption="Files, notebooks, commits and conversations", fit="plain"
    )


def _short(evidence: str) -> Child:
    """Evidence of one line; a list of many files behind a fold."""
    return evidence if len(evidence) <= EVIDENCE else details(f"{evidence[:EVIDENCE]}…", evidence)


def _samples(samples: list[dict[str, Any]], totals: dict[tuple[str, str], int]) -> Markup:
    made: list[Child] = [
        note("The first lines of some files of each kind, drawn by a hash. Open one to read them.")
    ]
    for (reason, language), rows in groupby(
        samples, key=lambda row: (row["reason"], "" if row["reason"] else row["language"])
    ):
        items = list(rows)
        name = f"dropped: {words(reason)}" if reason else f"kept: {language}"
        shown = f"{name} ({len(items)} of {plural(totals[reason, language], 'file')})"
        made.append(details(shown, *[_sample(row) for row in items]))
    return el("div", made)


def _sample(row: dict[str, Any]) -> Markup:
    where = " · ".join(
        part for part in (row["repo"], row["language"], size(row["size"]), row["detail"]) if part
    )
    return el(
        "article",
        el("h3", el("code", row["path"])),
        el("p", where, class_="meta"),
        scroller(el("pre", el("code", row["text"])), f"first lines of {row['path']}")
        if row["text"].strip()
        else note("Blank as far as it is shown."),
    )
