"""`codekiln train`: a packed dataset and a checkpoint to trained tensors."""

from __future__ import annotations

from pathlib import Path

import click

from codekiln.cli.common import emit, json_option, output_folder, set_option, threads_option


@click.command()
@click.argument("dataset", metavar="DATASET")
@click.option("-m", "--model", metavar="MODEL", help="Catalogue name or checkpoint folder to start from.")
@click.option(
    "--tokens", type=click.IntRange(min=1), help="Budget in tokens.  [default: what DATASET was built for]"
)
@click.option("-o", "--output", required=True, metavar="DIR", help="Folder of the training.")
@click.option("--recipe", default="quickstart", show_default=True, help="Recipe whose `training` applies.")
@set_option
@threads_option
@json_option
def train(
    dataset: str,
    model: str | None,
    tokens: int | None,
    output: str,
    recipe: str,
    overrides: tuple[str, ...],
    threads: int,
    as_json: bool,
) -> None:
    """Train on DATASET (the folder `dataset` that `codekiln dataset build -o X` makes in X).

    Writes DIR/training with the adapter in PEFT's format (or all weights) and metrics.jsonl. Interrupt it at any
    time: the same command goes on from the last checkpoint.
    """
    from codekiln.errors import UserError
    from codekiln.modeling.fetch import resolve
    from codekiln.pipeline.runner import bring, locked, output_hash, read_record
    from codekiln.pipeline.stages import plan_stage, read_plan, training_stage
    from codekiln.recipe import load_recipe
    from codekiln.training.engine import read_metrics, read_rate

    source, folder = Path(dataset), output_folder(output)
    loaded = load_recipe(recipe, overrides, ("model", "dataset", "training", "seed"))
    checkpoint = resolve(model or loaded.model.name)
    output_hash(source)  # names the mistake where DATASET is another folder
    record = read_record(source)
    share = record["config"].get("repository_share")
    if record["stage"] != "dataset" or not isinstance(share, int | float):
        raise UserError(
            f"{source} is no dataset but the output of stage {record['stage']}; give the folder `dataset` that "
            "`codekiln dataset build` makes"
        )
    # What the dataset was built for: the sum of its rows would be shared out between the levels in another way.
    budget = tokens or int(record["config"]["tokens"])
    training = loaded.training.model_copy(update={"tokens": budget, "minutes": None})
    loaded = loaded.model_copy(
        update={
            "training": training,
            # The dataset says how its budget was shared between the levels.
            "dataset": loaded.dataset.model_copy(update={"repository_share": float(share)}),
        }
    )
    with locked(folder, ["plan", "training"]):
        bring(folder / "plan", plan_stage(loaded, checkpoint, threads))
        bring(folder / "training", training_stage(loaded, source, checkpoint, read_plan(folder / "plan")))
    metrics, rate = read_metrics(folder / "training"), read_rate(folder / "training")
    document = {**rate, "loss": metrics[-1]["loss"], "losses": metrics[-1]["losses"], "folder": str(folder)}
    line = (
        f"{rate['tokens']} tokens in {rate['steps']} steps, {rate['tokens_per_second']:.1f} tokens/s, "
        f"last loss {metrics[-1]['loss']:.3f}"
    )
    emit(document, as_json, [line, f"{folder / 'training'}"])
