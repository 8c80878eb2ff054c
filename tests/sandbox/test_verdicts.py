"""Verdicts of Python code: what tests say of it, test by test."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from codekiln.errors import UserError
from codekiln.sandbox import Limits, Sandbox
from codekiln.sandbox.verdicts import Case, check_cases, check_python, explained
from codekiln.sandbox.verdicts.python import Compare

pytestmark = pytest.mark.skipif(
    shutil.which("bwrap") is None, reason="bubblewrap is not installed: apt-get install bubblewrap"
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(1) as made:
        yield made


def test_each_assertion_is_a_test(sandbox: Sandbox) -> None:
    tests = (
        "def check(candidate):\n    assert candidate(1) == 2\n    assert candidate(2) == 5, 'five'\n"
        "    assert candidate('a') == 3\n    assert 7 == candidate(4)\n    assert not candidate(3)\n"
        "    assert candidate(1) < 2 < 3\n    for i in range(3):\n        assert candidate(i) <= 2\n"
    )
    verdict = check_python(sandbox, "def f(x):\n    return x + 1\n", tests, "f")
    assert [(one.index, one.line, one.passed, one.detail) for one in verdict.tests] == [
        (0, 2, True, ""),
        (1, 3, False, "expected 5, got 3 (five)"),
        (2, 4, False, 'TypeError: can only concatenate str (not "int") to str (line 2 of the program)'),
        (3, 5, False, "expected 7, got 5"),
        (4, 6, False, "expected a false value, got 4"),
        (5, 7, False, "expected a true value, got False"),
        (6, 9, False, "3 <= 2 does not hold"),
    ]
    assert (verdict.verdict, verdict.passed, verdict.total, verdict.method) == ("failed", 1, 7, "separate")
    assert verdict.detail == "assert candidate(2) == 5, 'five': expected 5, got 3 (five) (and 5 more)"
    assert json.loads(json.dumps(verdict.document()))["tests"][0]["source"] == "assert candidate(1) == 2"
    assert explained(verdict).splitlines()[:3] == [
        "1 of 7 tests passed.", "Test 2: assert candidate(2) == 5, 'five'", "  expected 5, got 3 (five)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "tests", "method"),
    [
        ("def f(x): x.append(1)", "a = [0]\nassert f(a) is None\nassert a == [0, 1]", "separate"),
        ("def f(d):\n    d['a'].append(5); d['b'][1].add(3); d[0] = d.pop('c')", "i = [1]\nd = {'a': i, 'b': ([], {2}), 'c': 4}\nf(d)\nassert d == {'a': [1, 5], 'b': ([], {2, 3}), 0: 4}\nassert d['a'] is i", "separate"),
        ("def f(d): d[0][0] = 1", "d = [[0]] * 2\nf(d)\nassert d == [[1], [1]]", "shared"),
        ("def f(b, q, s):\n    b += b'x'; q.appendleft(0); s.clear()", "import collections\nb, q, s = bytearray(), collections.deque([1], 5), {1}\nf(b, q, s=s)\nassert (b, list(q), q.maxlen, s) == (b'x', [0, 1], 5, set())", "separate"),
        ("def f(x): x.sort(); return x", "a = [2, 1]\nassert f(a) is a", "separate"),
        ("def sum(a, b): return a * b", "assert sum(3, 4) == 12", "separate"),
        ("K = {1: (2, 3)}\ndef f(): return g()\ndef g(): return K[1]", "assert f() == g() == K[1]", "separate"),
        ("import math\ndef f(): return math.pi", "assert math.isclose(f(), 3.14159, rel_tol=1e-5)", "separate"),
        ("class E(ValueError): pass\ndef f(): raise E('x')", "try:\n    f()\n    assert False\nexcept E as e:\n    assert str(e) == 'x'", "separate"),
        ("def f(): raise KeyError('k', 1)", "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        with self.assertRaises(KeyError) as c: f()\n        self.assertEqual(c.exception.args, ('k', 1))", "separate"),
        ("def f(x): return x", "from solution import f\nimport solution\nassert f(3) == solution.f(3)", "separate"),
        ("def f(x, *, y=2): return x, y", "def test_f():\n    assert f(1, y=(3,)) == (1, (3,))\ndef test_g(n=1):\n    assert f(n) == (1, 2)", "separate"),
        ("import sys\nsys.set_int_max_str_digits(0)\ndef f(n): return 10 ** n", "assert f(9999) == 10 ** 9999", "separate"),
        ("if __name__ == '__main__': 1 / 0\ndef f(): return 1", "assert f()", "separate"),
        ("def f(): yield 1; yield 2", "assert list(f()) == [1, 2]", "shared"),
        ("class A:\n    def __init__(s, x): s.x = x\ndef f(a): return a.x", "assert f(A(3)) == 3\nassert isinstance(A(1), A)", "shared"),
        ("def f(g, xs): return [g(x) for x in xs]", "assert f(lambda x: x + 1, [1]) == [2]", "shared"),
        ("import os\ndef f(): return os.getcwd()", "from unittest.mock import patch\nwith patch('os.getcwd', return_value='x'):\n    assert f() == 'x'", "shared"),
        ("import random\ndef f(): return random.random() < 2", "import unittest\nfrom unittest import mock\nclass T(unittest.TestCase):\n    @mock.patch('random.random', return_value=3)\n    def test(self, m): self.assertFalse(f())\n    def test_b(self): self.assertTrue(f())", "shared"),
    ],
)  # fmt: skip
def test_right_programs_pass(sandbox: Sandbox, code: str, tests: str, method: str) -> None:
    verdict = check_python(sandbox, code, tests)
    assert (verdict.verdict, verdict.detail, verdict.method) == ("passed", "", method)


@pytest.mark.parametrize(
    ("code", "tests", "word", "detail"),
    [
        ("def f(: pass", "assert f()", "failed", "it fails as it is loaded: SyntaxError: "),
        ("import nothing_here", "assert f()", "failed", "it fails as it is loaded: ModuleNotFoundError: "),
        ("def f(): import nothing_here", "f()", "failed", "f(): ModuleNotFoundError"),
        ("def g(): pass", "assert f()", "failed", "assert f(): NameError: name 'f' is not defined"),
        ("def f(): pass", "assert f(", "undecided", "the tests cannot run: SyntaxError"),
        ("def f(): pass", "import nothing_here\nassert f()", "undecided", "the tests cannot run: ModuleNotFoundError"),
        ("def f(): pass", "x = 1", "undecided", "no test ran"),
        ("def f(): raise MemoryError", "assert f() == 1", "failed", "assert f() == 1: MemoryError"),
        ("def f(): return 1", "assert f() == 1\nraise ValueError('here')", "failed", "raise ValueError('here'): ValueError: here"),
        ("def f(): return 1", "try:\n    assert f() == 2\nexcept TypeError:\n    pass", "failed", "assert f() == 2: AssertionError"),
        ("def f(): return {'a': [1] * 999}", "assert f() == 2", "failed", "assert f() == 2: expected 2, got {'a': [1, 1,"),
    ],
)  # fmt: skip
def test_others_are_told_of(sandbox: Sandbox, code: str, tests: str, word: str, detail: str) -> None:
    verdict = check_python(sandbox, code, tests)
    assert verdict.verdict == word
    assert verdict.detail.startswith(detail)
    assert len(verdict.detail) < 1000


def test_what_runs_out_of_time_runs_again_alone(sandbox: Sandbox) -> None:
    code = "import time\ndef f(s):\n    time.sleep(s)\n    return s\n"
    tests = ["assert f(0) == 0", "assert f(0.3) == 0.3", "assert f(0) == 1"]
    limits = Limits(wall=0.2)
    first = check_python(sandbox, code, tests, limits=limits, again=False)
    assert first.verdict == "failed"
    assert [(one.passed, one.detail) for one in first.tests] == [(True, ""), (False, "it ran out of time")]
    second = check_python(sandbox, code, tests[:2], limits=limits)
    assert second.verdict == "passed"


@pytest.mark.slow
def test_processor_time_runs_out_too(sandbox: Sandbox) -> None:
    busy = check_python(
        sandbox, "def f():\n    while True: pass", "assert f()", limits=Limits(wall=9, cpu=1), again=False
    )
    assert busy.execution
    assert busy.execution.status == "timeout"


@pytest.mark.parametrize(
    ("given", "expected", "compare", "passed"),
    [
        (0.1 + 0.2, 0.3, "exact", False),
        (0.1 + 0.2, 0.3, "close", True),
        ([1, (0.1 + 0.2, "a")], [1, (0.3, "a")], "close", True),
        ((0.1 + 0.2,), [0.3], "close", False),
        (1, 1.0000001, "close", False),
        (True, 1, "exact", True),
        ([1.5, 2], [1.5, 2, 3], "close", False),
        (float("nan"), float("nan"), "close", False),
        (float("inf"), float("inf"), "close", True),
        (float("inf"), 1.0, "close", False),
        ({"a": 0.1 + 0.2}, {"a": 0.3}, "close", True),
        (2.0, 10**400, "close", False),
        ([2, 1, 1], [1, 2, 1], "unordered", True),
        ([2, 1, 1], [1, 2, 2], "unordered", False),
        ([[1], [0]], [[0], [1]], "unordered", True),
        ("ab", "ba", "unordered", False),
        ((2, 1, 1), [1, 2], "set", True),
        (3, [3], "set", False),
    ],
)
def test_cases(sandbox: Sandbox, given: Any, expected: Any, compare: Compare, passed: bool) -> None:
    case = [Case([given], expected), Case([], expected, {"x": given}, compare)]
    verdict = check_cases(sandbox, "def f(x): return x", "f", case, compare=compare)
    assert [one.passed for one in verdict.tests] == [passed, passed]
    assert verdict.verdict == ("passed" if passed else "failed")
    assert all(one.detail for one in verdict.tests if not one.passed)


def test_many_cases(sandbox: Sandbox) -> None:
    code = (
        "import collections\nP = collections.namedtuple('P', 'x')\ndef f(n, k=0):\n    if n == 5: raise ValueError('five')\n"
        "    if n == 7: return iter([1])\n    return P(n + k)"
    )
    cases = [Case([n], (n,)) for n in range(200)] + [Case([1], (3,), {"k": 2})]
    verdict = check_cases(sandbox, code, "f", cases)
    wrong = {one.index: (one.source, one.detail) for one in verdict.tests if not one.passed}
    assert wrong == {
        5: ("f(5)", "ValueError: five (line 4 of the program)"),
        7: ("f(7)", "it gives a value of type list_iterator"),
    }
    assert (verdict.passed, verdict.total) == (199, 201)
    few = check_cases(sandbox, "def f(n): return 0", "f", cases, most_failures=3)
    assert len(few.tests) == 3
    assert (
        check_cases(sandbox, "def g(n): return 0", "f", cases).detail
        == "it fails as it is loaded: it defines no function f"
    )
    with pytest.raises(UserError, match="case 2: it holds a value of type object"):
        check_cases(sandbox, code, "f", [cases[0], Case([object()], 1)])


def test_large_values_and_arguments_go_both_ways(sandbox: Sandbox) -> None:
    cases = [
        Case([list(range(100_000))], 100_000),
        Case(["x" * 500_000], 500_000),
        *[Case(["y" * 9000], 9000)] * 50,
    ]
    assert check_cases(sandbox, "def f(x): return len(x)", "f", cases).verdict == "passed"
    assert (
        check_cases(
            sandbox, "def f(x): return x", "f", [Case([one.arguments[0]], one.arguments[0]) for one in cases]
        ).verdict
        == "passed"
    )


@pytest.mark.slow
def test_a_failure_after_very_many_cases(sandbox: Sandbox) -> None:
    cases = [Case([n], n) for n in range(90_000)]
    cases[-1] = Case([1], 2)
    verdict = check_cases(sandbox, "def f(n): return n", "f", cases, limits=Limits(wall=120, cpu=120))
    assert verdict.verdict == "failed"
    assert verdict.total == 90_000
    assert verdict.detail == "f(1): expected 2, got 1"


def test_small_questions_with_large_answers_wait_for_nobody(sandbox: Sandbox) -> None:
    cases = [Case([n], [n] * 20_000) for n in range(100, 130)] + [
        Case(["x" * 90_000], ["x" * 90_000] * 20)
    ] * 3
    code = "def f(n): return [n] * (20_000 if isinstance(n, int) else 20)"
    assert check_cases(sandbox, code, "f", cases).verdict == "passed"


def test_helpers_of_a_task_are_not_the_programs(sandbox: Sandbox) -> None:
    code = "def poly(x): return 0\ndef zero(): return 5"
    assert check_python(sandbox, code, "assert poly(zero()) == 0", "zero").verdict == "passed"
    assert (
        check_python(sandbox, code, "def poly(x): return x - 3\nassert poly(zero()) == 0", "zero").verdict
        == "failed"
    )


def test_levels_of_isolation_are_told(sandbox: Sandbox) -> None:
    assert check_python(sandbox, "def f(): return 1", "assert f() == 1").isolation == sandbox.level
