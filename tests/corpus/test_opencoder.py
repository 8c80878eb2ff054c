"""OpenCoder's rules: signals against plain counts, each rule by a file that it drops, and hostile files."""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from corpus_kit import corpus, rows, sources, write
from hypothesis import given, settings
from hypothesis import strategies as st

from codekiln.corpus import opencoder, signals
from codekiln.corpus.explain import explain
from codekiln.corpus.opencoder.lexing import parts
from codekiln.corpus.opencoder.repetition import repetition
from codekiln.corpus.opencoder.rules import OPENCODER
from codekiln.corpus.rule import Rule
from codekiln.corpus.rules import with_thresholds
from codekiln.corpus.whatif import what_if
from codekiln.errors import UserError
from codekiln.shards import Dataset
from codekiln.shards.tables import SIGNALS


def measure(text: str, language: str = "python", path: str = "x") -> dict[str, Any]:
    return signals.measure(path, language, text.encode(), text, ["opencoder"])


def plain(text: str) -> dict[str, float]:
    """The shares of repeated runs by their definition."""
    words = [word for word in re.split(r"[^a-z0-9\x80-\U0010ffff]+", text.lower()) if word]
    total, found = sum(map(len, words)), {}
    for n in (2, 3, 4, 5, 6, 7, 8, 9, 10):
        runs = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
        counts = Counter(runs)
        if n < 5:
            run, count = counts.most_common(1)[0] if runs else ((), 0)
            found[f"oc_top_{n}gram_fraction"] = sum(map(len, run)) * count / total if count > 1 else 0.0
        else:
            inside = {i + k for i, run in enumerate(runs) if counts[run] > 1 for k in range(n)}
            found[f"oc_duplicate_{n}gram_fraction"] = sum(len(words[i]) for i in inside) / total
    return found


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a", "bb", "c_d", "é", "Ab"]), min_size=1, max_size=60).map(" ".join))
def test_repeated_runs_are_those_of_the_definition(text: str) -> None:
    found = repetition(text.encode())
    for name, value in plain(text).items():
        assert found[name] == pytest.approx(value, abs=1e-5), name


def test_words_and_their_lengths() -> None:
    found = repetition("Über alles, über_all".encode())
    assert (found["oc_words"], found["oc_mean_word_length"]) == (4, 4.0)
    assert repetition(b"(){}")["oc_mean_word_length"] is None


PARTS = [
    ("python", 'x = "# no"  # yes\n', 'x = "# no"  \n', "# yes"),
    ("python", 'def f():\n    """What."""\n    return """no"""\n', 'def f():\n    \n    return """no"""\n', '"""What."""'),
    ("c", '/* a */ int x; // b\nchar *s = "/*";\n', ' int x; \nchar *s = "/*";\n', "/* a */\n// b"),
    ("c", "int x; /* open", "int x; ", "/* open"),
    ("javascript", "let s = `// ${a}\n`; // c", "let s = `// ${a}\n`; ", "// c"),
    ("haskell", "f x' = x {- a -} -- b\n", "f x' = x  \n", "{- a -}\n-- b"),
    ("lua", "--[[ a\nb ]] x = 1 -- c", " x = 1 ", "--[[ a\nb ]]\n-- c"),
    ("sql", "select '--'; -- b", "select '--'; ", "-- b"),
    ("ocaml", "let a = (* b *) 1", "let a =  1", "(* b *)"),
    ("json", '{"a": "// no"}', '{"a": "// no"}', ""),
]  # fmt: skip


@pytest.mark.parametrize(("language", "text", "code", "comments"), PARTS)
def test_comments_are_told_from_code(language: str, text: str, code: str, comments: str) -> None:
    found = parts(language, text)
    assert (found.code, found.comments) == (code, comments)


@settings(deadline=None)
@given(
    st.sampled_from(["python", "c", "lua", "pascal", "javascript"]),
    st.text(st.sampled_from("/*\"'#-[]{}\\\n`ab ")),
)
def test_code_and_comments_are_the_whole_file(language: str, text: str) -> None:
    found = parts(language, text)
    assert len(found.code) + len(found.comments.replace("\n", "")) <= len(text)
    assert Counter(found.code + found.comments.replace("\n", "")) <= Counter(text)


def ordinary(number: int) -> str:
    """A Python file that every rule keeps."""
    draw = random.Random(f"ordinary {number}")
    lines = [f'"""Module {_word(draw)}."""', ""]
    for _ in range(4):
        names = [_word(draw) for _ in range(8)]
        lines += [
            f"def {names[0]}({names[1]}, {names[2]}):",
            f"    {names[3]} = {names[1]} + {names[4]}",
            f"    while {names[3]} > {names[5]}({names[2]}):",
            f"        {names[3]} -= {names[6]}",
            f"        if not {names[7]}.{names[4]}({names[3]}):",
            f"            raise {names[6]}({names[2]})",
            f"    return {names[5]}({names[3]})",
            "",
        ]
    return "\n".join(lines)


