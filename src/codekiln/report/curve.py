"""The loss curve, and small plots of the loss by kind of token, the learning rate and the gradient norm."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from codekiln.report.axes import Scale, both, line, path, svg, text, tick_label, ticks
from codekiln.report.markup import Child, Markup, el, join, note
from codekiln.report.numerals import count, plural, significant
from codekiln.report.schema import CurvePoint

#: A longer run is drawn as this many means over neighbouring steps.
POINTS = 240

KINDS = {
    "plain": "plain text",
    "context": "context around a hole",
    "middle": "middle of a hole",
    "end": "end of text",
    "repository": "repository files",
}
#: (place on the axis, value, tokens behind the value); every mean is weighted by the tokens.
Series = list[tuple[float, float, float]]
#: Means over this part of the steps at both ends tell where a curve started and where it ended.
_ENDS = 5


def loss_curve(curve: list[CurvePoint]) -> Markup | None:
    """The plots of a training curve; None when there are fewer than two points with a loss."""
    by_tokens = all(point.tokens is not None for point in curve)
    unit = "training tokens" if by_tokens else "step"

    def series(
        pick: Callable[[CurvePoint], float | None], weigh: Callable[[CurvePoint], int | None] = lambda _: 1
    ) -> Series:
        found = [(float((p.tokens if by_tokens else p.step) or 0), pick(p), weigh(p)) for p in curve]
        return [(x, y, float(weight or 1)) for x, y, weight in found if y is not None]

    loss = series(lambda point: point.loss, lambda point: point.targets)
    if len(loss) < 2:
        return None
    window = smoothing(len(loss))
    main = both(_main(loss, window, unit, True), _main(loss, window, unit, False))
    kinds = [*KINDS, *sorted({kind for point in curve for kind in point.losses} - set(KINDS))]
    small = [
        _small(f"loss-{index}", f"Loss, {KINDS.get(kind, kind)}", series(*_loss_of(kind)), unit)
        for index, kind in enumerate(kinds)
    ]
    small.append(_small("rate", "Learning rate", series(lambda point: point.learning_rate), unit, exact=True))
    small.append(_small("norm", "Gradient norm", series(lambda point: point.gradient_norm), unit))
    drawn = [plot for plot in small if plot is not None]
    grid = el("div", drawn, class_="multiples") if drawn else None
    thinned = f" Drawn as means of neighbouring steps ({POINTS} points)." if len(loss) > POINTS else ""
    return join(
        main,
        note(
            f"Loss is in nats per token, lower is better. Thin line: each step. Thick line: mean over the tokens of "
            f"{plural(window, 'step')} around each step.{thinned} The small plots have scales of their own; their "
            f"figures are means over the tokens of the first and the last fifth of the steps. Every step "
            "has other text, rows of whole repositories come last: what was learnt is judged on the held-out files."
        ),
        grid,
    )


def _loss_of(
    kind: str,
) -> tuple[Callable[[CurvePoint], float | None], Callable[[CurvePoint], int | None]]:
    return lambda point: point.losses.get(kind), lambda point: point.counts.get(kind)


def smoothing(points: int) -> int:
    """Steps of the centred mean: about a tenth of the run, odd, at least 3."""
    return max(3, points // 10 | 1)


def smooth(series: Series, window: int) -> Series:
    """A centred mean over `window` points; at the ends over those of them that there are."""
    half = window // 2
    return [
        (x, mean(series[max(0, index - half) : index + half + 1]), weight)
        for index, (x, _, weight) in enumerate(series)
    ]


def mean(series: Series) -> float:
    """Mean of the values, weighted by the tokens behind them."""
    return sum(y * weight for _, y, weight in series) / sum(weight for _, _, weight in series)


def ends(series: Series) -> tuple[float, float]:
    """Means over the first and the last fifth of the points."""
    part = max(1, len(series) // _ENDS)
    return mean(series[:part]), mean(series[-part:])


def thin(series: Series, most: int = POINTS) -> Series:
    """At most `most` points: means over equal runs of neighbours."""
    if len(series) <= most:
        return series
    edges = [round(index * len(series) / most) for index in range(most + 1)]
    groups = [series[a:b] for a, b in pairwise(edges)]
    return [(sum(x for x, _, _ in g) / len(g), mean(g), sum(w for _, _, w in g)) for g in groups]


def _main(loss: Series, window: int, unit: str, wide: bool) -> Markup:
    width, height, left, bottom = (1000, 320, 44, 270) if wide else (360, 260, 34, 210)
    raw, means = thin(loss), thin(smooth(loss, window))
    y_marks = ticks(min(y for _, y, _ in raw), max(y for _, y, _ in raw), 5)
    end = max(a for a, _, _ in raw) or 1.0
    x_marks = ticks(0, end, 8 if wide else 4)
    x, y = Scale(0, end, left, width - 12), Scale(y_marks[0], y_marks[-1], bottom, 26)
    drawn: list[Child] = [text(0, 12, "loss, nats per token", kind="axis")]
    for mark in y_marks:
        drawn.append(line(left, y(mark), width, y(mark), "grid"))
        drawn.append(text(left - 8, y(mark) + 4, tick_label(mark, y_marks), anchor="end", kind="tick"))
    for mark in x_marks:
        if mark <= end:
            drawn.append(line(x(mark), bottom, x(mark), bottom + 5, "zero"))
            drawn.append(text(x(mark), bottom + 20, tick_label(mark, x_marks), anchor="middle", kind="tick"))
    drawn.append(text((left + width) / 2, bottom + 42, unit, anchor="middle", kind="axis"))
    drawn.append(path([(x(a), y(b)) for a, b, _ in raw], "raw"))
    drawn.append(path([(x(a), y(b)) for a, b, _ in means], "smooth"))
    half = (x(end) - x(0)) / max(2 * len(raw), 2)
    for (a, b, _), (_, c, _) in zip(raw, means):
        shown = f"{unit} {count(round(a))}: loss {significant(b)}, mean {significant(c)}"
        drawn.append(
            el(
                "rect",
                el("title", shown),
                x=max(x(a) - half, float(left)),
                y=26.0,
                width=2 * half,
                height=float(bottom - 26),
                class_="hover",
            )
        )
    first, last = ends(loss)
    described = (
        f"Training loss over {count(round(loss[-1][0]))} ({unit}): mean {significant(first)} nats per token in the "
        f"first fifth of the steps, {significant(last)} in the last."
    )
    ident = f"curve-{'wide' if wide else 'narrow'}"
    return svg(width, height, ident, "Training loss", described, *drawn)


def _small(ident: str, title: str, series: Series, unit: str, *, exact: bool = False) -> Markup | None:
    if len(series) < 2:
        return None
    raw = thin(series, 120)
    means = raw if exact else thin(smooth(series, smoothing(len(series))), 120)
    marks = ticks(min(y for _, y, _ in raw), max(y for _, y, _ in raw), 3)
    x, y = (
        Scale(raw[0][0], raw[-1][0] if raw[-1][0] > raw[0][0] else raw[0][0] + 1, 46, 238),
        Scale(marks[0], marks[-1], 96, 8),
    )
    drawn: list[Child] = []
    for mark in marks:
        drawn.append(line(46, y(mark), 240, y(mark), "grid"))
        drawn.append(text(40, y(mark) + 4, tick_label(mark, marks), anchor="end", kind="tick"))
    if not exact:
        drawn.append(path([(x(a), y(b)) for a, b, _ in raw], "raw"))
    drawn.append(path([(x(a), y(b)) for a, b, _ in means], "smooth"))
    first, last = (raw[0][1], raw[-1][1]) if exact else ends(series)
    change = f"{significant(first)} to {significant(last)}"
    described = f"From {significant(first)} at first to {significant(last)} at the end."
    caption = el("figcaption", title, el("span", change, class_="range"))
    return el("figure", caption, svg(240, 104, f"curve-{ident}", title, f"{described} Over {unit}.", *drawn))
