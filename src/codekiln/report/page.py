"""The page of a run."""

from __future__ import annotations

from typing import Any

from codekiln.report import flow, sections
from codekiln.report.frame import frame
from codekiln.report.markup import Child, note
from codekiln.report.proof import header, proof, run_title
from codekiln.report.samples import samples
from codekiln.report.schema import Report, load


def render(report: dict[str, Any]) -> str:
    """The report as one HTML document; the same report gives the same text.

    Raises:
        RunError: the report does not fit `codekiln.report.schema.Report`.
    """
    return page(load(report))


def page(report: Report) -> str:
    """The HTML document of a checked report."""
    word = f": {report.verdict.word}" if report.verdict else ""
    footer = note("Every figure of this page is in report.json beside it.", _not_finite(report))
    return frame(
        f"{run_title(report)}{word} - codekiln run report", header(report), _sections(report), footer
    )


def _not_finite(report: Report) -> Child:
    if not report.not_finite:
        return None
    shown = ", ".join(report.not_finite[:20]) + (", …" if len(report.not_finite) > 20 else "")
    return f" Not a finite number, and left out: {shown}."


def _sections(report: Report) -> list[tuple[str, str, list[Child]]]:
    """(id, heading, content) of every section that has content."""
    made: list[tuple[str, str, list[Child]]] = [
        ("proof", "Before and after", proof(report)),
        ("samples", "Samples", [samples(report.samples)] if report.samples else []),
        ("funnel", "What went in and what came out", _flow(report)),
        ("dataset", "Training data", [flow.dataset(report.dataset)] if report.dataset else []),
        ("training", "Training", sections.training(report.training) if report.training else []),
        ("export", "Exported files and checks", sections.export(report.export)),
        ("provenance", "Provenance and licences", sections.provenance(report.provenance)),
        ("run", "Model, configuration and timings", _run(report)),
    ]
    return [(ident, heading, content) for ident, heading, content in made if any(content)]


def _flow(report: Report) -> list[Child]:
    return [
        flow.funnel(report.funnel) if report.funnel else None,
        flow.drops(report.drops) if report.drops else None,
        flow.languages(report.languages) if report.languages else None,
    ]


def _run(report: Report) -> list[Child]:
    return [
        sections.model(report.model) if report.model else None,
        sections.stages(report) if report.stages else None,
        sections.environment(report.environment) if report.environment else None,
        sections.configuration(report.config) if report.config else None,
    ]
