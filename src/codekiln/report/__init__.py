"""One self-contained HTML page, a JSON file and a terminal summary for each run."""

from __future__ import annotations

from codekiln.report.page import render
from codekiln.report.terminal import text_summary
from codekiln.report.write import write_report

__all__ = ["render", "text_summary", "write_report"]
