"""`codekiln compare`: two measurements of the same held-out files."""

from __future__ import annotations

from pathlib import Path

import click

from codekiln.cli.common import emit, json_option, set_option, table


@click.command()
@click.argument("before", metavar="BEFORE")
@click.argument("after", metavar="AFTER")
@click.option("--recipe", default="quickstart", show_default=True, help="Recipe whose `proof` applies.")
@set_option
@json_option
def compare(before: str, after: str, recipe: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Set two folders of `codekiln eval` side by side: each metric, the difference and its 95 % interval.

    The difference is AFTER - BEFORE, by a paired bootstrap over the held-out files.
    """
    from codekiln.evaluation.proof import compare as compare_proofs
    from codekiln.evaluation.proof import verdict
    from codekiln.recipe import load_recipe

    loaded = load_recipe(recipe, overrides, ("proof", "seed"))
    figures = compare_proofs(_proof(before), _proof(after), loaded.proof, loaded.seed)
    told = verdict(figures)
    rows = [
        (
            name,
            figures["before"][name]["value"],
            figures["after"][name]["value"],
            figures["difference"][name]["value"],
            figures["difference"][name]["low"],
            figures["difference"][name]["high"],
        )
        for name in figures["difference"]
    ]
    lines = table(rows, ("metric", "before", "after", "difference", "low", "high"))
    emit({**figures, "verdict": told}, as_json, [*lines, "", told["sentence"]])


def _proof(folder: str) -> Path:
    """The measurement in a folder of `codekiln eval`, or the folder itself."""
    inner = Path(folder) / "eval"
    return inner if inner.is_dir() else Path(folder)
