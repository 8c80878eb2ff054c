"""What readers found: right programs that were judged wrong, wrong ones that passed, mistakes that went unnoticed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Literal

import pytest

from codekiln.errors import UserError
from codekiln.sandbox import Limits, Program, Sandbox
from codekiln.sandbox.verdicts import Case, Exchange, check_appended, check_cases, check_python, check_stdio

pytestmark = pytest.mark.skipif(
    shutil.which("bwrap") is None, reason="bubblewrap is not installed: apt-get install bubblewrap"
)
LIAR = """
class A:
    def _t(self, *a, **k): return True
    __eq__ = __bool__ = __contains__ = __lt__ = __le__ = __gt__ = __ge__ = _t
    def __ne__(self, o): return False
    def _s(self, *a, **k): return self
    __sub__ = __rsub__ = __abs__ = __round__ = __add__ = _s
    __hash__ = lambda s: 0
def f(*a, **k): return A()
"""
NEAR = """
class A:
    def __eq__(self, o): return not isinstance(o, list)
def f(*a): return A()
"""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(1) as made:
        yield made


@pytest.mark.parametrize("program", [LIAR, NEAR])
@pytest.mark.parametrize(
    "tests",
    [
        "assert f(3) == 9 and f(4) == 16", "assert 9 == f(3) == 9", "assert (f(3) == 9) is True",
        "assert all(f(a) == b for a, b in [(3, 9), (4, 16)])", "for a, b in [(3, 9)]: assert f(a) == b",
        "def eq(a, b): return a == b\nassert eq(f(3), 9)", "if f(3) != 9: raise AssertionError\nassert True",
        "try:\n    assert f(3) == 9\nfinally:\n    pass", "assert f(3) == 3 ** 2",
        "import unittest\nclass T(unittest.TestCase):\n    def test_x(self):\n        for a, b in [(3, 9)]: self.assertEqual(f(a), b)",
    ],
)  # fmt: skip
def test_objects_that_agree_with_everything_never_pass(sandbox: Sandbox, program: str, tests: str) -> None:
    assert check_python(sandbox, program, tests, "f").verdict == "failed"


STACK = "class S(list):\n    def push(self, x): self.append(x)\n"


@pytest.mark.parametrize(
    ("program", "tests"),
    [
        (STACK, "s = S(); s.push(1); s.push(2)\nassert s.pop() == 2\nassert s.pop() == 1"),
        ("def f(n):\n    yield from range(n)", "g = f(3)\nassert next(g) == 0\nassert next(g) == 1"),
        ("class C:\n    n = 0\n    def inc(self): self.n += 1; return self.n",
         "def test_it():\n    c = C()\n    assert c.inc() == 1\n    assert c.inc() == 2"),
        ("import random\ndef f(): return random.random()",
         "import random\nrandom.seed(3)\na = f()\nrandom.seed(3)\nassert f() == a"),
        ("def f(): print('hello')",
         "import contextlib, io\nb = io.StringIO()\nwith contextlib.redirect_stdout(b): f()\nassert b.getvalue() == 'hello\\n'"),
        ("def f(x: int) -> int:\n    'doc'", "assert f.__doc__ == 'doc'\nassert f.__annotations__['x'] is int"),
    ],
)  # fmt: skip
def test_what_is_run_once_is_judged_by_that(sandbox: Sandbox, program: str, tests: str) -> None:
    for _ in range(3):  # decoys are placed by chance
        verdict = check_python(sandbox, program, tests)
        assert verdict.verdict == "passed", verdict


def test_programs_have_what_the_interpreter_gives_them(sandbox: Sandbox) -> None:
    program = Program("python", {"main.py": b"print(int(input()) + 1)\nexit()"})
    assert check_stdio(sandbox, program, [Exchange(b"1\n", b"2\n")]).verdict == "passed"
    assert sandbox.run(Program("python", {"main.py": b"quit(3)"})).exit_code == 3


@pytest.mark.parametrize(
    ("language", "source", "tests", "command"),
    [
        ("php", "<?php\nfunction f($x) { return $x; }\n?>", "if (f(1) !== 2) { throw new Exception('x'); }", "php"),
        ("ruby", "def f(x) = x\n__END__", "raise 'x' unless f(1) == 2", "ruby"),
        ("perl", "sub f { $_[0] }\n__END__\n", "die 'x' unless f(1) == 2;", "perl"),
        ("perl", "sub f { $_[0] }\n__DATA__\n", "die 'x' unless f(1) == 2;", "perl"),
    ],
)  # fmt: skip
def test_appended_tests_are_code(
    sandbox: Sandbox, language: str, source: str, tests: str, command: str
) -> None:
    if shutil.which(command) is None:
        pytest.skip(f"{command} is not installed")
    assert check_appended(sandbox, language, source, tests).verdict == "failed"
    assert check_appended(sandbox, language, source, tests.replace("2", "1")).verdict == "passed"


@pytest.mark.parametrize(
    "tests",
    [
        "class TestF:\n    def setup_method(self): self.x = 1\n    def test_a(self): assert f(self.x) == 2",
        "async def test_b():\n    assert f(1) == 2",
        "class TestF:\n    async def test_a(self): assert f(1) == 2",
    ],
)
@pytest.mark.parametrize("mode", ["separate", "shared"])
def test_tests_as_pytest_has_them_are_run(
    sandbox: Sandbox, tests: str, mode: Literal["separate", "shared"]
) -> None:
    right, wrong = "def f(x): return x + 1", "def f(x): return x"
    assert check_python(sandbox, right, tests, "f", mode=mode).verdict == "passed"
    assert check_python(sandbox, wrong, tests, "f", mode=mode).verdict == "failed"


def test_mistakes_of_callers_are_told(sandbox: Sandbox) -> None:
    with pytest.raises(UserError, match="mode seperate"):
        check_python(sandbox, "def f(): pass", "assert f()", mode="seperate")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="compare wat"):
        check_cases(sandbox, "def f(): pass", "f", [Case([], 1)], compare="wat")  # type: ignore[arg-type]
    for wrong in (
        {"wall": float("nan")},
        {"wall": float("inf")},
        {"memory": -5},
        {"cpu": 0},
        {"memory": 1e9},
    ):
        with pytest.raises(UserError, match="limit"):
            Limits(**wrong)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="0 workers"):
        Sandbox(0)
