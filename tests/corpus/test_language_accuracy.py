"""Languages of labelled files: what a change of the tables or rules may not lose."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from codekiln.corpus import languages

SAMPLES = Path(__file__).parents[3] / "shared/benchmarks/languages/linguist-samples.parquet"


@pytest.mark.skipif(not SAMPLES.exists(), reason=f"the labelled samples are not here: {SAMPLES}")
def test_labelled_samples_are_told_apart() -> None:
    """The rules were written with these files in sight: a floor against losses, no measure of accuracy."""
    right: Counter[str] = Counter()
    files: Counter[str] = Counter()
    wrong: list[tuple[str, str | None, str]] = []
    for row in pq.read_table(SAMPLES).to_pylist():
        text = row["content"].decode("utf-8", "replace")
        found = languages.detect(row["filename"], text)
        files[row["language"]] += 1
        right[row["language"]] += found == row["language"]
        if found != row["language"]:
            wrong.append((row["language"], found, row["filename"]))
    assert len(files) == 85
    assert sum(right.values()) >= 0.98 * sum(files.values()), wrong
    assert all(right[language] >= 0.75 * count for language, count in files.items()), wrong
