"""Verdicts of programs in any language: by what they print, and by test code that is appended to them."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from codekiln.sandbox import Execution, Limits, Program, Sandbox, languages
from codekiln.sandbox.turns import Turns
from codekiln.sandbox.verdicts import (
    Exchange,
    Outcome,
    Verdict,
    check_appended,
    check_stdio,
    difference,
    explained,
)
from codekiln.sandbox.verdicts.outputs import OutputCompare

needs_box = pytest.mark.skipif(
    shutil.which("bwrap") is None, reason="bubblewrap is not installed: apt-get install bubblewrap"
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(1) as made:
        yield made


@pytest.mark.parametrize(
    ("got", "expected", "how", "told"),
    [
        (b"a\nb\n", b"a \nb\n\n", "lines", ""),
        (b"a\nb", b"a\nc", "lines", "line 2: expected 'c', got 'b'"),
        (b"a", b"a\n\nb", "lines", "line 2: expected '', got nothing more"),
        (b" a", b"a", "lines", "line 1: expected 'a', got ' a'"),
        (b"a\n", b"a", "exact", "line 2: expected nothing more, got ''"),
        (b"a\r\n", b"a\n", "exact", "line 1: expected 'a', got 'a\\r'"),
        (b"\xff", b"\xff", "exact", ""),
        (b"\xff", b"\xfe", "lines", "line 1: expected '\\udcfe', got '\\udcff'"),
        (b"b\na\na", b"a\nb\na\n", "unordered", ""),
        (b"b\na\na", b"a\nb\nb\n", "unordered", "expected a line 'b', got none"),
        (b"b\na\na", b"a\nb\n", "unordered", "got a line 'a' that was not expected"),
        (b"1 2.50\n yes", b"1.0\n2.5 yes\n", "tokens", ""),
        (b"1.0000001 x", b"1 x", "tokens", ""),
        (b"1.1 x", b"1 x", "tokens", "word 1: expected '1', got '1.1'"),
        (b"1 x y", b"1 x", "tokens", "word 3: expected nothing more, got 'y'"),
        (b"nan", b"1", "tokens", "word 1: expected '1', got 'nan'"),
        (b"1_0", b"10", "tokens", "word 1: expected '10', got '1_0'"),
        (b"1e9999 " * 2, b"1e9999 2", "tokens", "word 2: expected '2', got '1e9999'"),
        (b"9" * 5000, b"9" * 5000 + b".0", "tokens", f"word 1: expected '{'9' * 199}…', got '{'9' * 199}…'"),
        (b"", b"\n", "lines", ""),
    ],
)
def test_difference(got: bytes, expected: bytes, how: OutputCompare, told: str) -> None:
    assert difference(got, expected, how, rtol=0.0, atol=1e-6 if how == "tokens" else 0.0) == told


@needs_box
def test_what_a_program_prints(sandbox: Sandbox) -> None:
    code = b"import sys\nn = int(input())\nprint(10 // n, *sys.argv[1:])\n"
    cases = [
        Exchange(b"2\n", b"5\n"),
        Exchange(b"5", b"2 a", ["a"]),
        Exchange(b"3", b"4\n"),
        Exchange(b"0", b"1\n"),
    ]
    verdict = check_stdio(sandbox, Program("python", {"main.py": code}), cases)
    assert [(one.source, one.passed, one.detail) for one in verdict.tests] == [
        ("case 1", True, ""), ("case 2", True, ""), ("case 3", False, "line 1: expected '4', got '3'"),
        ("case 4", False, "it exited with 1: ZeroDivisionError: integer division or modulo by zero"),
    ]  # fmt: skip
    assert (verdict.verdict, verdict.method, verdict.passed, verdict.total) == ("failed", "stdio", 2, 4)
    assert verdict.detail == "case 3: line 1: expected '4', got '3' (and 1 more)"
    early = check_stdio(sandbox, Program("python", {"main.py": code}), cases, stop_early=True)
    assert (len(early.tests), early.total) == (3, 4)
    assert check_stdio(sandbox, Program("python", {"main.py": code}), cases[:2]).verdict == "passed"
    slow = Program("python", {"main.py": b"import time; time.sleep(0.3); print(1)"}, limits=Limits(wall=0.2))
    assert (
        check_stdio(sandbox, slow, [Exchange(b"", b"1")], again=False).detail == "case 1: it ran out of time"
    )
    assert check_stdio(sandbox, slow, [Exchange(b"", b"1")]).verdict == "passed"


def _turned(length: str) -> str:
    return f"import os\nfor b in os.read(3, {length}): os.write(4, bytes([b ^ 0x5A]))"


@needs_box
@pytest.mark.parametrize(
    ("source", "verdict", "detail"),
    [
        ("def f(): return 3", "passed", ""),
        ("def f(): return 4", "failed", "its tests: it exited with 1: AssertionError"),
        ("raise SystemExit(0)", "failed", "its tests: it exited with 0 before its tests ended"),
        ("import os; os._exit(0)", "failed", "its tests: it exited with 0 before its tests ended"),
        ("import os; os.write(4, os.read(3, 99)); os._exit(0)", "failed", "its tests: forged: what it answered was not the tests' end"),
        ("import os; os.write(4, b'passed'); os._exit(0)", "failed", "its tests: forged: what it answered was not the tests' end"),
        ("import os; os.write(4, b'x'); f = lambda: 3", "failed", "its tests: forged: what it answered was not the tests' end"),
    ],
)  # fmt: skip
def test_appended_tests(
    sandbox: Sandbox, source: str, verdict: str, detail: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = languages.toolchain("python")
    object.__setattr__(tools, "finishing", lambda text: text + "\n" + _turned("99"))
    try:
        found = check_appended(sandbox, "python", source, "assert f() == 3")
    finally:
        object.__delattr__(tools, "finishing")
    assert (found.verdict, found.detail, found.method) == (verdict, detail, "appended")


@needs_box
def test_languages_that_are_not_there(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    found = check_stdio(sandbox, Program("cobol-85", {"a": b""}), [Exchange(b"", b"")])
    assert found.verdict == "unsupported"
    assert "cobol-85: no toolchain" in found.detail
    tools = replace(languages.toolchain("python"), run=("no-such-program", "{main}"))
    monkeypatch.setattr("codekiln.sandbox.verdicts.programs.toolchain", lambda name: tools)
    found = check_appended(sandbox, "python", "", "")
    assert (found.verdict, found.detail) == (
        "unsupported",
        "python: no-such-program is not installed: apt-get install python3",
    )


@needs_box
@pytest.mark.slow
def test_a_compiled_program(sandbox: Sandbox) -> None:
    if not languages.toolchain("c++").found():
        pytest.skip("g++ is not installed: apt-get install g++")
    code = b"#include <iostream>\nint main() { int n; std::cin >> n; std::cout << n * 2 << std::endl; }\n"
    cases = [Exchange(b"2", b"4"), Exchange(b"-3", b"-6")]
    assert check_stdio(sandbox, Program("c++", {"a.cpp": code}), cases).verdict == "passed"
    broken = check_stdio(sandbox, Program("c++", {"a.cpp": b"int main() { return x; }"}), cases)
    assert broken.verdict == "failed"
    assert broken.detail.startswith("it does not compile: a.cpp:1")


def test_a_verdict_is_explained() -> None:
    tests = tuple(
        Outcome(n, n > 7, f"assert f({n})", n + 1, "" if n > 7 else "expected 1, got 2") for n in range(9)
    )
    failed = Verdict("failed", "x", tests, 9, "separate", Execution("exited", 1, stderr=b"Traceback\nboom\n"))
    lines = explained(failed, most=2).splitlines()
    assert lines == [
        "1 of 9 tests passed.", "Test 1: assert f(0)", "  expected 1, got 2", "Test 2: assert f(1)", "  expected 1, got 2",
        "6 more tests failed.", "It wrote to stderr:", "Traceback", "boom",
    ]  # fmt: skip
    assert explained(Verdict("passed", "", tests[8:], 1)) == "All 1 tests passed."
    assert explained(Verdict("undecided", "no test ran")) == "The tests gave no verdict: no test ran"
    assert (
        explained(Verdict("failed", "it fails as it is loaded: x")).splitlines()[1]
        == "it fails as it is loaded: x"
    )


def test_turns() -> None:
    turns, log = Turns(), []
    inside = 0

    def beside() -> None:
        nonlocal inside
        for _ in range(20):
            with turns.beside():
                inside += 1
                time.sleep(0.0005)
                inside -= 1

    def alone() -> None:
        for _ in range(5):
            with turns.alone():
                log.append(inside)
                time.sleep(0.001)
                log.append(inside)

    threads = [threading.Thread(target=one) for one in (beside, beside, alone, alone, beside)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(20)
    assert log == [0] * 20
