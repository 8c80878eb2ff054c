"""HTML that is safe by construction: every string is escaped unless a function of this module made it.

`el` builds an element; plain strings among its children and all attribute values are escaped. Characters that
would be invisible or would reorder the text around them (control characters, bidirectional overrides, Unicode
Technical Report 36 section 2) are shown as visible marks.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

VOID = frozenset({"br", "hr", "meta", "link", "col"})
_UNSEEN = [*range(0x20), *range(0x7F, 0xA0), 0x061C, *range(0x200B, 0x2010), *range(0x2028, 0x202F)]
_UNSEEN += [*range(0x2060, 0x2070), *range(0xD800, 0xE000), 0xFEFF, *range(0xFFF9, 0xFFFC), 0xFFFE, 0xFFFF]
_UNSEEN += range(0xE0000, 0xE0080)
_MARKS = {code: f"\u27e6U+{code:04X}\u27e7" for code in _UNSEEN if code not in (0x09, 0x0A)}
_MARKS[0x0D] = "\u27e6CR\u27e7"

Fit = Literal["stack", "scroll", "plain"]


class Markup(str):
    """A string that is HTML already."""

    __slots__ = ()


Child = str | Markup | None | Iterable["Child"]


def visible(text: str) -> str:
    """The text with control, invisible and reordering characters shown as marks; tab and newline stay."""
    return text.translate(_MARKS)


def _flat(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str):
        return html.escape(visible(child))
    return "".join(_flat(item) for item in child)


def join(*children: Child) -> Markup:
    """Children one behind the other; strings are escaped, None is nothing."""
    return Markup(_flat(children))


def el(tag: str, *children: Child, **attributes: str | float | bool | None) -> Markup:
    """An element. `class_` stands for class, `_` for `-`; None and False leave an attribute out."""
    parts = [tag]
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        name = name.rstrip("_").replace("_", "-")
        if value is True:
            parts.append(name)
        else:
            shown = (
                f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else visible(str(value))
            )
            parts.append(f'{name}="{html.escape(shown)}"')
    opening = f"<{' '.join(parts)}>"
    return Markup(opening if tag in VOID else f"{opening}{_flat(children)}</{tag}>")


@dataclass(frozen=True)
class Column:
    """A table column: heading, and whether it holds numbers (set to the right)."""

    heading: str
    number: bool = False


def table(
    columns: Sequence[Column], rows: Iterable[Sequence[Child]], *, caption: str, fit: Fit = "stack"
) -> Markup:
    """A table whose first column names the row.

    `fit` says how it meets narrow screens. "stack": each row becomes a block with each cell behind its
    heading; the ARIA roles keep it a table for screen readers. "scroll": it scrolls sideways in its own
    frame. "plain": it is narrow enough as it is.
    """
    head = [
        el("th", c.heading, scope="col", role="columnheader", class_="n" if c.number else None)
        for c in columns
    ]
    body = []
    for row in rows:
        cells = [el("th", row[0], scope="row", role="rowheader")]
        cells += [
            el("td", cell, role="cell", class_="n" if column.number else None, data_label=column.heading)
            for column, cell in zip(columns[1:], row[1:], strict=True)
        ]
        body.append(el("tr", cells, role="row"))
    made = el(
        "table",
        el("caption", caption),
        el("thead", el("tr", head, role="row"), role="rowgroup"),
        el("tbody", body, role="rowgroup"),
        class_=fit,
        role="table",
    )
    return scroller(made, caption) if fit == "scroll" else made


def scroller(child: Child, label: str) -> Markup:
    """A frame that scrolls by itself, reachable by keyboard."""
    return el("div", child, class_="frame", tabindex="0", role="region", aria_label=label)


def facts(pairs: Iterable[tuple[str, Child]]) -> Markup:
    """A list of names with their values."""
    return el("dl", [el("div", el("dt", name), el("dd", value)) for name, value in pairs], class_="facts")


def details(summary: str, *children: Child) -> Markup:
    """A part that opens on demand, without JavaScript."""
    return el("details", el("summary", summary), *children)


def note(*children: Child) -> Markup:
    return el("p", *children, class_="note")


def section(ident: str, heading: str, *children: Child) -> Markup:
    return el("section", el("h2", heading, id=ident), *children, aria_labelledby=ident)


def bar(value: float | None, largest: float) -> Markup:
    """A horizontal bar, as long as the value's share of the largest; the number stands beside it in the text."""
    if not value or largest <= 0:
        return Markup("")
    width = max(0.6, 100 * value / largest)
    return el(
        "svg",
        el("rect", width=float(width), height="6", class_="fill"),
        class_="bar",
        viewBox="0 0 100 6",
        preserveAspectRatio="none",
        aria_hidden="true",
    )
