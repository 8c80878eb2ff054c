"""`codekiln corpus decontaminate`: which documents share runs of words with test data, and where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from codekiln.cli.common import emit, json_option, table
from codekiln.errors import UserError

#: Characters of documents that are held in memory together.
_TOGETHER = 1 << 24


@click.command(short_help="Find documents that share text with test data.")
@click.argument("paths", nargs=-1, required=True, metavar="DIR|PATH...")
@click.option(
    "--against",
    multiple=True,
    required=True,
    metavar="PATH[:FIELD,...]",
    help="Test data: a folder of known test sets, or a file with the fields to take. Repeatable.",
)
@click.option(
    "--minimum", type=click.IntRange(1), default=1, show_default=True,
    help="Different shared runs of words from which on a document is contaminated.",
)  # fmt: skip
@click.option(
    "--most-items", type=click.IntRange(1), default=None,
    help="Leave out runs that more items than this of one test set share.",
)  # fmt: skip
@click.option(
    "--letters", type=click.IntRange(0, 10), default=3, show_default=True,
    help="Different words with a letter that a run needs to count; 0 is the bare rule.",
)  # fmt: skip
@click.option("--notices/--no-notices", default=False, help="Let licence notices of the test data count.")
@click.option("--ignore", multiple=True, metavar="FILE", help="A text whose runs never count. Repeatable.")
@json_option
def decontaminate(
    paths: tuple[str, ...],
    against: tuple[str, ...],
    minimum: int,
    most_items: int | None,
    letters: int,
    notices: bool,
    ignore: tuple[str, ...],
    as_json: bool,
) -> None:
    """Find documents that share ten words in a row with test data, or a whole short item of it.

    DIR is the folder of `corpus build`; a PATH is a folder, a file, or a table of rows (.jsonl, .parquet). Words are
    runs of letters and digits, compared without case. The index of the test data is kept in the cache.
    """
    from codekiln.corpus.decontamination.build import GramRules
    from codekiln.corpus.decontamination.index import open_index
    from codekiln.corpus.decontamination.match import contaminated
    from codekiln.corpus.decontamination.prepare import prepare_index
    from codekiln.downloads.cachefolder import cache_root

    rules = GramRules(
        notices=not notices, letters=letters, most_items=most_items, ignore=tuple(map(_text, ignore))
    )
    index = open_index(str(prepare_index(against, rules, cache_root() / "decontamination")))
    read = unread = 0
    found: list[dict[str, Any]] = []
    documents: Counter[str] = Counter()
    items: dict[str, set[str]] = {}
    for batch in _batches(paths):
        texts = [(name, text) for name, text in batch if text is not None]
        read, unread = read + len(texts), unread + len(batch) - len(texts)
        for (name, _), matches in zip(texts, contaminated((text for _, text in texts), index)):
            if len(matches) < minimum:
                continue
            found.append(_document(name, matches))
            owners = {(owner.benchmark, owner.item) for match in matches for owner in match.owners}
            documents.update({benchmark for benchmark, _ in owners})
            for benchmark, item in owners:
                items.setdefault(benchmark, set()).add(item)
    benchmarks = {
        name: {"documents": documents[name], "items": len(items[name])} for name in sorted(documents)
    }
    result = {
        "documents": read, "unread": unread, "contaminated": len(found), "benchmarks": benchmarks,
        "index": index.names["counts"], "matches": found,
    }  # fmt: skip
    emit(result, as_json, _lines(result))


def _document(name: str, matches: Iterable[Any]) -> dict[str, Any]:
    grams = [
        {
            "line": match.line, "gram": match.gram, "items": match.items,
            "owners": [owner._asdict() for owner in match.owners],
        }
        for match in matches
    ]  # fmt: skip
    return {"document": name, "grams": len(grams), "matches": grams}


def _lines(result: dict[str, Any]) -> Iterator[str]:
    rows = []
    for document in result["matches"]:
        best = min(document["matches"], key=lambda match: (match["items"], match["line"]))
        owner = best["owners"][0]
        rows.append(
            (document["document"], best["line"], document["grams"], best["items"],
             f"{owner['benchmark']} {owner['item']}", best["gram"])
        )  # fmt: skip
    if rows:
        yield from table(rows, ("document", "line", "runs", "items", "first item", "words"))
        yield ""
        counts = [(name, one["documents"], one["items"]) for name, one in result["benchmarks"].items()]
        yield from table(counts, ("test set", "documents", "items met"))
        yield ""
    yield f"{result['contaminated']} of {result['documents']} documents share words with test data"
    if result["unread"]:
        yield f"{result['unread']} files are no text and were not read"


def _batches(paths: Iterable[str]) -> Iterator[list[tuple[str, str | None]]]:
    from codekiln.corpus.decontamination.documents import documents

    batch: list[tuple[str, str | None]] = []
    size = 0
    for path in paths:
        for name, text in documents(Path(path).expanduser()):
            batch.append((name, text))
            size += len(text or "")
            if size >= _TOGETHER:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


def _text(path: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise UserError(f"--ignore {path}: no such text file in UTF-8") from None
