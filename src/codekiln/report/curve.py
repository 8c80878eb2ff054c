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
Series = list[tuple[float, float]]


def loss_curve(curve: list[CurvePoint]) -> Markup | None:
    """The plots of a training curve; None when there are fewer than two points with a loss."""
    by_tokens = all(point.tokens is not None for point in curve)
    unit = "training tokens" if by_tokens else "step"

    def series(pick: Callable[[CurvePoint], float | None]) -> Series:
        found = [(float((p.tokens if by_tokens else p.step) or 0), pick(p)) for p in curve]
        return [(x, y) for x, y in found if y is not None]

    loss = series(lambda point: point.loss)
    if len(loss) < 2:
        return None
    window = smoothing(len(loss))
    main = both(_main(loss, window, unit, True), _main(loss, window, unit, False))
    kinds = [*KINDS, *sorted({kind for point in curve for kind in point.losses} - set(KINDS))]
    small = [
        _small(f"loss-{index}", f"Loss, {KINDS.get(kind, kind)}", series(_loss_of(kind)), unit)
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
            f"Loss is in nats per token, lower is better. Thin line: each step. Thick line: mean over "
            f"{plural(window, 'step')} around each step.{thinned} The small plots have scales of their own."
        ),
        grid,
    )


def _loss_of(kind: str) -> Callable[[CurvePoint], float | None]:
    return lambda point: point.losses.get(kind)


def smoothing(points: int) -> int:
    """Steps of the centred mean: about a tenth of the run, odd, at least 3."""
    return max(3, points // 10 | 1)


def smooth(series: Series, window: int) -> Series:
    """A centred mean over `window` points, narrower at the ends so that it stays centred."""
    made = []
    for index, (x, _) in enumerate(series):
        half = min(window // 2, index, len(series) - 1 - index)
        near = [y for _, y in series[index - half : index + half + 1]]
        made.append((x, sum(near) / len(near)))
    return made


def thin(series: Series, most: int = POINTS) -> Series:
    """At most `most` points: means over equal runs of neighbours."""
    if len(series) <= most:
        return series
    edges = [round(index * len(series) / most) for index in range(most + 1)]
    groups = [series[a:b] for a, b in pairwise(edges)]
    return [(sum(x for x, _ in g) / len(g), sum(y for _, y in g) / len(g)) for g in groups]


def _main(loss: Series, window: int, unit: str, wide: bool) -> Markup:
    width, height, left, bottom = (1000, 320, 44, 270) if wide else (360, 260, 34, 210)
    raw, mean = thin(loss), thin(smooth(loss, window))
    y_marks = ticks(min(y for _, y in raw), max(y for _, y in raw), 5)
    end = max(a for a, _ in raw) or 1.0
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
    drawn.append(path([(x(a), y(b)) for a, b in raw], "raw"))
    drawn.append(path([(x(a), y(b)) for a, b in mean], "smooth"))
    half = (x(end) - x(0)) / max(2 * len(raw), 2)
    for (a, b), (_, c) in zip(raw, mean):
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
    lowest = min(mean, key=lambda point: point[1])
    described = (
        f"Smoothed training loss from {significant(mean[0][1])} to {significant(mean[-1][1])} nats per token over "
        f"{count(round(loss[-1][0]))} ({unit}); lowest {significant(lowest[1])}."
    )
    ident = f"curve-{'wide' if wide else 'narrow'}"
    return svg(width, height, ident, "Training loss", described, *drawn)


def _small(ident: str, title: str, series: Series, unit: str, *, exact: bool = False) -> Markup | None:
    if len(series) < 2:
        return None
    raw = thin(series, 120)
    mean = raw if exact else thin(smooth(series, smoothing(len(series))), 120)
    marks = ticks(min(y for _, y in raw), max(y for _, y in raw), 3)
    x, y = (
        Scale(raw[0][0], raw[-1][0] if raw[-1][0] > raw[0][0] else raw[0][0] + 1, 46, 238),
        Scale(marks[0], marks[-1], 96, 8),
    )
    drawn: list[Child] = []
    for mark in marks:
        drawn.append(line(46, y(mark), 240, y(mark), "grid"))
        drawn.append(text(40, y(mark) + 4, tick_label(mark, marks), anchor="end", kind="tick"))
    if not exact:
        drawn.append(path([(x(a), y(b)) for a, b in raw], "raw"))
    drawn.append(path([(x(a), y(b)) for a, b in mean], "smooth"))
    change = f"{significant(mean[0][1])} to {significant(mean[-1][1])}"
    described = f"From {significant(mean[0][1])} at first to {significant(mean[-1][1])} at the end."
    caption = el("figcaption", title, el("span", change, class_="range"))
    return el("figure", caption, svg(240, 104, f"curve-{ident}", title, f"{described} Over {unit}.", *drawn))
