"""`codekiln sandbox check`: attacks, run for real on this machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import click

from codekiln.cli.common import emit, json_option, table
from codekiln.errors import UserError

_WORDS = {"held": "held", "escaped": "ESCAPED", "open": "not held here", "not tried": "not tried"}


@click.command()
@click.option(
    "--isolation",
    default="auto",
    show_default=True,
    metavar="auto|A|B|C",
    help="Level to check; auto is the best that this machine has.",
)
@click.option(
    "--at-least",
    type=click.Choice(["A", "B", "C"], case_sensitive=False),
    help="Lowest level to be content with: below it nothing is run, and the exit code is 2.",
)
@click.option("--quick", is_flag=True, help="Only attacks that take less than half a second.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the table of what is held; run nothing.")
@json_option
@click.pass_context
def check(
    context: click.Context,
    isolation: str,
    at_least: str | None,
    quick: bool,
    as_markdown: bool,
    as_json: bool,
) -> None:
    """Attack the sandbox of this machine, and tell what it holds.

    Exit code 0: all that the level promises is held; 1: something got through; 2: no level is to be had, or
    only a lower one than --at-least.
    """
    if as_markdown:
        from codekiln.sandbox.attacks.table import markdown

        for line in markdown():
            click.echo(line)
        return
    document = _document(isolation, at_least, quick)
    emit(document, as_json, _lines(document))
    context.exit(0 if document["held"] else 1)


def _document(isolation: str, at_least: str | None, quick: bool) -> dict[str, Any]:
    from codekiln.sandbox.attacks import ATTACKS, CHEATS, run_attacks, run_cheats
    from codekiln.sandbox.attacks.checking import chosen, versions
    from codekiln.sandbox.isolation import LEVELS

    begun = time.monotonic()
    level, refused = chosen(isolation)
    if at_least and level > at_least:  # by their letters
        reasons = (
            "; ".join(f"not {one}: {why}" for one, why in refused.items() if why)
            or f"--isolation {isolation}"
        )
        raise UserError(f"isolation {level} is below {at_least}, the least that was asked for ({reasons})")
    attacks = {attack.name: attack for attack in ATTACKS if attack.quick or not quick}
    cheats = [cheat for cheat in CHEATS if cheat.quick or not quick]
    click.echo(f"level {level}: {len(attacks) + len(cheats)} attacks", err=True)
    rows = []
    for row in run_attacks(level, list(attacks.values())):
        reason = attacks[row.attack].open_at.get(level, "") if row.state == "open" else ""
        rows.append({**row.document(), "reason": reason})
    for row in run_cheats(level, cheats):
        rows.append({**row.document(), "attack": f"verdict: {row.attack}", "reason": ""})
    escaped = [row["attack"] for row in rows if row["state"] == "escaped"]
    return {
        "level": level,
        "made_of": LEVELS[level],
        "why_not_higher": refused,
        "versions": versions(),
        "held": not escaped,
        "escaped": escaped,
        "attacks": rows,
        "seconds": round(time.monotonic() - begun, 1),
    }


def _lines(document: dict[str, Any]) -> Iterator[str]:
    yield f"Level {document['level']}: {document['made_of']}"
    for level, reason in document["why_not_higher"].items():
        yield f"Not {level}: {reason}"
    yield ", ".join(f"{name} {version or 'none'}" for name, version in document["versions"].items())
    yield ""
    yield from table(
        [(_WORDS[row["state"]], row["attack"], row["reason"] or row["detail"]) for row in document["attacks"]]
    )
    yield ""
    count = len(document["attacks"])
    if document["held"]:
        open_here = sum(row["state"] == "open" for row in document["attacks"])
        beside = f"; {open_here} cannot be held at this level" if open_here else ""
        yield f"All that this level promises is held: {count} attacks in {document['seconds']} s{beside}"
    else:
        yield f"Got through: {', '.join(document['escaped'])}"
