"""The page: one HTML file that needs nothing else, not even JavaScript, and may load nothing from anywhere."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources
from typing import Any

from codekiln.report import flow, sections
from codekiln.report.markup import Child, Markup, el, note, section
from codekiln.report.proof import header, proof, run_title
from codekiln.report.samples import samples
from codekiln.report.schema import Report, load


@cache
def _style() -> str:
    return resources.files("codekiln.report").joinpath("page.css").read_text(encoding="utf-8")


def _policy(style: str) -> str:
    """A content security policy that allows this style sheet and nothing else."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def render(report: dict[str, Any]) -> str:
    """The report as one HTML document; the same report gives the same text.

    Raises:
        RunError: the report does not fit `codekiln.report.schema.Report`.
    """
    return page(load(report))


def page(report: Report) -> str:
    """The HTML document of a checked report."""
    parts = _sections(report)
    links = el("ul", [el("li", el("a", heading, href=f"#{ident}")) for ident, heading, _ in parts])
    style = Markup(_style())
    word = f": {report.verdict.word}" if report.verdict else ""
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=_policy(style)),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", name="referrer", content="no-referrer"),
        el("title", f"{run_title(report)}{word} - codekiln run report"),
        el("style", style),
    )
    body = el(
        "body",
        el("a", "Skip to the figures", href=f"#{parts[0][0]}", class_="skip") if parts else None,
        header(report),
        el("nav", links, aria_label="Sections") if parts else None,
        el("main", [section(ident, heading, *content) for ident, heading, content in parts]),
        el("footer", note("Every figure of this page is in report.json beside it.", _not_finite(report))),
    )
    return f"<!DOCTYPE html>\n{el('html', head, body, lang='en')}\n"


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
