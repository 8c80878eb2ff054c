"""`codekiln dataset`: clean files to packed training rows, and a look at them."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import click

from codekiln.cli.common import (
    emit,
    executor_option,
    json_option,
    output_folder,
    set_option,
    stage_root,
    table,
    workers_option,
)
from codekiln.errors import UserError


@click.group()
def dataset() -> None:
    """Build packed training rows, and look at them."""


@dataset.command()
@click.argument("corpus", metavar="CORPUS")
@click.option(
    "-m", "--model", metavar="MODEL", help="Whose tokenizer: a catalogue name or a checkpoint folder."
)
@click.option(
    "--tokens", type=click.IntRange(min=1), required=True, help="Training tokens that the rows must hold."
)
@click.option("-o", "--output", required=True, metavar="DIR", help="Folder of the dataset.")
@click.option("--recipe", default="quickstart", show_default=True, help="Recipe whose `dataset` applies.")
@set_option
@workers_option
@executor_option
@json_option
def build(
    corpus: str,
    model: str | None,
    tokens: int,
    output: str,
    recipe: str,
    overrides: tuple[str, ...],
    workers: int,
    executor: str,
    as_json: bool,
) -> None:
    """Tokenize the training files of CORPUS, cut fill-in-the-middle samples and pack rows into DIR/dataset.

    CORPUS is the folder `corpus` that `codekiln corpus build -o X` makes in X.
    """
    from codekiln.dataset.stats import stats
    from codekiln.modeling.fetch import resolve
    from codekiln.pipeline.runner import bring, locked
    from codekiln.pipeline.stages import dataset_stage
    from codekiln.recipe import load_recipe
    from codekiln.shards import choose

    loaded, folder = load_recipe(recipe, overrides, ("model", "dataset", "seed")), output_folder(output)
    checkpoint = resolve(model or loaded.model.name)
    with locked(folder, ["dataset"]):
        stage = dataset_stage(loaded, Path(corpus), checkpoint, tokens, choose(executor, workers))
        bring(folder / "dataset", stage)
    figures = stats(folder / "dataset")
    rows = [(name, value) for name, value in figures.items() if isinstance(value, int | float)]
    rows += [(f"documents {form}", count) for form, count in figures["forms"].items()]
    emit(figures, as_json, table(rows))


@dataset.command()
@click.argument("folder", metavar="DIR")
@click.option(
    "-m", "--model", metavar="MODEL", help="Whose tokenizer: a catalogue name or a checkpoint folder."
)
@click.option("--level", type=click.Choice(["file", "repository"]), default="file", show_default=True)
@click.option("-n", "--rows", "count", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--from", "first", type=click.IntRange(min=0), default=0, show_default=True, help="First row.")
@json_option
def show(folder: str, model: str | None, level: str, count: int, first: int, as_json: bool) -> None:
    """Print training rows as text, with control tokens made visible.

    DIR is the folder of `dataset build`, or of a run.
    """
    from codekiln.dataset.inspect import render_row
    from codekiln.modeling.fetch import resolve
    from codekiln.modeling.tokenizer import load_tokenizer
    from codekiln.recipe import ModelConfig
    from codekiln.shards import Dataset

    root = stage_root(folder, "dataset")
    rows_there = Dataset.open(root / "dataset" / level)
    if first >= len(rows_there):
        raise UserError(
            f"{root / 'dataset' / level} has {len(rows_there)} rows, numbered from 0; --from is {first}"
        )
    tokenizer = load_tokenizer(resolve(model or ModelConfig().name).path)
    rows = list(islice(rows_there.rows(), first, first + count))
    texts = [render_row(row, tokenizer) for row in rows]
    document = [
        {"row": row["row"], "documents": row["documents"], "text": text} for row, text in zip(rows, texts)
    ]
    emit(document, as_json, [line for text in texts for line in text.splitlines()])
