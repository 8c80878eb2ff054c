"""The first screen (verdict and headline figures) and the section with every figure before and after."""

from __future__ import annotations

from codekiln.report import metrics as m
from codekiln.report import sections
from codekiln.report.flow import free_value
from codekiln.report.forest import forest
from codekiln.report.markup import Child, Column, Markup, details, el, facts, join, note, table
from codekiln.report.numerals import count, duration, plural, title, words
from codekiln.report.schema import Change, Number, Report

HEADLINES = ("bits_per_byte", "fim_bits_per_byte")
_HEADLINE_NAMES = {
    "bits_per_byte": "Bits per byte of held-out text",
    "fim_bits_per_byte": "Bits per byte of held-out middles (FIM)",
}

#: Sources named in the heading.
SOURCES = 3


def header(report: Report) -> Markup:
    """Title, verdict, the two headline figures and the facts of the run."""
    rows = {row.metric.key: row for row in m.rows(report.metrics, report.counts)}
    figures = [_headline(rows[key]) for key in HEADLINES if key in rows]
    verdict: Child
    if report.verdict is None:
        verdict = el("p", "This run has no before and after comparison.", class_="verdict")
    else:
        verdict = el(
            "p",
            el("strong", report.verdict.word.capitalize(), "."),
            " ",
            report.verdict.sentence,
            class_="verdict",
        )
    version = f"codekiln {report.codekiln.version}"
    if report.codekiln.commit:
        version += f" ({report.codekiln.commit[:12]})"
    return el(
        "header",
        el("p", version, " · run report", class_="kicker"),
        el("h1", run_title(report)),
        verdict,
        el("div", figures, class_="headlines") if figures else None,
        el("div", facts(_run_facts(report)), class_="run"),
    )


def run_title(report: Report) -> str:
    """The recipe and whose code it was run on."""
    names = [source.repo for source in report.provenance.sources]
    if len(names) > SOURCES + 1:
        names = [*names[:SOURCES], f"{len(names) - SOURCES} more"]
    return f"{report.name}: {', '.join(names)}" if names else report.name


def _headline(row: m.Row) -> Markup:
    before, after = m.value(row.metric, row.before.value), m.value(row.metric, row.after.value)
    change, bounds = m.difference(row.metric, row.difference)
    spoken = el("span", " to ", class_="spoken")
    arrow = el("span", " \u2192 ", class_="arrow", aria_hidden="true")
    share = m.relative(row)
    interval = join(", 95\u00a0% interval ", el("span", bounds, class_="whole")) if bounds else ""
    return el(
        "div",
        el(
            "p",
            _HEADLINE_NAMES[row.metric.key],
            el("span", row.metric.direction, class_="direction"),
            class_="label",
        ),
        el(
            "p",
            el("span", before, class_="from"),
            spoken,
            arrow,
            el("span", after, class_="to"),
            class_="figure",
        ),
        el(
            "p",
            el("b", share) if share else None,
            join(" (", change, interval, ")") if share else join(change, interval),
        ),
        class_="headline",
    )


def _run_facts(report: Report) -> list[tuple[str, Child]]:
    made: list[tuple[str, Child]] = []
    if report.model:
        quantized = " (dequantized)" if report.model.origin else ""
        made.append(("Model", report.model.name + quantized))
    if report.training:
        amount = f", {count(report.training.tokens)} tokens" if report.training.tokens else ""
        made.append(("Training", sections.method(report.training.method) + amount))
    train = sum(item.train or 0 for item in report.languages)
    heldout = sum(item.heldout or 0 for item in report.languages)
    if train or heldout:
        made.append(("Files", f"{count(train)} training, {count(heldout)} held out"))
    seconds = [stage.seconds for stage in report.stages if stage.seconds is not None]
    if seconds:
        made.append(("Time, all stages", duration(sum(seconds))))
    if report.export.checks:
        good = sum(check.ok for check in report.export.checks)
        made.append(("Export checks", f"{good} of {len(report.export.checks)} passed"))
    return made


def proof(report: Report) -> list[Child]:
    """The plot and the table of all metrics, how they were measured, and details by kind and language."""
    rows = m.rows(report.metrics, report.counts)
    if not rows:
        return []
    return [
        note(
            "Both models met the same held-out files with the same prompts, decoding greedily. Differences are after "
            "\u2212 before; their intervals are 95 % intervals of a paired bootstrap over files. A metric is called "
            "better or worse when the interval of its difference excludes zero and more than one file stands "
            "behind it; otherwise it shows no clear change."
        ),
        forest(rows),
        _table(rows, "Before and after, with 95 % intervals"),
        note(
            "Raw: the completion as generated, so the model must also stop in the right place. Truncated: cut by a rule "
            "that does not know the reference. Edit similarity is 100 % for equal texts and 0 % for texts with nothing "
            "in common. Bits per byte: how many bits the model needs per byte of code."
        ),
        facts([(title(key), free_value(key, value)) for key, value in report.counts.items()])
        if report.counts
        else None,
        _breakdown("Details by kind", report.by_kind, m.KIND_METRICS, report.counts),
        _breakdown("Details by language", report.by_language, m.METRICS, {}),
    ]


def _table(rows: list[m.Row], caption: str) -> Markup:
    body: list[list[Child]] = []
    for row in rows:
        change, bounds = m.difference(row.metric, row.difference)
        meaning = "; ".join(part for part in (row.metric.meaning, row.metric.direction) if part)
        body.append(
            [
                join(el("span", row.metric.name, class_="step"), el("span", meaning, class_="stage")),
                _with_interval(m.value(row.metric, row.before.value), m.interval(row.metric, row.before)),
                _with_interval(m.value(row.metric, row.after.value), m.interval(row.metric, row.after)),
                _with_interval(change, bounds),
                m.outcome(row) or "not judged",
            ]
        )
    columns = [
        Column("Metric"),
        Column("Before", True),
        Column("After", True),
        Column("Difference", True),
        Column("Change"),
    ]
    return el("div", table(columns, body, caption=caption), class_="figures")


def _with_interval(shown: str, bounds: str) -> Markup:
    return join(el("span", shown, class_="amount"), el("span", bounds, class_="bounds") if bounds else None)


def _breakdown(
    heading: str,
    groups: dict[str, dict[str, Change | Number | None]],
    known: tuple[m.Metric, ...],
    counts: dict[str, Number],
) -> Markup | None:
    """Folded details: for each group what was measured, and its figures before and after."""
    if not groups:
        return None
    made: list[Child] = []
    for name, group in groups.items():
        metrics, own = m.gather(group)
        rows = m.rows(metrics, {**counts, **own}, known)
        measured = ", ".join(f"{free_value(key, value)} {words(key)}" for key, value in own.items())
        caption = f"{title(name)}: {measured}" if measured else title(name)
        made.append(_table(rows, caption) if rows else note(caption))
    return details(f"{heading} ({plural(len(groups), 'group')})", made)
