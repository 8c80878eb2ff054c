"""Parse errors: what they are of labelled files, and grammars that crash, hang or swallow memory."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from corpus_kit import corpus, program, rows, sources, write

from codekiln.corpus.explain import explain
from codekiln.corpus.languages import LANGUAGES
from codekiln.corpus.parsing import Parser
from codekiln.corpus.rules import PARSE_ERRORS
from codekiln.corpus.whatif import what_if
from codekiln.grammars import grammar_of

SOUND = {
    "c": "int f(int a) {\n  return a + 1;\n}\n",
    "go": "package a\n\nfunc f(a int) int {\n\treturn a\n}\n",
    "java": "class A {\n  int f(int a) { return a; }\n}\n",
    "javascript": "const a = (b) => b + 1;\n",
    "json": '{"a": [1, 2]}\n',
    "python": "def f(a):\n    return a\n",
    "ruby": "def f(a)\n  a\nend\n",
    "rust": "fn f(a: i32) -> i32 {\n    a\n}\n",
    "typescript": "const a = (b: number): number => b;\n",
}
PROSE = "There are, of course, some things that one\ncan't say; others (as you know) one\nshouldn't: for instance, this?\n"


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    one = Parser()
    yield one
    one.close()


@pytest.mark.parametrize("language", SOUND)
def test_sound_files_have_no_errors_and_prose_has(parser: Parser, language: str) -> None:
    assert parser.errors(language, "x", SOUND[language].encode()) == 0
    share = parser.errors(language, "x", (PROSE * 5).encode())
    assert share is not None
    assert PARSE_ERRORS.fires(share)


def test_a_stray_bracket_costs_little(parser: Parser) -> None:
    text = "".join(f"int f{n}(int a) {{\n  return a + {n};\n}}\n" for n in range(50))
    share = parser.errors("c", "x.c", (text + "}}}\n" + text).encode())
    assert share is not None
    assert 0 < share < 0.05


def test_languages_without_a_grammar_and_empty_files_are_not_measured(parser: Parser) -> None:
    assert parser.errors("stata", "x.do", b"gen x = 1\n") is None
    assert parser.errors("python", "x.py", b"") is None


def test_typescript_with_jsx_has_a_grammar_of_its_own(parser: Parser) -> None:
    text = b"export const A = () => <div className='a'>{b}</div>;\n"
    assert parser.errors("typescript", "a.TSX", text) == 0
    assert parser.errors("typescript", "a.ts", text) != 0


@pytest.mark.parametrize("piece", ["(", "a", "\0", "{[(", '"', "\n", "- "])
@pytest.mark.parametrize("language", ["python", "javascript", "c"])
def test_hostile_files_have_an_end(parser: Parser, language: str, piece: str) -> None:
    begun = time.monotonic()
    parser.errors(language, "x", (piece * 100_000)[:100_000].encode())
    assert time.monotonic() - begun < 60  # of processor time the kernel allows four seconds
    assert parser.errors(language, "x", SOUND[language].encode()) == 0


_RANDOM = random.Random(5).randbytes(4_000)
HOSTILE = {
    "open brackets": b"([{" * 3_000,
    "deep nesting": b"(" * 5_000 + b"a" + b")" * 5_000,
    "NUL bytes": b"\0" * 10_000,
    "no UTF-8": _RANDOM,
    "one token": b"if " * 3_000,
    "open string": b'a = "' + b"b" * 10_000,
    "open comment": b"/* " * 3_000,
    "tags": b"<a>" * 3_000,
    "deep indentation": b"".join(b" " * depth + b"if a:\n" for depth in range(150)),
}


@pytest.mark.slow
def test_no_grammar_holds_on_to_a_hostile_file(parser: Parser) -> None:
    with_grammar = [language for language in LANGUAGES if grammar_of(language)]
    assert len(with_grammar) >= 60
    for language in with_grammar:
        for name, data in HOSTILE.items():
            begun = time.monotonic()
            share = parser.errors(language, "x", data)
            # Of processor time the kernel allows 3.5 seconds; what is above is waiting for it.
            assert time.monotonic() - begun < 60, f"{language}: {name}"
            assert share is None or 0 <= share <= 1
    assert parser.errors("python", "x", b"x = 1\n") == 0


def test_a_crash_costs_one_answer(parser: Parser) -> None:
    assert parser.errors("agda", "x", b"module A where\n") is not None
    parser.errors("agda", "x", b"\0" * 10_000)  # a segmentation fault of the scanner in some releases
    assert parser.errors("python", "x", b"x = 1\n") == 0


def test_a_corpus_that_parses(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {f"m{n:02d}.py": program(n) for n in range(30)}
    files["prose.py"] = PROSE * 5
    files["shell.sh"] = "#!/bin/sh\n" + PROSE * 5
    source = sources(tmp_path, write(tmp_path / "project", files))
    built = corpus(tmp_path, source, parse="on", heldout_minimum=2)
    fates = rows(built / "decisions")
    assert fates["prose.py"]["reason"] == "parse_errors"
    assert "ours, measured" in fates["prose.py"]["detail"]
    assert sum(row["kept"] for row in fates.values()) == 31
    found = what_if(built, {"parse_errors": 1})
    assert found["rules"][0]["measured"] == 31
    assert found["gained"]["examples"] == ["project:prose.py"]
    again = corpus(tmp_path / "off", source, heldout_minimum=2)
    assert rows(again / "decisions")["prose.py"]["kept"]
    assert what_if(again, {"parse_errors": 0.01})["rules"][0]["measured"] == 0
    told = {rule["name"]: rule["value"] for rule in explain(source, again, "prose.py")["rules"]}
    assert told["parse_errors"] == "not measured"
