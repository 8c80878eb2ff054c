"""`codekiln report`: the page of a run, drawn again from its figures."""

from __future__ import annotations

from pathlib import Path

import click

from codekiln.cli.common import emit, json_option


@click.command()
@click.argument("folder", metavar="RUN")
@json_option
def report(folder: str, as_json: bool) -> None:
    """Write RUN/report.html from RUN/report.json again, and print the summary."""
    from codekiln.errors import UserError
    from codekiln.report import text_summary, write_report
    from codekiln.shards.disk import read_json

    path = Path(folder) / "report.json"
    if not path.is_file():
        raise UserError(f"{path} does not exist; `codekiln run` writes it at the end of a run")
    document = read_json(path)
    page = Path(folder) / "report.html"
    if page.is_file() and b"codekiln run report" not in page.read_bytes()[:4096]:
        raise UserError(f"{page}: codekiln has not made this; move it away, or give another folder")
    write_report(Path(folder), document)
    emit(document, as_json, text_summary(document, Path(folder)))
