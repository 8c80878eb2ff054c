"""What went in and came out of the stages: the funnel, what was dropped and why, languages, the dataset."""

from __future__ import annotations

from typing import Any

from codekiln.report.markup import Child, Column, Markup, bar, details, el, facts, join, note, table
from codekiln.report.numerals import NONE, count, percent, plural, significant, size, title, words
from codekiln.report.schema import Drop, FunnelStep, Language

#: Paths shown with each reason before the rest is folded away.
EXAMPLES = 3
#: Rows of the language table.
LANGUAGES = 100


def measured(shown: str, value: float | None, largest: float) -> Markup:
    """A number over a bar of its share of the largest."""
    return join(el("span", shown, class_="amount"), bar(value, largest))


def funnel(steps: list[FunnelStep], caption: str = "From source files to training tokens") -> Markup:
    """One row a step, with a bar for each quantity in proportion to the largest of its column."""
    most = {
        name: max((getattr(s, name) or 0 for s in steps), default=0) for name in ("files", "bytes", "tokens")
    }
    kinds = [
        (name, heading, show)
        for name, heading, show in (
            ("files", "Files", count),
            ("bytes", "Size", size),
            ("tokens", "Tokens", count),
        )
        if most[name]
    ]
    rows: list[list[Child]] = []
    for step in steps:
        name = join(el("span", step.label, class_="step"), el("span", step.stage, class_="stage"))
        cells: list[Child] = []
        for key, _, show in kinds:
            value = getattr(step, key)
            cells.append(None if value is None else measured(show(value), value, most[key]))
        rows.append([name, *cells, step.detail])
    columns = [Column("Step"), *[Column(heading) for _, heading, _ in kinds], Column("Detail")]
    return el("div", table(columns, rows, caption=caption), class_="funnel")


def drops(items: list[Drop], what: str = "Dropped files and why", noun: str = "file") -> Markup:
    """Why files were left out, with examples; `what` and `noun` say in the caption what they are."""
    most = max(item.files for item in items)
    rows: list[list[Child]] = []
    for item in items:
        shown = [el("li", el("code", path)) for path in item.examples]
        folded = None
        if len(shown) > EXAMPLES:
            folded = details(f"{len(shown) - EXAMPLES} more examples", el("ul", shown[EXAMPLES:]))
        examples = join(el("ul", shown[:EXAMPLES]), folded) if shown else None
        rows.append(
            [words(item.reason), measured(count(item.files), item.files, most), size(item.bytes), examples]
        )
    columns = [Column("Reason"), Column(f"{noun.capitalize()}s"), Column("Size", True), Column("Examples")]
    total = sum(item.files for item in items)
    return table(columns, rows, caption=f"{what} ({plural(total, noun)})")


def languages(items: list[Language], whole: str = "in report.json") -> Markup:
    """Files read, trained on and held out by language; `whole` says where the rest of a long table is."""
    most = max(item.bytes or 0 for item in items)
    rows = [
        [
            item.language,
            count(item.files),
            measured(size(item.bytes), item.bytes, most),
            count(item.train),
            count(item.heldout),
        ]
        for item in items[:LANGUAGES]
    ]
    columns = [
        Column("Language"),
        Column("Files read", True),
        Column("Size"),
        Column("Training files", True),
        Column("Held-out files", True),
    ]
    left = len(items) - LANGUAGES
    more = note(f"{plural(left, 'more language')} {whole}.") if left > 0 else None
    return join(table(columns, rows, caption="Files by language"), more)


def free_value(key: str, value: Any) -> str:
    """A free-form value; shares as percentages, sizes with their unit, other numbers to three digits."""
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        last = key.rsplit("_", 1)[-1]
        if last in ("fill", "share", "fraction") or key == "fim_rate":
            return percent(value)
        if last in ("bytes", "size"):
            return size(value)
        return count(value) if isinstance(value, int) else significant(value)
    if isinstance(value, list):
        return ", ".join(free_value("", item) for item in value)
    return str(value)


def dataset(data: dict[str, Any]) -> Markup:
    """Single figures as a list; each dictionary of numbers as a table with bars."""
    single = [
        (title(key), free_value(key, value)) for key, value in data.items() if not isinstance(value, dict)
    ]
    grouped = [_shares(key, value) for key, value in data.items() if isinstance(value, dict) and value]
    return join(facts(single) if single else None, el("div", grouped, class_="columns") if grouped else None)


def _shares(key: str, values: dict[str, Any]) -> Markup:
    numbers = {
        name: v for name, v in values.items() if isinstance(v, int | float) and not isinstance(v, bool)
    }
    most, total = max(numbers.values(), default=0), sum(numbers.values())
    rows: list[list[Child]] = []
    for name, value in values.items():
        number = numbers.get(name)
        if number is None:
            rows.append(
                [words(name), free_value(name, value) if not isinstance(value, dict) else _flat(value), None]
            )
        else:
            share = percent(number / total) if total > 0 else NONE
            rows.append([words(name), measured(free_value(name, value), number, most), share])
    columns = [Column("Kind"), Column("Number"), Column("Share", True)]
    return table(columns, rows, caption=title(key), fit="plain")


def _flat(value: dict[str, Any]) -> str:
    return "; ".join(
        f"{words(key)} {_flat(item) if isinstance(item, dict) else free_value(key, item)}"
        for key, item in value.items()
    )
