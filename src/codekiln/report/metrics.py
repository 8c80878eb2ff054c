"""The figures of the proof: how each metric is named, written and judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from codekiln.report.numerals import NONE, SPACE, fixed, significant, words
from codekiln.report.schema import Change, Estimate, Metrics, Number, Word


@dataclass(frozen=True)
class Metric:
    """A metric: its key, its name on the page, and a longer explanation.

    `unit` is "bits" (lower is better), "share" (a fraction, higher is better) or "number" (neither is better).
    """

    key: str
    name: str
    meaning: str = ""
    unit: Literal["bits", "share", "number"] = "share"

    @property
    def bits(self) -> bool:
        return self.unit == "bits"

    @property
    def direction(self) -> str:
        return {"bits": "lower is better", "share": "higher is better", "number": ""}[self.unit]


METRICS = (
    Metric(
        "bits_per_byte", "Bits per byte, text", "to predict the held-out files, read left to right", "bits"
    ),
    Metric(
        "fim_bits_per_byte",
        "Bits per byte, middles",
        "to predict the missing middle from the code on both sides of it",
        "bits",
    ),
    Metric(
        "fim_line_exact_match_raw", "Line, exact match, raw", "one line missing; the model must also stop"
    ),
    Metric("fim_line_exact_match_truncated", "Line, exact match, truncated", "one line missing; cut by rule"),
    Metric(
        "fim_line_edit_similarity_raw", "Line, edit similarity, raw", "one line missing; the model must stop"
    ),
    Metric(
        "fim_line_edit_similarity_truncated",
        "Line, edit similarity, truncated",
        "one line missing; cut by rule",
    ),
    Metric(
        "fim_block_edit_similarity_raw", "Block, edit similarity, raw", "a block missing; the model must stop"
    ),
    Metric(
        "fim_block_edit_similarity_truncated",
        "Block, edit similarity, truncated",
        "a block missing; cut by rule",
    ),
    Metric("fim_stop_rate", "Stops by itself", "completions that end before the length limit"),
)


#: Details on the probes of one kind (line or block).
KIND_METRICS = (
    Metric("bits_per_byte", "Bits per byte, middles", unit="bits"),
    Metric("end_of_text_bits", "Bits of the end of text", "to stop in the right place", "bits"),
    Metric("exact_match_raw", "Exact match, raw"),
    Metric("exact_match_truncated", "Exact match, truncated"),
    Metric("edit_similarity_raw", "Edit similarity, raw"),
    Metric("edit_similarity_truncated", "Edit similarity, truncated"),
    Metric("stop_rate", "Stops by itself"),
    Metric("new_tokens", "Tokens written", "per completion", "number"),
)


@dataclass(frozen=True)
class Row:
    """One metric with its three estimates, and the number of files behind them where it is known."""

    metric: Metric
    before: Estimate
    after: Estimate
    difference: Estimate
    files: float | None = None


def rows(
    metrics: Metrics, counts: Mapping[str, Number | None], known: tuple[Metric, ...] = METRICS
) -> list[Row]:
    """Every metric that the run measured at all, in the order of the page; unknown ones come last by name.

    `counts` may hold `text_files` and `probe_files`, the numbers of files behind the bits of text and behind
    everything else.
    """
    named = {metric.key for metric in known}
    other = sorted({*metrics.before, *metrics.after, *metrics.difference} - named)
    nothing = Estimate()
    made = []
    for metric in (*known, *(Metric(key, words(key), unit="number") for key in other)):
        text = metric.key == "bits_per_byte" and known is METRICS
        row = Row(
            metric,
            metrics.before.get(metric.key, nothing),
            metrics.after.get(metric.key, nothing),
            metrics.difference.get(metric.key, nothing),
            counts.get("text_files" if text else "probe_files"),
        )
        if any(estimate.value is not None for estimate in (row.before, row.after, row.difference)):
            made.append(row)
    return made


def gather(group: Mapping[str, Change | Number | None]) -> tuple[Metrics, dict[str, Number | None]]:
    """The metrics and the counts of one group of details."""
    changes = {key: item for key, item in group.items() if isinstance(item, Change)}
    metrics = Metrics(
        before={key: item.before for key, item in changes.items()},
        after={key: item.after for key, item in changes.items()},
        difference={key: item.difference for key, item in changes.items()},
    )
    return metrics, {key: item for key, item in group.items() if not isinstance(item, Change)}


def outcome(row: Row) -> Word | None:
    """Better or worse when the interval of the difference lies on one side of zero; None when not judged.

    One file alone has an interval without width, so it never shows a clear change.
    """
    low, high = row.difference.low, row.difference.high
    if low is None or high is None or row.metric.unit == "number":
        return None
    if low <= 0 <= high or (row.files is not None and row.files < 2):
        return "no clear change"
    return "better" if (high < 0) == row.metric.bits else "worse"


def value(metric: Metric, number: float | None) -> str:
    """A value of a metric: `0.593` bits, or `12.5 %`."""
    if number is None:
        return NONE
    if metric.unit == "number":
        return significant(number)
    return fixed(number, 3) if metric.bits else f"{fixed(100 * number, 1)}{SPACE}%"


def interval(metric: Metric, estimate: Estimate) -> str:
    """The interval of a value: `0.571 to 0.614`; empty when there is none."""
    if estimate.low is None or estimate.high is None:
        return ""
    low, high = value(metric, estimate.low), value(metric, estimate.high)
    return f"{low.removesuffix(f'{SPACE}%')} to {high}"


def difference(metric: Metric, estimate: Estimate) -> tuple[str, str]:
    """A difference and its interval, signed, in bits per byte or percentage points.

    Decimals are added until no number that is not zero reads as zero (at most five).
    """
    share = metric.unit == "share"
    scale = 100.0 if share else 1.0
    numbers = [scale * n for n in (estimate.value, estimate.low, estimate.high) if n]
    decimals = 3 if metric.bits else 1
    while decimals < 5 and any(round(n, decimals) == 0 for n in numbers):
        decimals += 1

    def show(number: float | None) -> str:
        return NONE if number is None else fixed(scale * number, decimals, signed=True)

    unit = f"{SPACE}points" if share and estimate.value is not None else ""
    if estimate.low is None or estimate.high is None:
        return show(estimate.value) + unit, ""
    return show(estimate.value) + unit, f"{show(estimate.low)} to {show(estimate.high)}"


def relative(row: Row) -> str:
    """The difference as a share of the value before, signed; empty when it cannot be said."""
    if row.difference.value is None or not row.before.value:
        return ""
    return f"{fixed(100 * row.difference.value / row.before.value, 1, signed=True)}{SPACE}%"
