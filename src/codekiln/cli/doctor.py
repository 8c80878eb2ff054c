"""`codekiln doctor`: what this machine can do, what is missing, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from codekiln.cli.checks import Check, all_checks
from codekiln.cli.checks_sandbox import sandbox_checks
from codekiln.cli.common import emit, json_option, table


@click.command()
@json_option
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Check processor, memory, disk, packages, tools, caches and the sandbox. Exit code 1: quickstart cannot run here."""
    checks, measured = all_checks()
    checks += sandbox_checks()
    ready = not any(check.needed and check.status == "missing" for check in checks)
    document = {"ready": ready, "checks": [check.document() for check in checks], "measured": measured}
    emit(document, as_json, _lines(checks, ready))
    context.exit(0 if ready else 1)


def _lines(checks: list[Check], ready: bool) -> Iterator[str]:
    yield from table([(one.status, one.name, one.value) for one in checks])
    advice = [one for one in checks if one.advice]
    if advice:
        yield ""
        yield from table([(f"{one.name}:", one.advice) for one in advice])
    yield ""
    if ready:
        yield "Ready: codekiln run quickstart"
    else:
        lacking = [one.name for one in checks if one.needed and one.status == "missing"]
        yield f"Not ready for codekiln run quickstart; needed: {', '.join(lacking)}"
