"""What every page shares: one HTML document that needs nothing else, not even JavaScript, and may load nothing."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources

from codekiln.report.markup import Child, Markup, el, section


@cache
def _style() -> str:
    return resources.files("codekiln.report").joinpath("page.css").read_text(encoding="utf-8")


def _policy(style: str) -> str:
    """A content security policy that allows this style sheet and nothing else."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def frame(title: str, header: Markup, parts: list[tuple[str, str, list[Child]]], footer: Child) -> str:
    """The document: header, links to the parts, the parts as (id, heading, content), footer."""
    links = el("ul", [el("li", el("a", heading, href=f"#{ident}")) for ident, heading, _ in parts])
    style = Markup(_style())
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=_policy(style)),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", name="referrer", content="no-referrer"),
        el("title", title),
        el("style", style),
    )
    body = el(
        "body",
        el("a", "Skip to the figures", href=f"#{parts[0][0]}", class_="skip") if parts else None,
        header,
        el("nav", links, aria_label="Sections") if parts else None,
        el("main", [section(ident, heading, *content) for ident, heading, content in parts]),
        el("footer", footer),
    )
    return f"<!DOCTYPE html>\n{el('html', head, body, lang='en')}\n"
