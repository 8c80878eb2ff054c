"""The table of attacks as the documentation shows it: what is declared, which the tests hold against what happens."""

from __future__ import annotations

from collections.abc import Iterator

from codekiln.sandbox.attacks import ATTACKS, CHEATS
from codekiln.sandbox.attacks.cheats import TOLD_BY
from codekiln.sandbox.attacks.checking import LEVELS


def markdown() -> Iterator[str]:
    """Lines of a table, a row an attack, and below it why what is not held is not."""
    reasons = list(dict.fromkeys(reason for attack in ATTACKS for reason in attack.open_at.values()))
    yield "| attack | what it does | held is told by | " + " | ".join(LEVELS) + " |"
    yield "| --- | --- | --- |" + " --- |" * len(LEVELS)
    for attack in ATTACKS:
        cells = [
            f"no ({reasons.index(attack.open_at[level]) + 1})" if level in attack.open_at else "held"
            for level in LEVELS
        ]
        yield f"| {attack.name} | {attack.tries} | {attack.told_by} | {' | '.join(cells)} |"
    for cheat in CHEATS:
        yield f"| verdict: {cheat.name} | {cheat.tries} | {TOLD_BY} |" + " held |" * len(LEVELS)
    yield ""
    for number, reason in enumerate(reasons, 1):
        yield f"{number}. {reason[0].upper()}{reason[1:]}."