def _word(draw: random.Random) -> str:
    return "".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=8))


GOOD = {
    "python": ordinary(0),
    "java": "package a;\n\nimport java.util.List;\n\npublic class Cart {\n  private final List<Item> items;\n\n"
    "  public int total(int discount) {\n    int sum = 0;\n    for (Item item : items) {\n"
    "      if (item.price() > discount) {\n        sum += item.price() - discount;\n      }\n    }\n"
    "    while (sum > limit) {\n      sum = shrink(sum, discount);\n    }\n    return sum * rate / 100;\n  }\n}\n",
    "go": "package cart\n\ntype Cart struct {\n\tOwner string\n\tPlaces map[string]Place\n}\n\nfunc Total(items []Item, discount int) int {\n\tsum := 0\n\tfor _, item := range items {\n"
    "\t\tif item.Price > discount {\n\t\t\tsum += item.Price - discount\n\t\t}\n\t}\n\tfor sum > limit {\n"
    "\t\tsum = shrink(sum, discount)\n\t}\n\tlog(sum)\n\treturn sum\n}\n",
}

_BODY = "".join(f"    if a{n} > limit{n}:\n        a{n} = limit{n} * change(b{n}, c{n})\n" for n in range(8))
BAD: list[tuple[str, str, str, str]] = [
    ("opencoder_generated", "python", "# Do not edit\n" + GOOD["python"], "x.py"),
    ("opencoder_few_words", "python", "x = 1\n" * 12, "x.py"),
    ("opencoder_few_lines", "python", "".join(f"alpha{n} = beta{n} + gamma{n} + delta{n}\n" for n in range(9)), "x.py"),
    ("opencoder_long_words", "c#", "".join(f"class{n}{'Word' * 4}.Call{n}{'Name' * 4}();\n" for n in range(20)), "x.cs"),
    ("opencoder_digits", "c", "".join(f"int a{n} = {n}{n * 7919}{n * 31};\n" for n in range(20)), "x.c"),
    ("opencoder_alphabetic", "c", "".join(f"a{n} += (((b{n} & ~c{n}) << d) | [e]) ^ -((f));\n" for n in range(20)), "x.c"),
    ("opencoder_comments", "rust", "".join(f"// what the {n}th of them is for and why\n" for n in range(30)) + "fn a() {}\n", "x.rs"),
    ("opencoder_unfinished", "ruby", GOOD["python"] + "# TODO\n", "x.rb"),
    ("opencoder_duplicate_lines", "lua", "".join(f"call(alpha, beta{n // 2})\n" for n in range(40)), "x.lua"),
    ("opencoder_functions", "python", "".join(f"def f{n}(a{n}, b{n}):\n    a{n}.go()\n" for n in range(9)), "x.py"),
    ("opencoder_no_variable", "python", "import some\n" + "".join(f"some.method{n}('of a{n}', {n}).go()\n" for n in range(20)), "x.py"),
    ("opencoder_prints", "python", _BODY + "".join(f"print('item {n} of', a{n})\n" for n in range(16)), "x.py"),
    ("opencoder_imports", "python", "".join(f"from pack{n} import name{n}, other{n}\n" for n in range(12)) + _BODY, "x.py"),
    ("opencoder_passes", "python", _BODY[:400] + "try:\n    run()\nexcept Fault:\n    pass\n", "x.py"),
    ("opencoder_mains", "c", "int main(int argc) {\n  go(argc);\n}\n" * 2 + "".join(f"call{n}(alpha{n}, beta{n});\n" for n in range(12)), "x.c"),
    ("opencoder_html_visible_share", "html", "<div id=one class=big></div>\n" + "".join(f"<p class='item{n}' style='left:{n}'></p>\n" for n in range(20)), "x.html"),
    ("opencoder_unique_words", "yaml", "".join(f"- name: job\n  kind: {'abcdefghi'[n % 9]}\n" for n in range(30)), "x.yaml"),
]  # fmt: skip


def fired(language: str, values: dict[str, Any]) -> list[str]:
    return [rule.name for rule in OPENCODER if rule.applies(language) and rule.fires(values.get(rule.signal))]


@pytest.mark.parametrize(("name", "language", "text", "path"), BAD, ids=[row[0] for row in BAD])
def test_each_rule_drops_what_it_is_for(name: str, language: str, text: str, path: str) -> None:
    assert name in fired(language, measure(text, language, path))


@pytest.mark.parametrize("language", GOOD)
def test_ordinary_code_stays(language: str) -> None:
    assert fired(language, measure(GOOD[language], language)) == []


def test_words_like_print_are_no_print_and_important_is_no_import() -> None:
    found = measure("blueprint = 1\nimportant = 2\npassword = 3\n", "python")
    assert (found["oc_print_lines"], found["oc_import_lines"], found["oc_pass_lines"]) == (0, 0, 0)


