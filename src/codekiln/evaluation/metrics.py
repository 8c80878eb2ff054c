"""The figures of the proof, each a ratio of two sums over held-out files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rapidfuzz import fuzz

Row = Mapping[str, Any]
#: File id -> (sum of numerators, sum of denominators); the value of a metric is the ratio of the totals.
Sums = dict[str, tuple[float, float]]
Measure = Callable[[Row], tuple[float, float] | None]


def exact_match(completion: str, reference: str) -> bool:
    """Equal after removing surrounding whitespace, as Qwen2.5-Coder's own infilling script compares."""
    return completion.strip() == reference.strip()


def edit_similarity(completion: str, reference: str) -> float:
    """Indel similarity 2M / T of the stripped texts, 0 to 1 (rapidfuzz `fuzz.ratio` / 100, not rounded)."""
    return fuzz.ratio(completion.strip(), reference.strip()) / 100


def text_bits(row: Row) -> tuple[float, float] | None:
    """Bits and UTF-8 bytes of a scored window."""
    return row["nll_bits"], row["bytes"]


def middle_bits(row: Row) -> tuple[float, float] | None:
    """Bits and UTF-8 bytes of a probe's reference (end-of-text left out)."""
    return row["nll_bits"], row["reference_bytes"]


def end_bits(row: Row) -> tuple[float, float] | None:
    """Bits of the end-of-text token behind the reference, a probe."""
    return row["end_bits"], 1.0


def stopped(row: Row) -> tuple[float, float] | None:
    """Whether the model ended by itself, with a stop token before the limit."""
    return float(row["stopped"]), 1.0


def new_tokens(row: Row) -> tuple[float, float] | None:
    """Tokens written, a probe."""
    return float(row["new_tokens"]), 1.0


def _compared(score: Callable[[str, str], float], column: str, kind: str | None = None) -> Measure:
    def measure(row: Row) -> tuple[float, float] | None:
        if kind is not None and row["kind"] != kind:
            return None
        return float(score(row[column], row["reference"])), 1.0

    return measure


#: The metrics over `text_scores` rows and over `generations` rows, by the names that reports use.
TEXT_METRICS: dict[str, Measure] = {"bits_per_byte": text_bits}
PROBE_METRICS: dict[str, Measure] = {
    "fim_bits_per_byte": middle_bits,
    "fim_line_exact_match_raw": _compared(exact_match, "completion", "line"),
    "fim_line_exact_match_truncated": _compared(exact_match, "truncated", "line"),
    "fim_line_edit_similarity_raw": _compared(edit_similarity, "completion", "line"),
    "fim_line_edit_similarity_truncated": _compared(edit_similarity, "truncated", "line"),
    "fim_block_edit_similarity_raw": _compared(edit_similarity, "completion", "block"),
    "fim_block_edit_similarity_truncated": _compared(edit_similarity, "truncated", "block"),
    "fim_stop_rate": stopped,
}

#: Further detail on the probes of one kind.
KIND_METRICS: dict[str, Measure] = {
    "bits_per_byte": middle_bits,
    "end_of_text_bits": end_bits,
    "exact_match_raw": _compared(exact_match, "completion"),
    "exact_match_truncated": _compared(exact_match, "truncated"),
    "edit_similarity_raw": _compared(edit_similarity, "completion"),
    "edit_similarity_truncated": _compared(edit_similarity, "truncated"),
    "stop_rate": stopped,
    "new_tokens": new_tokens,
}


def sums(rows: Iterable[Row], file_column: str, measure: Measure) -> Sums:
    """Add up a measure by file; files without a row that counts do not appear.

    Rows are added in order of (file, id, window), so that the order in which they come changes no digit.
    """

    def place(row: Row) -> tuple[str, str, int]:
        return row[file_column], row["id"], row.get("window", 0)

    totals: Sums = {}
    for row in sorted(rows, key=place):
        pair = measure(row)
        if pair is not None:
            numerator, denominator = totals.get(row[file_column], (0.0, 0.0))
            totals[row[file_column]] = (numerator + pair[0], denominator + pair[1])
    return totals
