"""Span choice: valid on any text, deterministic, and what an editor would ask for."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codekiln import fim
from codekiln.fim import MAX_CHARACTERS, SPAN_KINDS, Span, choose_span, document_rng, is_boundary

WEIGHTS = {"characters": 0.1, "line": 0.25, "lines": 0.15, "line_end": 0.25, "node": 0.25}
PIECES = [
    "\r\n", "\n", "\r", "\r\r\n", " ", "\t", "    ", "x", "def f(a, b):", "return a + b", "(", ")", "{", "}",
    "e\u0301", "\u0301\u0302", "👍🏽", "👩\u200d🚀", "☎\ufe0f", "𝒳", "日本", "\x00", "\u2028", "\x0c", '"""', "# ä",
]  # fmt: skip
TEXTS = st.one_of(st.text(max_size=200), st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
PYTHON = '''import os
from typing import Any


class Shop:
    """Sells things."""

    def __init__(self, owner: str, stock: dict[str, int]) -> None:
        self.owner = owner
        self.stock = stock

    def sell(self, name: str, count: int = 1) -> bool:
        # nothing is sold that is not there
        if self.stock.get(name, 0) < count:
            return False
        for _ in range(count):
            self.stock[name] -= 1
        return True


def describe(shop: Any) -> str:
    lines = [f"{name}: {count}" for name, count in shop.stock.items()]
    while len(lines) > 10:
        lines.pop()
    return os.linesep.join(lines)
'''


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.sampled_from(["python", "c++", "no-such-language"]), st.integers(0, 10**6))
def test_a_span_is_valid_on_any_text(text: str, language: str, number: int) -> None:
    for kind in SPAN_KINDS:
        span = choose_span(text, language, document_rng(0, 0, f"{number}"), {kind: 1.0}, 0.1)
        assert 0 <= span.start <= span.end <= len(text)
        assert (span.kind == "empty") == (span.start == span.end)
        assert span.end - span.start <= 0.4 * len(text)
        assert span.end - span.start <= MAX_CHARACTERS
        assert is_boundary(text, span.start)
        assert is_boundary(text, span.end)
        assert "".join(span.cut(text)) == text
        if span.kind in ("line", "line_end"):
            assert not set(span.cut(text)[1]) & {"\r", "\n"}


@given(TEXTS)
@settings(deadline=None)
def test_a_span_depends_on_its_document_alone(text: str) -> None:
    draw = [choose_span(text, "python", document_rng(3, 1, "d"), WEIGHTS, 0.05) for _ in range(2)]
    assert draw[0] == draw[1]
    assert draw[0] == choose_span(
        text, "python", document_rng(3, 1, "d"), dict(reversed(WEIGHTS.items())), 0.05
    )


def test_the_generator_of_a_document_depends_on_seed_epoch_and_id() -> None:
    first = [document_rng(*key).random() for key in [(1, 0, "a"), (2, 0, "a"), (1, 1, "a"), (1, 0, "b")]]
    assert len(set(first)) == 4
    # pinned: a change here changes every dataset
    assert document_rng(1, 0, "a").random() == first[0] == 0.4071162888907536


@pytest.mark.parametrize(
    ("text", "offset", "expected"),
    [
        ("a\r\nb", 2, False),
        ("a\r\nb", 1, True),
        ("a\r\nb", 3, True),
        ("e\u0301x", 1, False),
        ("e\u0301x", 2, True),
        ("👍🏽", 1, False),
        ("👩\u200d🚀", 1, False),
        ("👩\u200d🚀", 2, False),
        ("☎\ufe0f", 1, False),
        ("👩\u200da", 2, False),
        ("\ud83d\ude00", 1, False),
        ("ab", 0, True),
        ("ab", 2, True),
    ],
)
def test_boundaries_keep_characters_whole(text: str, offset: int, expected: bool) -> None:
    assert is_boundary(text, offset) is expected


def _draw(kind: str, text: str = PYTHON, language: str = "python") -> list[tuple[Span, str]]:
    spans = [choose_span(text, language, document_rng(0, 0, str(n)), {kind: 1.0}) for n in range(300)]
    return [(span, text[span.start : span.end]) for span in spans]


def test_a_line_is_whole_without_indentation_and_break() -> None:
    contents = {line.strip() for line in PYTHON.splitlines() if line.strip()}
    drawn = {middle for _, middle in _draw("line")}
    assert drawn == contents


def test_lines_are_consecutive_and_start_behind_the_indentation() -> None:
    for span, middle in _draw("lines"):
        assert span.kind == "lines"
        assert 2 <= len([line for line in middle.split("\n") if line.strip()]) <= 10
        assert middle == middle.strip()
        assert not PYTHON[: span.start].split("\n")[-1].strip()
        assert PYTHON[span.end] == "\n"


