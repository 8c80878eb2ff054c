"""The plot of the proof: before and after with their intervals, and beside them the difference against zero."""

from __future__ import annotations

from codekiln.report import metrics as m
from codekiln.report.axes import Scale, both, line, svg, text, tick_label, ticks
from codekiln.report.markup import Child, Markup, el
from codekiln.report.schema import Estimate

ROW = 34


def forest(rows: list[m.Row]) -> Markup | None:
    """Panels for the metrics in bits and for the fractions; None when nothing can be drawn."""
    groups = [[row for row in rows if row.metric.unit == unit] for unit in ("bits", "share")]
    panels = [
        both(_wide(group, f"forest-{name}-wide"), _narrow(group, f"forest-{name}-narrow"))
        for name, group in zip(("bits", "shares"), groups)
        if any(row.before.value is not None or row.after.value is not None for row in group)
    ]
    if not panels:
        return None
    legend = el(
        "p",
        el("span", _key(False), " before", class_="key"),
        el("span", _key(True), " after", class_="key"),
        el("span", _key(None), " difference, after \u2212 before", class_="key"),
        " Lines are 95 % intervals.",
        class_="legend",
    )
    return el("figure", legend, *panels, class_="forest")


def _key(after: bool | None) -> Markup:
    return el("svg", _marker(17, 8, after), class_="key-mark", viewBox="0 0 34 16", aria_hidden="true")


def _marker(
    x: float, y: float, after: bool | None, low: float | None = None, high: float | None = None
) -> Markup:
    """Before: open circle. After: filled circle. Difference: filled diamond. With the interval as a line."""
    kind = {False: "before", True: "after", None: "change"}[after]
    start, end = (x - 15, x + 15) if low is None or high is None else (low, high)
    if after is None:
        shape = el("path", d=f"M{x:.1f} {y - 4.5:.1f}l4.5 4.5l-4.5 4.5l-4.5 -4.5z", class_="dot change")
    else:
        shape = el("circle", cx=float(x), cy=float(y), r="4.5", class_=f"dot {kind}")
    ends = [line(place, y - 3.5, place, y + 3.5, f"whisker {kind}") for place in (start, end)]
    return el("g", line(start, y, end, y, f"whisker {kind}"), ends, shape)


def _placed(estimate: Estimate, scale: Scale, y: float, after: bool | None, label: str) -> Child:
    if estimate.value is None:
        return None
    x = scale(estimate.value)
    low = x if estimate.low is None else scale(estimate.low)
    high = x if estimate.high is None else scale(estimate.high)
    return el("g", el("title", label), _marker(x, y, after, low, high))


def _labels(row: m.Row) -> tuple[str, str, str]:
    """What shows when the pointer rests on the three marks of a row."""
    change, bounds = m.difference(row.metric, row.difference)
    shown = [
        f"{row.metric.name}, {when}: {m.value(row.metric, estimate.value)} ({m.interval(row.metric, estimate)})"
        for when, estimate in (("before", row.before), ("after", row.after))
    ]
    return shown[0], shown[1], f"{row.metric.name}, difference: {change} ({bounds})"


def _span(estimates: list[Estimate], *, zero: bool = False) -> tuple[float, float]:
    values = [n for e in estimates for n in (e.value, e.low, e.high) if n is not None] or [0.0]
    if zero:
        values.append(0.0)
    return min(values), max(values)


def _scales(
    group: list[m.Row], left: tuple[float, float], right: tuple[float, float]
) -> tuple[Scale, Scale, list[float], list[float]]:
    low, high = _span([e for row in group for e in (row.before, row.after)])
    value_marks = ticks(low, high, 5)
    low, high = _span([row.difference for row in group], zero=True)
    change_marks = ticks(low, high, 4)
    return (
        Scale(value_marks[0], value_marks[-1], *left),
        Scale(change_marks[0], change_marks[-1], *right),
        value_marks,
        change_marks,
    )


def _axis(
    scale: Scale, marks: list[float], top: float, bottom: float, bits: bool, *, zero: bool
) -> list[Markup]:
    factor = 1.0 if bits else 100.0
    shown = [mark * factor for mark in marks]
    made: list[Markup] = []
    for mark, label in zip(marks, shown):
        made.append(line(scale(mark), top, scale(mark), bottom, "zero" if zero and mark == 0 else "grid"))
        made.append(text(scale(mark), bottom + 16, tick_label(label, shown), anchor="middle", kind="tick"))
    return made


def _describe(group: list[m.Row]) -> str:
    parts = []
    for row in group:
        change, bounds = m.difference(row.metric, row.difference)
        before, after = m.value(row.metric, row.before.value), m.value(row.metric, row.after.value)
        parts.append(f"{row.metric.name}: {before} before, {after} after, difference {change} ({bounds}).")
    return " ".join(parts)


def _units(bits: bool) -> tuple[str, str, str]:
    """Names of the two axes and of the direction that is better."""
    if bits:
        return "bits per byte (lower is better)", "difference, bits per byte", "\u2190 better"
    return "per cent (higher is better)", "difference, percentage points", "better \u2192"


def _wide(group: list[m.Row], ident: str) -> Markup:
    bits = group[0].metric.bits
    top, bottom = 30, 30 + ROW * len(group)
    values, changes, value_marks, change_marks = _scales(group, (262, 600), (680, 984))
    axis, change_axis, better = _units(bits)
    drawn: list[Child] = [
        text(262, 14, axis, kind="axis"),
        text(680, 14, change_axis, kind="axis"),
        text(984, 14, better, anchor="end", kind="axis"),
        _axis(values, value_marks, top, bottom, bits, zero=False),
        _axis(changes, change_marks, top, bottom, bits, zero=True),
    ]
    for index, row in enumerate(group):
        y = top + ROW * (index + 0.5)
        if index:
            drawn.append(line(0, y - ROW / 2, 1000, y - ROW / 2, "rule"))
        before, after, change = _labels(row)
        drawn.append(text(0, y + 4.5, row.metric.name, kind="name"))
        drawn.append(_placed(row.before, values, y - 6.5, False, before))
        drawn.append(_placed(row.after, values, y + 6.5, True, after))
        drawn.append(_placed(row.difference, changes, y, None, change))
    return svg(1000, bottom + 24, ident, "Before and after, with the difference", _describe(group), *drawn)


def _narrow(group: list[m.Row], ident: str) -> Markup:
    """Values above, differences below, each row with its name over it."""
    bits = group[0].metric.bits
    step = ROW + 14
    height = step * len(group)
    values, changes, value_marks, change_marks = _scales(group, (12, 348), (12, 348))
    axis, change_axis, better = _units(bits)
    top, second = 24, 24 + height + 64
    drawn: list[Child] = [
        text(0, 13, axis, kind="axis"),
        text(0, second - 11, change_axis, kind="axis"),
        text(360, second - 11, better, anchor="end", kind="axis"),
        _axis(values, value_marks, top, top + height, bits, zero=False),
        _axis(changes, change_marks, second, second + height, bits, zero=True),
    ]
    for index, row in enumerate(group):
        before, after, change = _labels(row)
        for start in (top, second):
            y = start + step * index
            if index:
                drawn.append(line(0, y, 360, y, "rule"))
            drawn.append(text(0, y + 15, row.metric.name, kind="name halo"))
        drawn.append(_placed(row.before, values, top + step * index + 25, False, before))
        drawn.append(_placed(row.after, values, top + step * index + 38, True, after))
        drawn.append(_placed(row.difference, changes, second + step * index + 32, None, change))
    bottom = second + height + 24
    return svg(360, bottom, ident, "Before and after, with the difference", _describe(group), *drawn)
