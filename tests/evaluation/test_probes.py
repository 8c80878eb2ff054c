from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codekiln.evaluation.config import ProofConfig
from codekiln.evaluation.context import first_lines, last_lines, lines_of
from codekiln.evaluation.probes import FimProbe, HeldOutFile, choose_probes
from codekiln.evaluation.syntax import outline
from codekiln.evaluation.truncate import truncate_block, truncate_line
from codekiln.evaluation.windows import choose_windows
from codekiln.modeling.tokenizer import load_tokenizer

TEXT = st.text(alphabet="ab \t\n\ré😀{", max_size=80)


def words(text: str) -> list[int]:
    """A stand-in tokenizer: a token for each character."""
    return [ord(character) for character in text]


def files(triples) -> list[HeldOutFile]:
    return [HeldOutFile(path, "demo", path, language, content) for path, language, content in triples]


def rows_of(probe: FimProbe) -> range:
    return range(probe.line, probe.line + probe.reference.count("\n") + 1)


@pytest.fixture(scope="module")
def tokenizer(pico_checkpoint: Path):
    return load_tokenizer(pico_checkpoint)


@given(TEXT, st.integers(0, 40))
def test_context_is_cut_at_line_starts_and_fits(text: str, limit: int) -> None:
    tail, head = last_lines(words, text, limit), first_lines(words, text, limit)
    assert text.endswith(tail)
    assert text.startswith(head)
    assert len(tail) == len(text) or text[: len(text) - len(tail)].endswith("\n")
    assert len(head) == len(text) or not head or head.endswith("\n")
    assert len(head) <= limit
    assert len(tail) <= max(limit, len(text) - text.rfind("\n") - 1)
    assert "".join(lines_of(text)) == text


def test_every_probe_rebuilds_its_file_and_survives_its_own_rule(library, tokenizer) -> None:
    config = ProofConfig(line_probes=60, block_probes=20, prefix_tokens=120, suffix_tokens=60)
    contents = {path: content for path, _, content in library}
    probes = choose_probes(files(library), config, 7, tokenizer.encode)
    assert Counter(probe.kind for probe in probes) == {"line": 60, "block": 20}
    for probe in probes:
        lines = contents[probe.path].split("\n")
        whole = probe.prefix + probe.reference + probe.suffix
        assert whole in contents[probe.path]
        first = lines[probe.line - 1]
        assert first.endswith(probe.reference.split("\n")[0])
        assert probe.prefix.rsplit("\n", 1)[-1] == first[: len(first) - len(first.lstrip())]
        assert probe.suffix.startswith("\n") or probe.suffix == ""
        assert len(tokenizer.encode(probe.prefix)) <= 120
        assert len(tokenizer.encode(probe.suffix)) <= 60
        if probe.kind == "line":
            assert truncate_line(probe.reference) == probe.reference
            assert len("".join(probe.reference.split())) >= 8
            assert not probe.reference.startswith("#")
        else:
            assert truncate_block(probe.reference, probe.prefix, probe.suffix) == probe.reference
            assert 2 <= len(rows_of(probe)) <= 12


def test_probes_never_share_a_line_and_spread_evenly(library, tokenizer) -> None:
    probes = choose_probes(files(library), ProofConfig(line_probes=40, block_probes=15), 3, tokenizer.encode)
    taken = Counter((probe.path, row) for probe in probes for row in rows_of(probe))
    assert max(taken.values()) == 1
    assert set(Counter(probe.path for probe in probes if probe.kind == "line").values()) == {8}
    assert max(Counter(probe.path for probe in probes if probe.kind == "block").values()) <= 4


def test_probes_depend_on_the_seed_and_not_on_the_order_of_files(library, tokenizer) -> None:
    config = ProofConfig(line_probes=12, block_probes=4)
    shuffled = files(library)
    random.Random(0).shuffle(shuffled)
    chosen = choose_probes(files(library), config, 1, tokenizer.encode)
    assert choose_probes(shuffled, config, 1, tokenizer.encode) == chosen
    assert choose_probes(files(library), config, 2, tokenizer.encode) != chosen


def test_more_probes_keep_those_of_fewer(library, tokenizer) -> None:
    few = choose_probes(files(library), ProofConfig(line_probes=10, block_probes=0), 1, tokenizer.encode)
    many = choose_probes(files(library), ProofConfig(line_probes=30, block_probes=0), 1, tokenizer.encode)
    assert many[:10] == few


def test_fewer_possible_probes_than_asked_are_all_taken() -> None:
    text = "# a comment that is long\nvalue = compute(1)\n\nx = 1\nother = compute(2)\n"
    probes = choose_probes(files([("a.py", "python", text)]), ProofConfig(), 0, words)
    assert sorted(probe.reference for probe in probes) == ["other = compute(2)", "value = compute(1)"]
    assert choose_probes(files([("empty.py", "python", "")]), ProofConfig(), 0, words) == []
    assert choose_probes([], ProofConfig(), 0, words) == []


def test_an_answer_that_cannot_fit_with_its_end_is_no_probe() -> None:
    text = "abcdefghij\nabcdefghi\n"
    probes = choose_probes(files([("a.py", "python", text)]), ProofConfig(line_new_tokens=10), 0, words)
    assert [probe.reference for probe in probes] == ["abcdefghi"]


