"""`codekiln corpus`: sources to clean, deduplicated, split files; and why a file was kept or dropped."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from codekiln.cli.common import (
    emit,
    executor_option,
    json_option,
    output_file,
    output_folder,
    set_option,
    shards_option,
    stage_root,
    table,
    workers_option,
)
from codekiln.cli.corpus_identify import identify
from codekiln.cli.corpus_secrets import secrets
from codekiln.cli.decontaminate import decontaminate
from codekiln.errors import UserError


@click.group()
def corpus() -> None:
    """Build a corpus from repositories, and ask it about its files."""


corpus.add_command(identify)
corpus.add_command(secrets)
corpus.add_command(decontaminate)


@corpus.command(short_help="Read sources; filter, deduplicate and split them.")
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@click.option("-o", "--output", required=True, metavar="DIR", help="Folder of the corpus.")
@click.option(
    "--recipe", default="corpus", show_default=True, help="Recipe whose `sources` and `corpus` apply."
)
@set_option
@workers_option
@executor_option
@shards_option
@json_option
def build(
    sources: tuple[str, ...],
    output: str,
    recipe: str,
    overrides: tuple[str, ...],
    workers: int,
    executor: str,
    shards: str | None,
    as_json: bool,
) -> None:
    """Read SOURCEs (repositories, folders, files, archives, packages, tables, GitHub events), filter, deduplicate, split.

    Packages: pypi:NAME, pypi:NAME==VERSION, npm:NAME, npm:NAME@VERSION; their source archive is read, nothing is
    installed. Tables (Parquet, JSON Lines): a path, or an address (https://, s3://, hf://datasets/…), also with *;
    those inside a folder are not read. Versions of packages that were chosen stand in DIR/sources.resolved.json, and count until it is deleted.

    Without a SOURCE: the recipe's, or else the standard library of this Python. Writes DIR/sources and
    DIR/corpus; what is up to date is not made again. Only files under permissive licences are kept; for code of
    your own: --set corpus.licenses=any. The commits of a repository are read with --set sources.kinds=[files,commits];
    issues and pull requests from GH Archive's files of events. `codekiln recipes show corpus` lists what --set can
    change: the keys under sources and corpus, and the seed.
    """
    from codekiln.corpus.build import summarize, test_index
    from codekiln.corpus.rules import with_thresholds
    from codekiln.corpus.sources.places import is_local
    from codekiln.pipeline.runner import bring, locked
    from codekiln.pipeline.stages import corpus_stage, sources_stage
    from codekiln.recipe import Given, load_recipe
    from codekiln.shards import choose, stored

    chosen = [Given("SOURCE", "sources.paths", list(sources))] if sources else []
    loaded = load_recipe(recipe, [*overrides, *chosen], ("sources", "corpus", "seed"))
    folder = output_folder(output)
    runner = choose(executor, workers)
    local = list(filter(is_local, loaded.sources.paths))
    # What is wrong with these is told before hours of reading.
    with_thresholds(loaded.corpus.rules, loaded.corpus.rulesets)
    test_index(loaded.corpus)
    with locked(folder, ["sources", "corpus"], sources=local), stored(folder, shards):
        bring(folder / "sources", sources_stage(loaded, runner, folder))
        bring(folder / "corpus", corpus_stage(loaded, folder / "sources", runner))
    summary = summarize(folder / "sources", folder / "corpus")
    rows = [(name, counts["files"], counts["bytes"]) for name, counts in summary["funnel"].items()]
    lines = table(rows, ("", "files", "bytes"))
    if len(summary["kinds"]) > 1:
        kinds = [
            (row["kind"], *(row[f"{stem}_files"] for stem in ("read", "kept", "train", "heldout")))
            for row in summary["kinds"]
        ]
        lines += ["", *table(kinds, ("kind", "read", "kept", "for training", "held out"))]
    reasons = [*summary["skipped"], *summary["drops"]]
    if reasons:
        lines += [
            "",
            *table(
                [(row["reason"], row["files"], row["bytes"]) for row in reasons],
                ("dropped for", "files", "bytes"),
            ),
        ]
    if summary["redactions"]:
        lines += ["", *table(sorted(summary["redactions"].items()), ("replaced in the text", "places"))]
    emit(summary, as_json, lines)


@corpus.command(short_help="Tell why a file was kept or dropped.")
@click.argument("folder", metavar="DIR")
@click.argument("path", metavar="PATH")
@click.option(
    "--unfinished",
    is_flag=True,
    help="Tell of a later build that did not finish, not of the finished corpus.",
)
@json_option
def explain(folder: str, path: str, unfinished: bool, as_json: bool) -> None:
    """Tell why the file PATH was kept or dropped: signals, rules, copies, split, licence.

    DIR is the folder of `corpus build`, or of a run.
    """
    from codekiln.corpus.explain import explain as explain_file
    from codekiln.corpus.explain import unfinished_beside
    from codekiln.progress import say

    root = stage_root(folder, "corpus")
    told = explain_file(root / "sources", root / "corpus", path, unfinished=unfinished)
    if not unfinished and unfinished_beside(root / "sources", root / "corpus"):
        say("a later build did not finish: --unfinished tells of that one")
    emit(told, as_json, _indented(_readable(told)))


@corpus.command("what-if", short_help="Show what other thresholds would keep.")
@click.argument("folder", metavar="DIR")
@click.option(
    "--set",
    "changes",
    multiple=True,
    required=True,
    metavar="RULE=VALUE",
    help="Another threshold, by the name of its rule; repeatable.",
)
@json_option
def what_if(folder: str, changes: tuple[str, ...], as_json: bool) -> None:
    """Show what other thresholds would keep, per language, without reading a file again.

    DIR is the folder of `corpus build`, or of a run. Names and thresholds of the rules: `codekiln corpus explain`
    tells those that dropped a file, a wrong name lists them all.

    \b
      codekiln corpus what-if corpus/ --set max_line_length=2000 --set data_too_long=20000
    """
    from codekiln.corpus.whatif import what_if as reckon

    found = reckon(stage_root(folder, "corpus") / "corpus", dict(_threshold(change) for change in changes))
    rows = [(row["language"], *_now_then(row)) for row in found["languages"]]
    rows.append(("all", *_now_then(found["total"])))
    lines = table([(row["rule"], row["now"], row["then"]) for row in found["rules"]], ("rule", "now", "then"))
    lines += [
        f"{row['rule']} was measured of no file; build the corpus with corpus.parse=on"
        if row["rule"] == "parse_errors"
        else f"{row['rule']} is for none of these files"
        for row in found["rules"]
        if not row["measured"]
    ]
    lines += ["", *table(rows, ("kept", "files now", "then", "bytes now", "then"))]
    for word in ("gained", "lost"):
        if found[word]["files"]:
            lines.append(
                f"{word}: {found[word]['files']} files, such as {', '.join(found[word]['examples'])}"
            )
    emit(found, as_json, lines)


@corpus.command(short_help="Write a page about a corpus.")
@click.argument("folder", metavar="DIR")
@click.option("-o", "--output", metavar="FILE", help="The page.  [default: DIR/corpus.html]")
@click.option(
    "--samples", type=click.IntRange(0, 50), default=3, show_default=True, help="Files shown of each reason."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the draw.")
@json_option
def inspect(folder: str, output: str | None, samples: int, seed: int, as_json: bool) -> None:
    """Write a page about the corpus in DIR: funnel, reasons, languages, licences, real files of each reason.

    DIR is the folder of `corpus build`, or of a run. The page opens from disk and loads nothing.
    """
    from codekiln.corpus.samples import draw
    from codekiln.corpus.summary import how_made, summarize
    from codekiln.report.corpus_page import corpus_page
    from codekiln.shards.disk import write_bytes

    root = stage_root(folder, "corpus")
    summary = summarize(root / "sources", root / "corpus")
    del summary["provenance"]
    found = draw(root / "sources", root / "corpus", samples, seed)
    path = output_file(output, Path(folder) / "corpus.html")
    write_bytes(path, corpus_page(summary, found, how_made(root / "sources", root / "corpus")).encode())
    emit({**summary, "samples": found, "page": str(path)}, as_json, [f"{path}: open it in a browser"])


@corpus.command(short_help="Write who must be named for the training files.")
@click.argument("folder", metavar="DIR")
@click.option("-o", "--output", metavar="FILE", help="The text.  [default: DIR/ATTRIBUTION.txt]")
@json_option
def attribution(folder: str, output: str | None, as_json: bool) -> None:
    """Write who must be named for the training files in DIR: licences and copyright lines by repository.

    DIR is the folder of `corpus build`, or of a run.
    """
    from codekiln.corpus.licenses import attribution as attribute
    from codekiln.corpus.licenses import attribution_text
    from codekiln.shards import Dataset
    from codekiln.shards.disk import write_bytes

    columns = ["repo", "path", "revision", "licenses", "license_evidence", "content"]
    entries = attribute(Dataset.open(stage_root(folder, "corpus") / "corpus" / "train").rows(columns))
    path = output_file(output, Path(folder) / "ATTRIBUTION.txt")
    write_bytes(path, attribution_text(entries).encode())
    said = f"{path}: {len(entries)} entries, {sum(len(entry['files']) for entry in entries)} files"
    emit({"entries": entries, "file": str(path)}, as_json, [said])


def _threshold(change: str) -> tuple[str, float]:
    name, _, value = change.partition("=")
    try:
        return name.strip().removeprefix("corpus.rules."), float(value)
    except ValueError:
        raise UserError(f"--set {change}: write it as RULE=NUMBER, such as max_line_length=2000") from None


def _now_then(row: dict[str, Any]) -> list[int]:
    return [row[when][what] for what in ("files", "bytes") for when in ("now", "then")]


def _readable(told: dict[str, Any]) -> dict[str, Any]:
    """What `explain` tells, for a person: the time as a date, and nothing of what is empty."""
    told = {key: value for key, value in told.items() if value not in (None, "", [])}
    with suppress(KeyError, ValueError, OverflowError, OSError):  # a commit may claim any time
        told["added_at"] = f"{datetime.fromtimestamp(told['added_at'], UTC):%Y-%m-%d %H:%M:%S} UTC"
    return told


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
            lines.append("  " * depth + f"{key}: {'-' if item is None else item}")
    return lines
