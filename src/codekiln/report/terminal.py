"""The summary that a run prints when it ends."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from codekiln.report import metrics as m
from codekiln.report.markup import visible
from codekiln.report.numerals import MINUS, NONE, SPACE, duration, plural, size
from codekiln.report.schema import Report, load

WIDTH = 100


def text_summary(report: dict[str, Any], folder: Path | None = None) -> list[str]:
    """The figures before and after, the verdict and where the files are, in lines of at most 100 columns.

    `folder` is the run folder, shown before the names of the files; a longer path is not broken.

    Raises:
        RunError: the report does not fit `codekiln.report.schema.Report`.
    """
    checked = load(report)
    blocks = [_figures(checked), _verdict(checked), _checks(checked), _files(checked, folder)]
    lines: list[str] = []
    for block in blocks:
        if block:
            lines += [*([""] if lines else []), *block]
    return lines


def _ascii(text: str) -> str:
    """Our own typography in ASCII, for terminals with any encoding."""
    return text.replace(MINUS, "-").replace(NONE, "-").replace(SPACE, " ")


def _plain(text: str) -> str:
    """A text fit for a terminal: one line, no control characters."""
    return visible(_ascii(" ".join(text.split())))


def _figures(report: Report) -> list[str]:
    rows = m.rows(report.metrics, report.counts)
    if not rows:
        return []
    lines = [f"{'held-out code':<34}{'before':>8}{'after':>8}{'difference':>12}  95 % interval"]
    for row in rows:
        change, bounds = m.difference(row.metric, row.difference)
        shown = f"{_plain(row.metric.name):<34.34}{m.value(row.metric, row.before.value):>8}"
        shown += (
            f"{m.value(row.metric, row.after.value):>8}{change.replace('points', 'pp'):>12}  {bounds:<21}"
        )
        lines.append((_ascii(shown) + (m.outcome(row) or "")).rstrip())
    return [*lines, "Bits per byte: lower is better. Others: higher is better. pp: percentage points."]


def _verdict(report: Report) -> list[str]:
    if report.verdict is None:
        return []
    return textwrap.wrap(_plain(f"{report.verdict.word.capitalize()}. {report.verdict.sentence}"), WIDTH)


def _checks(report: Report) -> list[str]:
    checks = report.export.checks
    if not checks:
        return []
    good = sum(check.ok for check in checks)
    lines = [f"export checks: {good} of {len(checks)} passed"]
    for check in checks:
        if not check.ok:
            lines += textwrap.wrap(_plain(f"  failed: {check.arrow}, {check.measure}. {check.detail}"), WIDTH)
    return lines


def _files(report: Report, folder: Path | None) -> list[str]:
    def place(name: str) -> str:
        return _plain(name if folder is None else str(folder / name))

    entries = [
        (place(item.path), f"{item.what}" + (f", {size(item.bytes)}" if item.bytes else ""))
        for item in report.export.files
        if folder is None or (folder / item.path).exists()
    ]
    entries.append((place("report.html"), "this run with plots and samples; open it in a browser"))
    entries.append((place("report.json"), "every figure"))
    width = min(52, max(len(path) for path, _ in entries))
    lines = []
    for path, what in entries:
        line = f"{path:<{width}}  {_plain(what)}".rstrip()
        lines.append(line if len(line) <= WIDTH or len(path) > WIDTH - 12 else line[: WIDTH - 3] + "...")
    seconds = [stage.seconds for stage in report.stages if stage.seconds is not None]
    if seconds:
        lines.append(f"{plural(len(report.stages), 'stage')} in {_plain(duration(sum(seconds)))}")
    return lines
