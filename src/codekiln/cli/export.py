"""`codekiln export`: trained tensors to files that other tools load."""

from __future__ import annotations

from pathlib import Path

import click

from codekiln.cli.common import emit, json_option, output_folder, set_option, table, threads_option


@click.command()
@click.argument("training", metavar="TRAINING")
@click.option("-m", "--model", metavar="MODEL", help="The model that was trained: catalogue name or folder.")
@click.option("-o", "--output", required=True, metavar="DIR", help="Folder of the exports.")
@click.option("--recipe", default="quickstart", show_default=True, help="Recipe whose `export` applies.")
@set_option
@threads_option
@json_option
def export(
    training: str,
    model: str | None,
    output: str,
    recipe: str,
    overrides: tuple[str, ...],
    threads: int,
    as_json: bool,
) -> None:
    """Merge TRAINING (the folder `training` of `codekiln train`) into a checkpoint and GGUF files.

    Writes DIR/export with model/ (transformers), adapter/ (PEFT) and model-*.gguf (llama.cpp), and compares the
    model on both sides of each conversion. Exit code 1 when a comparison fails.
    """
    from codekiln.errors import RunError
    from codekiln.modeling.fetch import resolve
    from codekiln.pipeline.runner import bring, locked
    from codekiln.pipeline.stages import export_stage
    from codekiln.recipe import load_recipe
    from codekiln.shards.disk import read_json

    loaded, folder = load_recipe(recipe, overrides, ("name", "model", "export")), output_folder(output)
    checkpoint = resolve(model or loaded.model.name)
    with locked(folder, ["export"]):
        bring(folder / "export", export_stage(loaded, Path(training), checkpoint, threads))
    checks = read_json(folder / "export" / "checks.json")
    rows = [
        (check["arrow"], check["value"], check["limit"], "ok" if check["ok"] else "FAILED")
        for check in checks
    ]
    emit(
        {"folder": str(folder / "export"), "checks": checks},
        as_json,
        table(rows, ("arrow", "value", "limit", "")),
    )
    if not all(check["ok"] for check in checks):
        raise RunError(f"{folder / 'export'}: an export check failed; see checks.json there")
