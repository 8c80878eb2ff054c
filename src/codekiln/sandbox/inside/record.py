"""Runs test code and tells what came of each test."""

import contextlib
import importlib
import inspect
import sys
import types

import methods
from brief import LENGTH, brief, told
from methods import Enough
from rewrite import FILE, RECORDER

#: After so many failures nothing more is run.
MOST = 50


class Recorder:
    """What test code tells of its assertions.

    Args:
        emit: is given {"at": number, "line", "source", "name"} when a test begins for the first time, and {"fail":
            number, "detail"} when it fails for the first time.
    """

    def __init__(self, emit, table, source):
        self._emit, self._table, self._lines = emit, table, source.splitlines()
        self._begun, self._failed = set(), set()

    def begin(self, number):
        """An assertion begins."""
        if number not in self._begun:
            self._begun.add(number)
            line, last, _ = self._table[number]
            self._emit({"at": number, "line": line, "source": self._text(line, last)})

    def named(self, number, name):
        """A test that has a name begins."""
        self._begun.add(number)
        self._emit({"at": number, "name": name[:200]})

    def fail(self, number, detail):
        """A test has failed."""
        if number not in self._failed:
            self._failed.add(number)
            self._emit({"fail": number, "detail": detail[: 3 * LENGTH]})
            if len(self._failed) >= MOST:
                raise Enough

    def failed(self, number, operator, turned, left, right, *message):
        """An assertion that compares does not hold."""
        got, expected = (right, left) if turned else (left, right)
        if operator == "==":
            detail = f"expected {brief(expected)}, got {brief(got)}"
        else:
            detail = f"{brief(left)} {operator} {brief(right)} does not hold"
        self.fail(number, detail + _said(message))

    def untrue(self, number, negated, value, *message):
        """An assertion of one value does not hold."""
        wanted = "a false value" if negated else "a true value"
        self.fail(number, f"expected {wanted}, got {brief(value)}{_said(message)}")

    def error(self, number, error):
        """An error came out of an assertion."""
        if isinstance(error, Enough):
            raise error
        self.fail(number, told(error))

    def outside(self, error):
        """An error came out of test code, beside its assertions or from one that has to raise."""
        line = None
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == FILE:
                line = trace.tb_lineno
            trace = trace.tb_next
        for number, (first, last, _) in enumerate(self._table):
            if line and first <= line <= last and number in self._begun:
                return self.fail(number, told(error))
        self._emit({"at": -1, "line": line or 0, "source": self._text(line, line) if line else "the tests"})
        return self.fail(-1, told(error))

    def _text(self, line, last):
        return " ".join(" ".join(self._lines[line - 1 : last]).split())[:LENGTH] or f"line {line}"


def _said(message):
    return "".join(f" ({brief(one) if not isinstance(one, str) else one[:LENGTH]})" for one in message)


def run(code, namespace, recorder):
    """Run test code, then the test functions and the classes of tests that it defines.

    Returns the error that ended it, or None.
    """
    before = dict(namespace)
    namespace[RECORDER] = recorder
    number = len(recorder._table)
    try:
        exec(code, namespace)  # noqa: S102 - tests are to be run; the box holds them
        for name, one in list(namespace.items()):
            if before.get(name) is one:
                continue
            if isinstance(one, types.FunctionType) and name.startswith("test_") and not _needs(one):
                number += _function(one, name, number, recorder)
            elif isinstance(one, type) and _is_tests(one):
                number = methods.run(one, number, recorder)
            elif isinstance(one, type) and one.__name__.startswith("Test"):
                number = _methods(one, number, recorder)
    except Enough:
        return None
    except BaseException as error:
        with contextlib.suppress(Enough):
            recorder.outside(error)
        return error
    return None


def _is_tests(kind):
    """Whether a class is one of unittest's with tests; without it imported there is none."""
    known = sys.modules.get("unittest.case")
    return known is not None and issubclass(kind, known.TestCase) and kind.__module__ != "unittest.case"


def _methods(kind, number, recorder):
    """The test methods of a class that is no unittest's, each of an object of its own."""
    for name, one in list(vars(kind).items()):
        if name.startswith("test_") and isinstance(one, types.FunctionType) and not _needs(one, 1):
            number += _function(
                lambda one=one: _called(kind, one), f"{kind.__name__}.{name}", number, recorder
            )
    return number


def _called(kind, method):
    made = kind()
    if callable(getattr(made, "setup_method", None)):
        made.setup_method()
    return method(made)


def _needs(function, given=0):
    """Whether a function needs more arguments than are given, or gives values one by one."""
    code = function.__code__
    return (
        code.co_argcount - given > len(function.__defaults__ or ())
        or code.co_flags & (inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR)
        or code.co_kwonlyargcount
    )


def _function(function, name, number, recorder):
    """Call a test function: 1 where it is a test of its own, 0 where its assertions are."""
    begun = len(recorder._begun)
    try:
        given = function()
        if inspect.iscoroutine(given):
            importlib.import_module("asyncio").run(given)
    except Enough:
        raise
    except BaseException as error:
        recorder.named(number, name)
        recorder.fail(number, told(error))
        return 1
    if len(recorder._begun) > begun:
        return 0
    recorder.named(number, name)
    return 1
