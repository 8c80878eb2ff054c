"""What other thresholds would keep, from the signals and decisions of a finished corpus, without reading a file again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from codekiln.corpus.firing import Mask, applies, first_firing, values
from codekiln.corpus.rules import rules_of
from codekiln.corpus.verdicts import CONTAMINATED, LICENSE, SHOWS_HELDOUT, UNMEASURED
from codekiln.errors import RunError
from codekiln.shards import Dataset

_EXAMPLES = 3


def what_if(corpus: Path, changes: Mapping[str, float]) -> dict[str, Any]:
    """Files that the rules of a corpus would keep with some thresholds changed.

    Copies count once: of files with the same content, and of a known group of near copies, one is kept, the one that
    is kept now where it passes. Files that a rule drops now were never compared for near copies, so that what a
    looser rule lets in may hold some: `gained` is an upper bound.

    Args:
        corpus: the folder `corpus` that `codekiln corpus build` makes.
        changes: thresholds by the rule's name.

    Returns:
        `rules`: name, threshold now and then, and how many of the files that the rule is for were measured; `languages`: files and bytes kept now and then, most bytes first;
        `total`: the same over all; `gained` and `lost`: files, with up to three examples each.

    Raises:
        UserError: no finished corpus is there, or a rule is unknown.
        RunError: signals and decisions do not belong together.
    """
    decisions = Dataset.open(corpus / "decisions")
    columns = ["id", "repo", "path", "language", "kept", "reason", "near_group", "repository_group", "size"]
    fates = decisions.table(columns)
    measured = Dataset.open(corpus / "signals").table()
    if not fates["id"].equals(measured["id"]):
        raise RunError(
            f"{corpus}: signals and decisions do not belong together; run `codekiln corpus build` again"
        )
    before, after = rules_of(decisions), rules_of(decisions, changes)
    kept = np.asarray(fates["kept"].combine_chunks().to_numpy(zero_copy_only=False), bool)
    # Which of some copies is kept was decided by more than the rules: what is kept now stays first.
    others = {LICENSE, CONTAMINATED, SHOWS_HELDOUT, UNMEASURED}  # no rule of the table
    eligible = np.array([reason not in others for reason in fates["reason"].to_pylist()], bool)
    # A repository that is a near copy of another stays out, whatever its files would pass.
    groups = zip(fates["repo"].to_pylist(), fates["repository_group"].to_pylist())
    eligible &= np.array([group in ("", repo) for repo, group in groups], bool)
    passes = eligible & (first_firing(after, fates["language"], measured) < 0)
    then = _one_of_each(passes, kept, measured["content_hash"].to_pylist(), fates)
    places = [f"{repo}:{path}" for repo, path in zip(fates["repo"].to_pylist(), fates["path"].to_pylist())]
    return {
        "rules": [
            {
                "rule": new.name,
                "now": old.threshold,
                "then": new.threshold,
                "measured": int((applies(new, fates["language"]) & ~np.isnan(values(new, measured))).sum()),
            }
            for old, new in zip(before, after)
            if new.name in changes
        ],
        "languages": _by_language(fates, kept, then),
        "total": {"now": _count(fates, kept), "then": _count(fates, then)},
        "gained": _some(places, fates, then & ~kept),
        "lost": _some(places, fates, kept & ~then),
    }


def _one_of_each(passes: Mask, kept: Mask, contents: list[str], fates: pa.Table) -> Mask:
    chosen = np.zeros(len(kept), bool)
    seen: set[str] = set()
    groups = fates["near_group"].to_pylist()
    for row in [*np.flatnonzero(passes & kept).tolist(), *np.flatnonzero(passes & ~kept).tolist()]:
        marks = {contents[row], groups[row]} - {""}
        if not marks & seen:
            chosen[row] = True
        seen |= marks
    return chosen


def _by_language(fates: pa.Table, kept: Mask, then: Mask) -> list[dict[str, Any]]:
    languages = np.array(fates["language"].to_pylist(), object)
    rows = []
    for name in sorted(set(languages.tolist())):
        own = languages == name
        rows.append({"language": name, "now": _count(fates, kept & own), "then": _count(fates, then & own)})
    return sorted(rows, key=lambda row: (-row["now"]["bytes"], row["language"]))


def _count(fates: pa.Table, mask: Mask) -> dict[str, int]:
    return {"files": int(mask.sum()), "bytes": int(fates["size"].to_numpy()[mask].sum())}


def _some(places: list[str], fates: pa.Table, mask: Mask) -> dict[str, Any]:
    return {
        **_count(fates, mask),
        "examples": [places[row] for row in np.flatnonzero(mask)[:_EXAMPLES].tolist()],
    }
