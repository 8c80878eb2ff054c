"""`codekiln run`: a whole recipe in one folder."""

from __future__ import annotations

from pathlib import Path

import click

from codekiln.cli.common import (
    emit,
    executor_option,
    json_option,
    output_folder,
    set_option,
    shards_option,
    table,
    threads_option,
    workers_option,
)


@click.command()
@click.argument("recipe", default="quickstart")
@click.option(
    "--source",
    "sources",
    multiple=True,
    metavar="PATH",
    help="Git repository, folder, file, archive, package (pypi:NAME, npm:NAME) or table to learn from; repeat for several. "
    "Default: the recipe's, or else the standard library of this Python.",
)
@click.option("-o", "--output", metavar="DIR", help="Folder of the run.  [default: runs/NAME]")
@click.option(
    "-m", "--model", metavar="MODEL", help="Name from `codekiln models list`, or a checkpoint folder."
)
@click.option("--tokens", type=click.IntRange(min=1), help="Budget in training tokens.")
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="Budget in minutes of training.")
@click.option(
    "--split", type=click.Choice(["file", "time"]), help="How files are held out: by seed, or the latest."
)
@click.option("--seed", type=click.IntRange(min=0), help="Seed of every random choice.")
@set_option
@click.option(
    "--until",
    type=click.Choice(["sources", "corpus", "plan", "before", "dataset", "training", "export", "after"]),
    help="Stop after this stage.",
)
@click.option("--dry-run", is_flag=True, help="Only show the stages and which are up to date.")
@workers_option
@executor_option
@shards_option
@threads_option
@json_option
def run(
    recipe: str,
    sources: tuple[str, ...],
    output: str | None,
    model: str | None,
    tokens: int | None,
    minutes: float | None,
    split: str | None,
    seed: int | None,
    overrides: tuple[str, ...],
    until: str | None,
    dry_run: bool,
    workers: int,
    executor: str,
    shards: str | None,
    threads: int,
    as_json: bool,
) -> None:
    """Adapt a model to code and prove what it brought.

    RECIPE is a built-in name (`codekiln recipes`) or a YAML file. The run's folder receives report.html,
    report.json, model/ (merged checkpoint), adapter/ (PEFT) and GGUF files; stages/ holds what each stage made.
    Interrupt it at any time: the same command goes on where it stopped.

    \b
      codekiln run quickstart                          # the standard library of this Python
      codekiln run quickstart --source path/to/repo    # your code
      codekiln run quickstart --source repo --minutes 30 -o runs/repo
      codekiln run my-recipe.yaml --set training.rank=32
    """
    from codekiln.errors import UserError
    from codekiln.pipeline.run import Run
    from codekiln.recipe import Given, load_recipe
    from codekiln.shards import choose, stored

    if tokens is not None and minutes is not None:
        raise UserError("give either --tokens or --minutes, not both")
    given = [
        Given("--source", "sources.paths", list(sources) or None),
        Given("--model", "model.name", model),
        Given("--tokens", "training.tokens", tokens),
        Given("--minutes", "training.minutes", minutes),
        Given("--split", "corpus.split", split),
        Given("--seed", "seed", seed),
    ]
    loaded = load_recipe(recipe, [*overrides, *(one for one in given if one.value is not None)])
    folder = Path("runs") / loaded.name if output is None else output_folder(output)
    work = Run(loaded, folder, executor=choose(executor, workers), threads=threads)
    work.check()
    if dry_run:
        rows = work.dry_run(until) if until else work.dry_run()
        lines = table([[row["stage"], row["state"]] for row in rows], headers=("stage", "state"))
        emit(
            {"recipe": loaded.name, "folder": str(folder), "stages": rows},
            as_json,
            [f"recipe {loaded.name}, folder {folder}", *lines],
        )
        return
    with work.hold(), stored(folder, shards):
        if until is not None:
            work.up_to(until)
            line = f"{folder / 'stages' / until}: done; the same command without --until goes on from here"
            emit({"folder": str(folder), "stages": work.records}, as_json, [line])
            return
        report = work.finish()
    from codekiln.report import text_summary

    emit(report, as_json, text_summary(report, folder))