def test_crlf_stays_in_the_suffix() -> None:
    text = "def f(x):\r\n    first(x)\r\n    second(x)\r\nlast = call()\r\n"
    probes = choose_probes(files([("a.py", "python", text)]), ProofConfig(), 0, words)
    assert {probe.kind for probe in probes} == {"line", "block"}
    for probe in probes:
        assert probe.prefix + probe.reference + probe.suffix == text
        assert probe.suffix.startswith("\r\n")
        assert not probe.reference.endswith("\r")


@pytest.mark.parametrize(
    ("language", "text", "blocks"),
    [
        (
            "python",
            "def f():\n    'Doc.'\n    a()\n    if b:\n        c()\n        d()\n    elif e:\n        g()\n",
            3,
        ),
        ("javascript", "function f() {\n  if (a) {\n    b();\n    c();\n  }\n}\n", 2),
        ("c", "int f(void)\n{\n\tfor (;;) {\n\t\ta();\n\t\tb();\n\t}\n\treturn 0;\n}\n", 2),
        ("go", "func f() {\n\tif a {\n\t\tb()\n\t} else {\n\t\tc()\n\t}\n}\n", 3),
        ("ruby", "def f\n  a\n  b\nend\n", 1),
        ("no such language", "head\n  a\n\n  b\nrest\n", 1),
    ],
)
def test_blocks_are_bodies_without_their_braces(language: str, text: str, blocks: int) -> None:
    lines = text.split("\n")
    found = outline(text, language).blocks
    assert len(found) == blocks
    for first, last in found:
        assert "{" not in lines[first - 1] or lines[first - 1].rstrip().endswith("{")
        assert not lines[first].lstrip().startswith(("{", "}"))
        assert not lines[last + 1].strip() or len(lines[last + 1]) - len(lines[last + 1].lstrip()) < len(
            lines[first]
        ) - len(lines[first].lstrip())


def test_comments_are_found_by_grammar_and_by_mark() -> None:
    python = 'x = 1  # tail\n# alone\ndef f():\n    """Doc\n    more"""\n    return s\n'
    assert outline(python, "python").comments == {1, 3, 4}
    assert outline("#include <a.h>\n/* a\n b */\nint x; /* c */\n", "c").comments == {1, 2}
    assert outline("# a\nb\n", "no such language").comments == {0}


@given(TEXT)
def test_any_text_has_an_outline_within_its_rows(text: str) -> None:
    for language in ("python", "c", "no such language"):
        found = outline(text, language)
        rows = text.count("\n") + 1
        assert all(0 <= first <= last < rows for first, last in found.blocks)
        assert all(0 <= row < rows for row in found.comments)


def test_windows_are_spread_over_the_files_and_count_only_what_is_scored(library, tokenizer) -> None:
    config = ProofConfig(text_tokens=1500, text_window=200)
    windows = choose_windows(files(library), config, 0, tokenizer.encode, tokenizer.decode)
    contents = {path: content for path, _, content in library}
    assert {window.file.path for window in windows} == set(contents)
    tokens = Counter()
    for window in windows:
        ids = [*window.context, *window.target]
        text = tokenizer.decode(ids)
        tokens[window.file.path] += len(ids)
        assert len(ids) <= 200
        assert len(window.context) == 1
        assert "\n".join(contents[window.file.path].split("\n")[window.line - 1 :]).startswith(text)
        assert window.bytes == len(tokenizer.decode(list(window.target)).encode())
    assert 1200 <= sum(tokens.values()) <= 1500
    assert max(tokens.values()) <= 1.4 * min(tokens.values())


def test_a_small_file_is_scored_whole_and_leaves_its_share_to_others(tokenizer) -> None:
    small = ("small.py", "python", "x = 1\n")
    large = ("large.py", "python", "value = compute(1)\n" * 500)
    config = ProofConfig(text_tokens=600, text_window=128)
    windows = choose_windows(files([small, large]), config, 0, tokenizer.encode, tokenizer.decode)
    by_file = Counter()
    for window in windows:
        by_file[window.file.path] += len(window.context) + len(window.target)
    assert by_file["small.py"] == len(tokenizer.encode(small[2]))
    assert 450 <= by_file["large.py"] <= 600 - by_file["small.py"]


def test_a_first_character_of_several_tokens_is_not_counted(tokenizer) -> None:
    text = "😀 = 1\nvalue = compute(1)\n"
    (window,) = choose_windows(
        files([("a.py", "python", text)]), ProofConfig(), 0, tokenizer.encode, tokenizer.decode
    )
    assert tokenizer.decode(list(window.context)).startswith("😀")
    shown = len(tokenizer.decode(list(window.context)).encode())
    assert window.bytes == len(text.encode()) - shown


def test_a_line_longer_than_a_window_is_scored_as_far_as_it_fits(tokenizer) -> None:
    text = "x = [" + "12, " * 2000 + "]\n"
    config = ProofConfig(text_tokens=300, text_window=64)
    windows = choose_windows(files([("a.py", "python", text)]), config, 0, tokenizer.encode, tokenizer.decode)
    assert [len(window.context) + len(window.target) <= 64 for window in windows] == [True]
    assert (
        choose_windows(files([("a.py", "python", "")]), config, 0, tokenizer.encode, tokenizer.decode) == []
    )
