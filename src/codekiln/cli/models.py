"""`codekiln models`: which models there are, and getting, checking and finding them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from codekiln.cli.common import emit, json_option, table
from codekiln.errors import RunError


@click.group()
def models() -> None:
    """Models: list the catalogue, fetch, verify, and print where one is."""


@models.command("list")
@json_option
def list_models(as_json: bool) -> None:
    """List the catalogue: parameters, licence, source, and whether this machine has the model."""
    from codekiln.modeling.catalogue import CATALOGUE

    rows = [_row(name) for name in CATALOGUE]
    cells = [
        (
            row["name"],
            f"{row['parameters'] / 1e9:.2f} B",
            row["license"],
            row["here"] or "-",
            ", ".join(row["sources"]),
        )
        for row in rows
    ]
    emit({"models": rows}, as_json, table(cells, ("name", "parameters", "licence", "here", "sources")))


@models.command()
@click.argument("name")
@click.option("--force", is_flag=True, help="Remove codekiln's prepared copy first.")
@json_option
def fetch(name: str, force: bool, as_json: bool) -> None:
    """Fetch a model of the catalogue, if it is not here yet."""
    from codekiln.modeling.fetch import fetch as fetch_model

    found = _document(fetch_model(name, force=force))
    emit(found, as_json, [f"{found['name']} ({found['source']}, {found['license']}): {found['path']}"])


@models.command()
@click.argument("name_or_path")
@json_option
def verify(name_or_path: str, as_json: bool) -> None:
    """Check every byte of a model on this machine against its recorded hashes."""
    from codekiln.modeling.verify import require_sound
    from codekiln.modeling.verify import verify as verify_model

    result = verify_model(name_or_path)
    checked = f"{result.files} files match their hashes" if result.files else "structure checked"
    line = f"{result.checkpoint.path}: {checked}, weights {result.checkpoint.sha256}"
    document = {"files": result.files, "damaged": result.damaged, "ok": not result.damaged}
    emit({**_document(result.checkpoint), **document}, as_json, [] if result.damaged else [line])
    require_sound(result)


@models.command()
@click.argument("name_or_path")
@json_option
def path(name_or_path: str, as_json: bool) -> None:
    """Print the checkpoint folder of a model on this machine; never fetches."""
    from codekiln.modeling.fetch import resolve

    found = _document(resolve(name_or_path, allow_fetch=False))
    emit(found, as_json, [found["path"]])


def _document(checkpoint: Any) -> dict[str, Any]:
    return {**asdict(checkpoint), "path": str(checkpoint.path)}


def _row(name: str) -> dict[str, Any]:
    from codekiln.modeling.catalogue import CATALOGUE
    from codekiln.modeling.fetch import locate

    entry = CATALOGUE[name]
    here: str | None = None
    folder: str | None = None
    problem: str | None = None
    try:
        located = locate(name)
        if located is not None:
            here, folder = located[0], str(located[1])
    except RunError as error:
        here, problem = "damaged", str(error)
    return {
        "name": entry.name,
        "hub_id": entry.hub_id,
        "revision": entry.revision,
        "license": entry.license,
        "parameters": entry.parameters,
        "non_embedding_parameters": entry.non_embedding_parameters,
        "instruct": entry.instruct,
        "sources": ["hub", "mirror"] if entry.mirror else ["hub"],
        "here": here,
        "path": folder,
        "problem": problem,
    }
