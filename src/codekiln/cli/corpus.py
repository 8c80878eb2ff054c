"""`codekiln corpus`: sources to clean, deduplicated, split files; and why a file was kept or dropped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from codekiln.cli.common import emit, json_option, output_folder, set_option, table, workers_option
from codekiln.cli.decontaminate import decontaminate


@click.group()
def corpus() -> None:
    """Build a corpus from repositories, and ask it about its files."""


corpus.add_command(decontaminate)


@corpus.command()
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@click.option("-o", "--output", required=True, metavar="DIR", help="Folder of the corpus.")
@click.option(
    "--recipe", default="quickstart", show_default=True, help="Recipe whose `sources` and `corpus` apply."
)
@set_option
@workers_option
@json_option
def build(
    sources: tuple[str, ...],
    output: str,
    recipe: str,
    overrides: tuple[str, ...],
    workers: int,
    as_json: bool,
) -> None:
    """Read SOURCEs (git repositories, folders, files, archives), filter, deduplicate and split them.

    Without a SOURCE: the recipe's, or else the standard library of this Python. Writes DIR/sources and
    DIR/corpus; what is up to date is not made again.
    """
    from codekiln.corpus.build import summarize
    from codekiln.pipeline.runner import bring, locked
    from codekiln.pipeline.stages import corpus_stage, sources_stage
    from codekiln.recipe import Given, load_recipe
    from codekiln.shards import LocalExecutor

    chosen = [Given("SOURCE", "sources.paths", list(sources))] if sources else []
    loaded, folder, executor = (
        load_recipe(recipe, [*overrides, *chosen]),
        output_folder(output),
        LocalExecutor(workers),
    )
    with locked(folder, ["sources", "corpus"], sources=loaded.sources.paths):
        bring(folder / "sources", sources_stage(loaded, executor))
        bring(folder / "corpus", corpus_stage(loaded, folder / "sources", executor))
    summary = summarize(folder / "sources", folder / "corpus")
    rows = [(name, counts["files"], counts["bytes"]) for name, counts in summary["funnel"].items()]
    lines = table(rows, ("", "files", "bytes"))
    reasons = [*summary["skipped"], *summary["drops"]]
    if reasons:
        lines += [
            "",
            *table(
                [(row["reason"], row["files"], row["bytes"]) for row in reasons],
                ("dropped for", "files", "bytes"),
            ),
        ]
    emit(summary, as_json, lines)


@corpus.command()
@click.argument("folder", metavar="DIR")
@click.argument("path", metavar="PATH")
@json_option
def explain(folder: str, path: str, as_json: bool) -> None:
    """Tell why the file PATH was kept or dropped: signals, rules, copies, split, licence.

    DIR is the folder of `corpus build`, or of a run.
    """
    from codekiln.corpus.explain import explain as explain_file

    root = Path(folder) / "stages" if (Path(folder) / "stages").is_dir() else Path(folder)
    told = explain_file(root / "sources", root / "corpus", path)
    emit(told, as_json, _indented(told))


def _indented(value: dict[str, Any], depth: int = 0) -> list[str]:
    """Nested dictionaries as indented `key: value` lines."""
    lines: list[str] = []
    for key, item in value.items():
        if isinstance(item, dict):
            lines += ["  " * depth + f"{key}:", *_indented(item, depth + 1)]
        elif isinstance(item, list) and item and isinstance(item[0], dict):
            rows = table(
                [["" if cell is None else cell for cell in row.values()] for row in item], list(item[0])
            )
            lines += ["  " * depth + f"{key}:", *("  " * (depth + 1) + row for row in rows)]
        else:
            lines.append("  " * depth + f"{key}: {item}")
    return lines
