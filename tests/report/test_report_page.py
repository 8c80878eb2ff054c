from __future__ import annotations

import base64
import copy
import hashlib
import json
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_samples import HOSTILE, full, hostile, minimal, partial

from codekiln.report import render
from codekiln.report.markup import VOID, visible
from codekiln.report.sections import FILES

TAGS = frozenset(
    """html head meta title style body a header nav main section footer article figure figcaption div p span b i
    strong code pre mark del h1 h2 h3 ul li dl dt dd table caption thead tbody tr th td details summary svg g
    path line circle rect text desc""".split()  # noqa: SIM905
)


class Page(HTMLParser):
    """The elements, attributes and text of a page; fails when tags do not nest."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.blocks: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag == "pre":
            self.blocks.append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_comment(self, data: str) -> None:
        raise AssertionError("a comment in the page")

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text += data
        if "pre" in self._open:
            self.blocks[-1] += data

    def values(self, name: str) -> list[str]:
        return [value or "" for _, found, value in self.attributes if found == name]


REPORTS = {"full": full, "minimal": minimal, "partial": partial, "hostile": hostile}


@pytest.mark.parametrize("name", REPORTS)
def test_a_page_is_well_formed_and_loads_nothing(name: str) -> None:
    html = render(REPORTS[name]())
    page = Page(html)
    assert set(page.tags) <= TAGS
    names = {attribute for _, attribute, _ in page.attributes}
    assert not {
        n
        for n in names
        if n.startswith("on") or n in ("src", "srcset", "style", "action", "data", "xlink:href")
    }
    assert all(link.startswith("#") for link in page.values("href"))
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in page.values("href")} <= set(ids)
    for reference in page.values("aria-labelledby"):
        assert set(reference.split()) <= set(ids)
    style = re.search(r"<style>(.*?)</style>", html, re.S).group(1)
    assert "url(" not in style
    assert "@import" not in style
    policy = next(value for value in page.values("content") if "default-src" in value)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'")


def test_hostile_text_changes_no_element_and_is_shown_as_it_is() -> None:
    calm, attacked = Page(render(full(files=30))), Page(render(hostile()))
    assert set(attacked.tags) <= set(calm.tags)
    assert attacked.tags.count("script") == 0
    assert attacked.tags.count("article") == 10
    shown = visible(HOSTILE.replace("\udc80", "\\udc80"))
    assert attacked.text.count(shown) > 200
    assert "<|fim_prefix|>" in attacked.text
    assert not any(mark in render(hostile()) for mark in "\u202e\u2066\x00\x1b\x7f")


@given(code=st.text(max_size=300), reference=st.text(max_size=60))
@settings(max_examples=60, deadline=None)
def test_code_arrives_character_by_character(code: str, reference: str) -> None:
    answer = {"completion": code, "truncated": code, "stopped": True, "exact": False}
    sample = {"id": "1", "kind": "line", "path": "a.py", "prefix": "", "suffix": "", "reference": reference}
    page = Page(render(minimal() | {"samples": [sample | {"before": answer, "after": answer}]}))
    shown = visible(code.encode("utf-8", "backslashreplace").decode())
    assert page.blocks[-1] == page.blocks[-2] == (shown if code.strip() else "(nothing)")
    marked = visible(reference.encode("utf-8", "backslashreplace").decode())
    assert page.blocks[0] == (marked or "(nothing)")


def test_context_shows_the_lines_around_the_hole_and_says_what_is_missing() -> None:
    prefix, suffix = "".join(f"line {i}\n" for i in range(100)), "".join(f"\nnext {i}" for i in range(100))
    sample = {
        "id": "1",
        "kind": "line",
        "path": "a.py",
        "prefix": prefix,
        "suffix": suffix,
        "reference": "HOLE",
    }
    block = Page(render(minimal() | {"samples": [sample]})).blocks[0]
    assert "line 99\nHOLE\nnext 0" in block
    assert "line 5\n" not in block
    assert "more characters above" in block
    assert "more characters below" in block


def test_a_completion_shows_where_it_leaves_the_reference_and_what_was_cut() -> None:
    before = {"completion": "x = 1\ny = 2", "truncated": "x = 1", "stopped": False, "exact": False}
    sample = {"id": "1", "kind": "line", "path": "a.py", "prefix": "", "suffix": "", "reference": "x = 2"}
    html = render(minimal() | {"samples": [sample | {"before": before}]})
    assert 'x = <span class="off">1</span>\n<del class="cut">y = 2</del>' in html
    assert "differs, ran to the length limit" in html


def test_better_and_worse_look_the_same() -> None:
    def first_screen(report: dict) -> list[str]:
        html = render(report)
        return re.findall(r"<[^>]+>", html[html.index("<header>") : html.index("</header>")])

    assert first_screen(full()) == first_screen(full(worse=True))
    page = Page(render(full(worse=True))).text
    assert "Worse. Bits per byte" in page
    assert "0.593" in page
    assert "+3.2\u00a0%" in page
    assert "Failed: merged checkpoint to GGUF q8_0" in page


def test_headline_states_values_change_interval_and_direction() -> None:
    text = Page(render(full())).text
    head = text[: text.index("Before and after")]
    for part in (
        "0.593",
        "0.561",
        "\u22125.4\u00a0%",
        "\u22120.037 to \u22120.027",
        "lower is better",
        "0.896",
        "0.693",
    ):
        assert part in head


def test_details_by_kind_and_language_are_judged_like_the_rest() -> None:
    text = " ".join(Page(render(full())).text.split())
    details = text[text.index("Details by kind (2 groups)") : text.index("Greedy decoding with")]
    assert "Bits of the end of text" in details
    assert "Tokens writtenper completion41.2" in details
    assert "not judged" in details
    c = details[details.index("C: 1 text files, 1 probe files") :]
    assert "0.810" in c
    assert "no clear change" in c


def test_long_lists_are_capped_with_a_pointer() -> None:
    text = Page(render(full(files=3000))).text
    assert f"The first {FILES} of 3,000 files; all of them are in report.json." in text
    assert text.count("Lib/package_") == FILES
    report = full()
    report["samples"] = report["samples"] * 2
    page = Page(render(report))
    assert page.tags.count("article") == 10
    assert "The first 10 of 20" in page.text


@pytest.mark.parametrize("absent", sorted(set(full()) - {"codekiln", "name"}))
def test_any_part_may_be_absent(absent: str) -> None:
    report = full(files=5)
    del report[absent]
    Page(render(report))


def test_a_page_depends_on_nothing_but_the_report() -> None:
    report = full()
    before = copy.deepcopy(report)
    assert render(report) == render(json.loads(json.dumps(report)))
    assert report == before


def test_numbers_that_are_not_finite_are_named() -> None:
    text = Page(render(partial())).text
    assert "Not a finite number, and left out: training.tokens_per_second, training.curve[0].loss." in text


def test_headings_go_down_by_one_and_plots_and_tables_are_described() -> None:
    page = Page(render(full()))
    levels = [int(tag[1]) for tag in page.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))
    html = render(full())
    for svg in re.findall(r"<svg[^>]*>.{0,40}", html, re.S):
        assert 'aria-hidden="true"' in svg or ('role="img"' in svg and "<title" in svg)
    assert page.tags.count("table") == page.tags.count("caption")
    assert html.count("<th ") == html.count('scope="col"') + html.count('scope="row"')


def _luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("mode", [0, 1])
@pytest.mark.parametrize(
    ("ink", "ground"),
    [
        ("ink", "page"),
        ("soft", "page"),
        ("soft", "panel"),
        ("accent", "page"),
        ("hole-ink", "hole"),
        ("alarm", "page"),
    ],
)
def test_contrast_is_enough_in_light_and_dark(mode: int, ink: str, ground: str) -> None:
    """WCAG 2.1, success criterion 1.4.3: at least 4.5 to 1."""
    style = re.search(r"<style>(.*?)</style>", render(minimal()), re.S).group(1)
    colors = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", style.split(":root")[1 + mode]))
    lighter, darker = sorted((_luminance(colors[ink]), _luminance(colors[ground])), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5
