"""What is said where sources hold no source code at all."""

from __future__ import annotations

from collections.abc import Iterable

from codekiln.corpus.config import SourceConfig
from codekiln.corpus.sources.names import printable
from codekiln.corpus.sources.table_files import suffix_of
from codekiln.errors import UserError


def nothing_found(config: SourceConfig, skipped: Iterable[tuple[str, str]]) -> UserError:
    """The one line for sources without a single file of source code; `skipped` are (path, reason)."""
    counts: dict[str, int] = {}
    table = ""
    for path, reason in skipped:
        counts[reason] = counts.get(reason, 0) + 1
        if suffix_of(path.rpartition("/")[2]):
            table = min(path, table) if table else path
    what = ", ".join(
        f"{counts[reason]} {reason}" for reason in sorted(counts, key=lambda r: (-counts[r], r))[:5]
    )
    where = ", ".join(config.paths[:3]) if config.paths else "the standard library"
    # A folder's tables may be anything; only those that are named themselves are read row by row.
    hint = f"; to read the rows of tables such as {printable(table)}, name them as sources" if table else ""
    return UserError(
        f"no source code found in {where}" + (f" (skipped: {what})" if what else "; it is empty") + hint
    )