def test_functions_that_only_return() -> None:
    text = "class A:\n    x: int = 1\n    def f(self):\n        return self.x\n\n    def g(self):\n        y = 1\n        return y\n"
    assert measure(text)["oc_return_functions"] == pytest.approx(1 / 7, abs=1e-5)
    assert measure("def f(): return 1\n")["oc_return_functions"] == 1
    assert measure("def f():\n    return 1\n    print(2)\n")["oc_return_functions"] == 0


def test_every_rule_has_its_signal_in_the_schema() -> None:
    assert {rule.signal for rule in OPENCODER} <= set(SIGNALS.names)
    assert set(measure(GOOD["python"])) <= set(SIGNALS.names)
    assert len({rule.name for rule in with_thresholds({}, ["starcoder2", "opencoder"])}) == len(
        with_thresholds({}, ["starcoder2", "opencoder"])
    )


def test_a_share_of_the_files_is_spared_by_content() -> None:
    rule = Rule("r", "r", "x", ">", 0, "o", spares=0.2)
    hashes = [signals.measure("", "c", bytes([n % 256, n // 256]), "")["content_hash"] for n in range(1000)]
    assert 140 < sum(map(rule.spared, hashes)) < 260
    assert rule.drops("c", {"x": 1, "content_hash": "f" * 32})
    assert not rule.drops("c", {"x": 1, "content_hash": "0" * 32})


def test_text_languages_and_notebooks_have_no_rule() -> None:
    values = measure("a\n", "markdown")
    assert not any(rule.drops("markdown", values) for rule in OPENCODER)
    assert any(rule.drops("python", values) for rule in OPENCODER)


PIECES = ["a", " ", "(", "\n", '"', "=", "/*", "'''", "{-", "a ", "def a(", "public static ", "int a", "\nclass ", "return", "var ", "a\n", "\\", "main(", "0x", ": pass ", "  \n"]  # fmt: skip


@pytest.mark.parametrize("language", ["python", "c", "java", "javascript", "c#"])
def test_hostile_files_cost_no_time(language: str) -> None:
    for piece in PIECES:
        text = (piece * (100_000 // len(piece)))[:100_000]
        begun = time.process_time()
        opencoder.measure("x", language, text.encode(), text, 0)
        assert time.process_time() - begun < 1, piece


def test_a_corpus_by_these_rules(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {f"m{n:02d}.py": ordinary(n) for n in range(30)}
    files |= {f"short{n}.py": f"value_{n} = 1\n" for n in range(5)}
    files["todo.py"] = "# TODO\n" + ordinary(99)
    source = sources(tmp_path, write(tmp_path / "project", files))
    built = corpus(tmp_path, source, rulesets=("opencoder",), heldout_minimum=2)
    fates = rows(built / "decisions")
    assert fates["todo.py"]["reason"] == "opencoder_unfinished"
    assert "OpenCoder" in fates["todo.py"]["detail"]
    assert {fates[f"short{n}.py"]["reason"] for n in range(5)} == {"opencoder_few_characters"}
    assert sum(row["kept"] for row in fates.values()) == 30
    found = what_if(built, {"opencoder_unfinished": 1})
    assert found["gained"]["files"] == 1
    told = explain(source, built, "todo.py")
    assert told["signals"]["oc_words"] > 30
    assert [rule["name"] for rule in told["rules"] if rule["fired"]] == ["opencoder_unfinished"]
    assert (
        next(rule["value"] for rule in told["rules"] if rule["name"] == "opencoder_does_not_parse")
        == "not measured"
    )
    with pytest.raises(UserError, match="is a rule of starcoder2, which"):
        what_if(built, {"alphabetic": 0.1})


def test_the_default_measures_none_of_it(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {f"m{n:02d}.py": ordinary(n) for n in range(30)}
    source = sources(tmp_path, write(tmp_path / "project", files))
    built = corpus(tmp_path, source, heldout_minimum=2)
    assert Dataset.open(built / "signals").table(["oc_words"])["oc_words"].null_count == 30
    assert not any(name.startswith("oc_") for name in explain(source, built, "m01.py")["signals"])


DECLARED = [
    ("c", "int size(void);\nchar *name(int which, const char *fallback);\n", 1.0),
    ("c++", "return size(this);\nstd::vector<int> sizes(int a,\n    int b) const;\nx = size(a);\n", 0.25),
    ("java", "public Cart(int size) {\nint size() {\nprivate List<Item> items(int from) {\n}\n", 0.5),
    ("c#", "internal Cart(int size)\nprotected override int Size(int from)\n", 0.5),
]  # fmt: skip


@pytest.mark.parametrize(("language", "text", "share"), DECLARED)
def test_declarations_are_functions_and_constructors_are_none(language: str, text: str, share: float) -> None:
    assert measure(text, language)["oc_functions"] == share


def test_what_has_no_variable_is_asked_of_the_three_languages_where_theirs_can_fire() -> None:
    (rule,) = (rule for rule in OPENCODER if rule.name == "opencoder_no_variable")
    assert rule.only == {"java", "javascript", "python"}
    for language in ("c", "c++", "c#", "go"):
        assert measure("call(alpha)\n" * 9, language)["oc_no_variable"] is None
