"""`codekiln eval`: one model on the held-out files of a corpus."""

from __future__ import annotations

import os
from pathlib import Path

import click

from codekiln.cli.common import emit, json_option, output_folder, set_option, table, threads_option


@click.command()
@click.argument("model", metavar="MODEL")
@click.option("--corpus", required=True, metavar="CORPUS", help="Folder `corpus` of `codekiln corpus build`.")
@click.option("-o", "--output", required=True, metavar="DIR", help="Folder of the measurement.")
@click.option("--recipe", default="quickstart", show_default=True, help="Recipe whose `proof` applies.")
@set_option
@threads_option
@json_option
def eval(
    model: str, corpus: str, output: str, recipe: str, overrides: tuple[str, ...], threads: int, as_json: bool
) -> None:
    """Measure MODEL (a catalogue name or a checkpoint folder) on files it was not trained on.

    Bits per byte of the text and of infilled middles, exact match and edit similarity of single lines and blocks,
    and how often the model stops by itself. `codekiln compare` sets two such measurements side by side.
    """
    from codekiln.evaluation.proof import compare
    from codekiln.modeling.fetch import resolve
    from codekiln.pipeline.runner import bring, locked
    from codekiln.pipeline.stages import checkpoint_inputs, proof_stage
    from codekiln.recipe import load_recipe

    loaded, folder = load_recipe(recipe, overrides, ("training", "proof", "seed")), output_folder(output)
    checkpoint = resolve(model)
    with locked(folder, ["eval"]):
        stage = proof_stage(
            "eval",
            loaded,
            checkpoint.path,
            checkpoint_inputs(checkpoint),
            Path(corpus),
            dtype=_precision(folder / "precision.json", loaded.training.dtype),
            threads=threads,
        )
        bring(folder / "eval", stage)
    figures = compare(folder / "eval", folder / "eval", loaded.proof, loaded.seed)
    document = {"model": checkpoint.name, "metrics": figures["after"], "counts": figures["counts"]}
    rows = [(name, row["value"], row["low"], row["high"]) for name, row in figures["after"].items()]
    emit(document, as_json, table(rows, ("metric", "value", "low", "high")))


def _precision(record: Path, chosen: str) -> str:
    """The dtype that the folder's first measurement took; measured once, since load would change it."""
    from codekiln.errors import UserError
    from codekiln.modeling.precision import choose_dtype
    from codekiln.shards.disk import read_json, write_json

    if not os.path.lexists(record):
        write_json(record, {"dtype": choose_dtype(2.0)[0] if chosen == "auto" else chosen})
    found = read_json(record)
    if not isinstance(found, dict) or found.get("dtype") not in ("bfloat16", "float32"):
        raise UserError(f"{record} is not what codekiln wrote; give a new folder with -o, or move it away")
    return str(found["dtype"])
