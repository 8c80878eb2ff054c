"""What every plot needs: round tick values, a linear scale and SVG pieces."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from codekiln.report.markup import Child, Markup, el


@dataclass(frozen=True)
class Scale:
    """Maps the values low..high linearly to the coordinates start..end."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round values (steps of 1, 2 or 5 times a power of ten) that span low..high with about so many steps."""
    # Below 1e-290 the steps would be subnormal: a span as good as none.
    if not high - low > max(1e-9 * max(abs(low), abs(high)), 1e-290):
        margin = max(abs(low), abs(high)) / 2
        margin = margin if margin > 1e-290 else 1.0
        low, high = low - margin, high + margin
    rough = (high - low) / max(about, 1)
    exponent = math.floor(math.log10(rough))
    power = 10.0**exponent
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 6 - exponent) for index in range(first, last + 1)]


def tick_label(value: float, marks: Sequence[float]) -> str:
    """A tick value with just the decimals that its neighbours need; thousands as `k`, millions as `M`."""
    step = abs(marks[1] - marks[0]) if len(marks) > 1 else abs(value) or 1.0
    largest = max(abs(mark) for mark in marks)
    if 0 < largest < 1e-3 or largest >= 1e10:
        return "0" if value == 0 else f"{value:.0e}".replace("e-0", "e-").replace("-", "\u2212")
    unit, suffix = (1e6, "M") if largest >= 2e6 else (1e3, "k") if largest >= 5e3 else (1.0, "")
    decimals = max(0, -math.floor(math.log10(step / unit) + 1e-9))
    text = f"{value / unit:,.{decimals}f}{suffix}" if value else "0"
    return text.replace("-", "\u2212")


def svg(width: int, height: int, ident: str, title: str, description: str, *children: Child) -> Markup:
    """A drawing with a title and a description for those who cannot see it. `ident` is unique on the page."""
    return el(
        "svg",
        el("title", title, id=f"{ident}-title"),
        el("desc", description, id=f"{ident}-desc"),
        *children,
        viewBox=f"0 0 {width} {height}",
        class_="plot",
        role="img",
        aria_labelledby=f"{ident}-title {ident}-desc",
    )


def text(x: float, y: float, content: str, *, anchor: str | None = None, kind: str | None = None) -> Markup:
    return el("text", content, x=float(x), y=float(y), text_anchor=anchor, class_=kind)


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    return el("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=kind)


def path(points: Sequence[tuple[float, float]], kind: str) -> Markup:
    """A polyline through the points."""
    moves = " ".join(f"{'L' if index else 'M'}{x:.1f} {y:.1f}" for index, (x, y) in enumerate(points))
    return el("path", d=moves, class_=kind)


def both(wide: Markup, narrow: Markup) -> Markup:
    """The same drawing for wide and for narrow screens; the style sheet shows one of them."""
    return el(
        "div", el("div", wide, class_="on-wide"), el("div", narrow, class_="on-narrow"), class_="drawing"
    )
