"""Held-out places side by side: the code around the hole, the reference, and what the model wrote."""

from __future__ import annotations

from codekiln.report.markup import Child, Markup, el, join, note, scroller
from codekiln.report.numerals import plural
from codekiln.report.schema import Completion, Sample

#: So many samples are shown; the rest stay in report.json.
SAMPLES = 10
#: Lines and characters of context shown before and after the hole.
LINES_BEFORE, LINES_AFTER, CHARACTERS = 10, 5, 2000
#: Characters of a reference or completion shown.
TEXT = 6000


def samples(items: list[Sample]) -> Markup:
    """The samples with a legend; what is left out is said."""
    more = (
        f" The first {SAMPLES} of {len(items)}; the others are in report.json."
        if len(items) > SAMPLES
        else ""
    )
    legend = note(
        "Greedy decoding with the same prompt before and after. ",
        el("mark", "Marked"),
        ": the reference, which the model did not see and had to write. ",
        el("span", "Underlined", class_="off"),
        ": from the first character that differs from the reference; exact match sets spaces at both ends aside. ",
        el("del", "Struck out"),
        ": cut off by the truncation rule, which does not know the reference." + more,
    )
    return join(legend, [_sample(index, item) for index, item in enumerate(items[:SAMPLES], 1)])


def _sample(number: int, item: Sample) -> Markup:
    where = " · ".join(part for part in (item.repo, item.language, _extent(item)) if part)
    heading = el("h3", el("span", f"{number}. ", class_="muted"), el("code", item.path))
    kind = "block" if "\n" in item.reference.strip("\n") else "line"
    panes = []
    if kind == "line":
        panes.append(_pane("Reference", None, _shown(item.reference), f"sample {number}, reference"))
    for name, answer in (("Before", item.before), ("After", item.after)):
        if answer is not None:
            panes.append(
                _pane(name, answer, _answer(answer, item.reference), f"sample {number}, {name.lower()}")
            )
    return el(
        "article",
        heading,
        el("p", where, class_="meta"),
        _context(number, item),
        el("div", panes, class_=f"panes {kind}"),
    )


def _extent(item: Sample) -> str:
    lines = item.reference.strip("\n").count("\n") + 1
    return f"{item.kind}: {plural(lines, 'line')}, {plural(len(item.reference), 'character')}"


def _context(number: int, item: Sample) -> Markup:
    before, left_out = _tail(item.prefix)
    after, cut = _head(item.suffix)
    made: list[Child] = []
    if left_out:
        made.append(el("span", f"… {plural(left_out, 'more character')} above\n", class_="gap"))
    made += [
        el("span", before, class_="dim"),
        el("mark", _shown(item.reference)),
        el("span", after, class_="dim"),
    ]
    if cut:
        made.append(el("span", f"\n… {plural(cut, 'more character')} below", class_="gap"))
    return scroller(el("pre", el("code", made)), f"sample {number}, code around the hole")


def _tail(text: str) -> tuple[str, int]:
    """The last lines of the prefix, and how many characters stand before them."""
    kept = "\n".join(text.split("\n")[-LINES_BEFORE:])[-CHARACTERS:]
    return kept, len(text) - len(kept)


def _head(text: str) -> tuple[str, int]:
    """The first lines of the suffix, and how many characters follow them."""
    kept = "\n".join(text.split("\n")[: LINES_AFTER + 1])[:CHARACTERS]
    return kept, len(text) - len(kept)


def _pane(name: str, answer: Completion | None, body: Child, label: str) -> Markup:
    status = el("span", _status(answer), class_="status") if answer else None
    return el("figure", el("figcaption", el("b", name), status), scroller(el("pre", el("code", body)), label))


def _status(answer: Completion) -> str:
    parts = []
    if answer.exact is not None:
        parts.append("exact match" if answer.exact else "differs")
    if answer.stopped is not None:
        parts.append("stopped by itself" if answer.stopped else "ran to the length limit")
    return ", ".join(parts)


def _shown(text: str) -> Child:
    """A text, or the word for none; a very long one is cut with a remark."""
    return [text[:TEXT], _remark(text)] if text else el("i", "(nothing)", class_="gap")


def _remark(text: str) -> Child:
    left = len(text) - TEXT
    return (
        el("span", f"\n… {plural(left, 'more character')} in report.json", class_="gap") if left > 0 else None
    )


def _answer(answer: Completion, reference: str) -> Child:
    """The kept part, underlined where it leaves the reference, then what the rule cut off, struck out."""
    whole, kept = answer.completion, answer.completion if answer.truncated is None else answer.truncated
    start = whole.find(kept) if kept else 0
    if start < 0 or whole[:start].strip():
        kept, start = whole, 0
    body = kept.rstrip()
    agreed = len(body) if answer.exact else _agreement(body, reference)
    parts: list[Child] = [whole[:start], body[:agreed]]
    if agreed < len(body):
        parts.append(_marked("span", body[agreed:], "off"))
    parts.append(kept[len(body) :])
    rest = whole[start + len(kept) :]
    if rest.strip():
        parts.append(_marked("del", rest, "cut"))
    elif not body:
        return _shown("")
    return parts


def _marked(tag: str, text: str, kind: str) -> Child:
    """A text whose lines are marked one by one, so that indentation carries no line."""
    parts: list[Child] = []
    for line in text[:TEXT].splitlines(keepends=True):
        start, end = len(line) - len(line.lstrip()), len(line.rstrip())
        if start < end:
            parts += [line[:start], el(tag, line[start:end], class_=kind), line[end:]]
        else:
            parts.append(line)
    return [parts, _remark(text)]


def _agreement(text: str, reference: str) -> int:
    """How many characters of the text agree with the reference from the start, spaces at line ends aside."""
    length = 0
    for a, b in zip(text, reference):
        if a != b:
            break
        length += 1
    return length