def test_a_line_end_starts_behind_a_token() -> None:
    for span, middle in _draw("line_end"):
        before = PYTHON[: span.start].split("\n")[-1]
        assert before.strip()
        assert before == before.rstrip()
        assert PYTHON[span.end] == "\n"
        assert middle.strip()
        assert not (before[-1].isalnum() and middle[0].isalnum())


def test_nodes_are_of_many_kinds_and_never_the_whole_text() -> None:
    middles = {middle for _, middle in _draw("node")}
    assert "import os" in middles
    assert "return False" in middles
    assert "# nothing is sold that is not there" in middles
    assert any(middle.startswith("for _ in range") for middle in middles)
    assert any(middle.startswith("def sell") for middle in middles)
    assert "name, 0" in middles  # the inside of an argument list
    assert all(len(middle) <= 0.4 * len(PYTHON) for middle in middles)


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("javascript", "function f(a) {\n  const x = a + 1;\n  if (x) {\n    g(x);\n  }\n  return x;\n}\n" * 2, "g(x);"),
        ("c", "#include <a.h>\nint f(int a) {\n  for (;;) {\n    a = g(a, 2);\n  }\n  return a;\n}\n" * 2, "a, 2"),
        ("rust", "use a::b;\nfn f(a: i32) -> i32 {\n    let x = g(a, 7);\n    x + a\n}\n" * 2, "let x = g(a, 7);"),
        ("go", "package a\n\nfunc f(a int) int {\n\tfor a < 3 {\n\t\ta++\n\t}\n\treturn a\n}\n" * 2, "return a"),
        ("java", "class A {\n  int f(int a) {\n    while (a < 3) { a = g(a, 1); }\n    return a;\n  }\n}\n" * 2, "return a;"),
        ("ruby", "def f(a)\n  if a\n    g(a, 1)\n  end\n  return a\nend\n" * 2, "return a"),
        ("shell", "f() {\n  if [ -n \"$a\" ]; then\n    echo \"$a\"\n  fi\n}\nfor i in 1 2; do f; done\n" * 2, None),
    ],
)  # fmt: skip
def test_nodes_of_other_languages(language: str, text: str, expected: str | None) -> None:
    drawn = _draw("node", text, language)
    assert all(span.kind == "node" for span, _ in drawn)
    assert expected is None or expected in {middle for _, middle in drawn}


def test_node_offsets_are_characters_not_bytes() -> None:
    text = (
        '# Grüße, 日本語 👍\nnamen = ["Jürgen", "Åsa"]\n\n\ndef grüße(x):\n    return "ä" + drücke(x, "öö")\n'
        * 2
    )
    nodes = fim.syntax_nodes(text, "python")
    assert ("return", 'return "ä" + drücke(x, "öö")') in {(kind, text[a:b]) for kind, a, b in nodes}
    assert {text[span.start : span.end] for span, _ in _draw("node", text)} >= {'drücke(x, "öö")', 'x, "öö"'}


def test_a_language_without_a_grammar_falls_back_to_lines_under_their_own_name() -> None:
    assert {span.kind for span, _ in _draw("node", PYTHON, "prolog")} == {"line"}


def test_broken_source_still_gives_nodes() -> None:
    broken = "  x = (1\n\n  )))) ] def\n" + PYTHON[300:] + "\nclass (\n"
    kinds = Counter(span.kind for span, _ in _draw("node", broken))
    assert kinds["node"] == 300


@pytest.mark.parametrize("text", ["", "x", "\n", "\r\n", "  ", "ab"])
def test_tiny_texts(text: str) -> None:
    for kind in SPAN_KINDS:
        assert choose_span(text, "python", document_rng(0, 0, "t"), {kind: 1.0}).kind == "empty"


def test_a_one_line_file_is_cut_within_its_line() -> None:
    for kind in SPAN_KINDS:
        drawn = _draw(kind, "total = sum(values) / len(values)")
        assert all(span.kind != "empty" and 1 <= len(middle) <= 13 for span, middle in drawn)


def test_kinds_and_empty_middles_have_their_shares() -> None:
    total = 2000
    kinds = Counter(
        choose_span(PYTHON, "python", document_rng(5, 0, str(n)), WEIGHTS, 0.03).kind for n in range(total)
    )
    for kind, share in {**{kind: 0.97 * weight for kind, weight in WEIGHTS.items()}, "empty": 0.03}.items():
        slack = 4 * (total * share * (1 - share)) ** 0.5
        assert abs(kinds[kind] - total * share) < slack, kinds


def test_a_weight_of_zero_is_never_drawn() -> None:
    weights = {"characters": 0.0, "line": 1.0, "lines": 0.0, "line_end": 1.0, "node": 0.0}
    kinds = {choose_span(PYTHON, "python", document_rng(0, 0, str(n)), weights).kind for n in range(300)}
    assert kinds == {"line", "line_end"}


def test_the_global_random_state_is_neither_used_nor_changed() -> None:
    random.seed(1)
    before = random.getstate()
    choose_span(PYTHON, "python", document_rng(0, 0, "x"), WEIGHTS, 0.5)
    assert random.getstate() == before
