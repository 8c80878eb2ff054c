"""`codekiln sandbox`: programs that nobody has read, run so that they harm nobody."""

from __future__ import annotations

import click

from codekiln.cli.sandbox_check import check
from codekiln.cli.sandbox_run import run


@click.group()
def sandbox() -> None:
    """Run programs that nobody has read, and check what holds them."""


sandbox.add_command(run)
sandbox.add_command(check)
