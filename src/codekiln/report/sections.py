"""The sections behind the proof: training, exports, provenance, configuration and timings."""

from __future__ import annotations

from typing import Any

import yaml

from codekiln.report.curve import loss_curve
from codekiln.report.flow import free_value, measured
from codekiln.report.markup import Child, Column, Markup, details, el, facts, note, scroller, table
from codekiln.report.numerals import NONE, count, duration, percent, plural, significant, size, title
from codekiln.report.schema import Export, ModelInfo, Provenance, Report, Training

#: Training files listed on the page; all of them are in report.json.
FILES = 500
#: Characters of a hash on the page; in full in report.json.
HASH = 16


def model(info: ModelInfo) -> Markup:
    pairs: list[tuple[str, Child]] = [("Model", info.name)]
    if info.parameters:
        pairs.append(("Parameters", f"{significant(info.parameters / 1e6)} million"))
    for name, value in (
        ("Hub id", info.hub_id),
        ("Revision", info.revision),
        ("Found in", info.source),
        ("Dequantized from", info.origin),
        ("SHA-256 of the weights", info.sha256),
        ("Licence", info.license),
    ):
        if value:
            pairs.append((name, value if name == "Licence" else el("code", value)))
    return facts(pairs)


def method(name: str) -> str:
    return {"lora": "LoRA", "full": "all weights"}.get(name, name)


def training(data: Training) -> list[Child]:
    pairs: list[tuple[str, Child]] = [("Method", method(data.method))]
    for name, value in (
        ("Tokens", None if data.tokens is None else count(data.tokens)),
        ("Steps", None if data.steps is None else count(data.steps)),
        ("Number format", data.dtype),
        ("Threads", None if data.threads is None else count(data.threads)),
        (
            "Tokens per second",
            None if data.tokens_per_second is None else significant(data.tokens_per_second),
        ),
        (
            "Share of the machine's matrix-product peak",
            None if data.share_of_peak is None else percent(data.share_of_peak),
        ),
    ):
        if value is not None:
            pairs.append((name, value))
    curve = loss_curve(data.curve)
    return [facts(pairs), curve if curve is not None else note("Too few steps for a loss curve.")]


def export(data: Export) -> list[Child]:
    made: list[Child] = []
    if data.checks:
        failed = [check for check in data.checks if not check.ok]
        said = f"{len(data.checks) - len(failed)} of {len(data.checks)} checks passed."
        if failed:
            said += " Failed: " + "; ".join(check.arrow for check in failed) + "."
        made.append(el("p", el("strong", said) if failed else said))
        rows: list[list[Child]] = []
        for check in data.checks:
            limit = NONE if check.limit is None else f"\u2264\u00a0{significant(check.limit, trim=True)}"
            result = el("span", "ok" if check.ok else "failed", class_="ok" if check.ok else "failed")
            rows.append([check.arrow, check.measure, significant(check.value), limit, result, check.detail])
        columns = [
            Column("Conversion"),
            Column("Measure"),
            Column("Value", True),
            Column("Limit", True),
            Column("Result"),
            Column("Detail"),
        ]
        made.append(table(columns, rows, caption="The same model on both sides of each conversion"))
    if data.files:
        files: list[list[Child]] = [
            [el("code", item.path), item.what, size(item.bytes), _hash(item.sha256)] for item in data.files
        ]
        columns = [
            Column("File"),
            Column("What it is"),
            Column("Size", True),
            Column(f"SHA-256, first {HASH} digits"),
        ]
        made.append(table(columns, files, caption="Files in the run folder"))
    return made


def _hash(value: str | None) -> Child:
    return el("code", value[:HASH], title=value) if value else None


def provenance(data: Provenance) -> list[Child]:
    made: list[Child] = []
    if data.sources:
        sources: list[list[Child]] = [
            [el("code", item.repo), el("code", item.revision) if item.revision else None, count(item.files)]
            for item in data.sources
        ]
        columns = [Column("Source"), Column("Revision"), Column("Files", True)]
        made.append(table(columns, sources, caption="Sources"))
    if data.licenses:
        licenses: list[list[Child]] = [
            [item.license, item.type, count(item.files), size(item.bytes), item.evidence]
            for item in data.licenses
        ]
        columns = [
            Column("Licence"),
            Column("Type"),
            Column("Files", True),
            Column("Size", True),
            Column("How it was found"),
        ]
        made.append(table(columns, licenses, caption="Licences of the training files"))
    if data.files:
        made.append(_training_files(data))
    return made


def _training_files(data: Provenance) -> Markup:
    """The files table, capped; says so."""
    shown = data.files[:FILES]
    capped = len(data.files) > FILES
    rows: list[list[Child]] = [
        [el("code", item.path), item.repo, (item.revision or "")[:HASH], item.license] for item in shown
    ]
    columns = [
        Column("Path"),
        Column("Source"),
        Column("Revision"),
        Column("Licence"),
    ]
    total = plural(len(data.files), "file")
    said = f"The first {FILES} of {total}; all of them are in report.json." if capped else f"All {total}."
    caption = f"Training files: the first {FILES} of {len(data.files):,}" if capped else "Training files"
    return details(
        f"Training files ({len(data.files):,})",
        note(said),
        table(columns, rows, caption=caption, fit="scroll"),
    )


def stages(report: Report) -> Markup:
    most = max((stage.seconds or 0 for stage in report.stages), default=0)
    rows: list[list[Child]] = [
        [
            stage.stage,
            measured(duration(stage.seconds), stage.seconds, most) if stage.seconds is not None else NONE,
            "reused" if stage.cached else "made",
            _hash(stage.key),
            _hash(stage.output_hash),
        ]
        for stage in report.stages
    ]
    columns = [Column("Stage"), Column("Time"), Column("Output"), Column("Key"), Column("Hash of the output")]
    return table(columns, rows, caption="Stages")


def environment(values: dict[str, Any]) -> Markup:
    return details(
        "Environment", facts([(title(key), free_value(key, value)) for key, value in values.items()])
    )


def configuration(config: dict[str, Any]) -> Markup:
    shown = yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=100)
    return details("Configuration of the run", scroller(el("pre", el("code", shown)), "configuration"))
