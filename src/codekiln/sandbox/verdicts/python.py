"""Tests of Python code: test code, or arguments with expected values.

In the *separate* mode test code and expected values are in a process of another user, which calls the program's
functions over a socket and takes plain data alone for answers. Whatever the program does in its own process, it can
only give wrong answers.

Test code that needs the program's objects themselves (classes, iterators, mocks) runs in the *shared* mode: in the
program's process, after the program was loaded. A pass then has to be proved with a token, and counts only where the
same tests, with some among them that must fail, end with exactly these failing.

What is left as a risk there: in its own process a program can read test code and the token, and report what it likes.
Decoys and questions to objects catch programs that do so without knowing how they are judged. One that is written against
this very software can tell decoys from tests and lie; it should be judged in the separate mode alone (`mode="separate"`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from codekiln.errors import UserError
from codekiln.sandbox.inside import plain
from codekiln.sandbox.inside.brief import brief
from codekiln.sandbox.program import Limits
from codekiln.sandbox.sandbox import Sandbox
from codekiln.sandbox.step import Step
from codekiln.sandbox.verdicts.running import broken, run_step
from codekiln.sandbox.verdicts.verdict import Method, Outcome, Verdict, decided, summary

Mode = Literal["auto", "separate", "shared"]
Compare = Literal["exact", "close", "unordered", "set"]
#: Those of EvalPlus, whose comparison of floats is numpy's.
RTOL, ATOL = 1e-7, 1e-6
#: The name under which test code may import the program.
MODULE = "solution"
#: Tests are not run on after so many failures.
MOST_FAILURES = 50
#: What test code does to the process that it is in, for the program to see.
_MOCKS = re.compile(
    r"\bmock\b|\bmonkeypatch\b|\bpatch\s*\(|\bredirect_std|\bsys\.(?:stdin|stdout|stderr|argv)\b|\bseed\s*\(|\btempfile\b"
    r"|\bcatch_warnings\b|\benviron\b|\bopen\s*\("
)


@dataclass(frozen=True)
class Case:
    """Arguments of a call and what it should give, all plain data.

    Attributes:
        compare: of this case; empty for that of all.
        atol: of this case; None for that of all.
    """

    arguments: Sequence[Any]
    expected: Any
    named: Mapping[str, Any] = field(default_factory=dict)
    compare: Compare | Literal[""] = ""
    atol: float | None = None


def check_python(
    sandbox: Sandbox,
    source: str,
    tests: str | Sequence[str],
    entry_point: str = "",
    *,
    mode: Mode = "auto",
    files: Mapping[str, bytes] | None = None,
    limits: Limits = Limits(),  # noqa: B008 - it cannot change
    again: bool = True,
) -> Verdict:
    """Run test code against Python code.

    Every `assert` is a test of its own and the next one runs after it failed; so are the methods of unittest's classes
    and functions `test_…` without arguments. A function `check` of the test code is called with the entry point.

    Args:
        tests: test code, or statements of it. Helpers that a task gives can stand before them, so that they are not
            the program's own.
        entry_point: the function under test; found by its use where it is empty.
        mode: where test code runs; "auto" for apart from the program, and in its process where that cannot be.
        files: further files beside the program, by relative path.
        again: run what times out once more, alone.
    """
    if mode not in get_args(Mode):
        raise UserError(f"mode {mode}: not one of {', '.join(get_args(Mode))}")
    text = tests if isinstance(tests, str) else "\n".join(tests)
    plan = {"tests": text, "entry": entry_point, "module": MODULE, "most": MOST_FAILURES}
    step = _step(source, files or {}, limits)
    if mode == "separate" or (mode == "auto" and not _MOCKS.search(text)):
        verdict, plainly = _tried(sandbox, step, {**plan, "shared": False}, again)
        if plainly or mode == "separate":
            return verdict
    return _shared(sandbox, step, plan, again)


def check_cases(
    sandbox: Sandbox,
    source: str,
    entry_point: str,
    cases: Sequence[Case],
    *,
    compare: Compare = "exact",
    rtol: float = RTOL,
    atol: float = ATOL,
    most_failures: int = MOST_FAILURES,
    files: Mapping[str, bytes] | None = None,
    limits: Limits = Limits(),  # noqa: B008 - it cannot change
    again: bool = True,
) -> Verdict:
    """Call a function of Python code with arguments and compare what it gives, in the separate mode.

    Args:
        compare: "exact" as `==` has it; "close" also lets numbers of one type or in sequences of one length differ as
            far as `numpy.isclose(got, expected, rtol, atol)` lets them; "unordered" for the same things equally often; "set" for
            the same things.

    Raises:
        UserError: a case holds what is not plain data.
    """
    written = []
    for how_to in {compare, *(case.compare for case in cases if case.compare)}:
        if how_to not in get_args(Compare):
            raise UserError(f"compare {how_to}: not one of {', '.join(get_args(Compare))}")
    for number, case in enumerate(cases):
        how = None
        if case.compare or case.atol is not None:
            how = [case.compare or compare, rtol, atol if case.atol is None else case.atol]
        try:
            named = {name: plain.tree(value) for name, value in case.named.items()}
            written.append(
                [[plain.tree(one) for one in case.arguments], named, plain.tree(case.expected), how]
            )
        except plain.NotPlain as error:
            raise UserError(f"case {number + 1}: it holds {error}, which is no plain data") from None
    plan = {"entry": entry_point, "cases": written, "compare": [compare, rtol, atol], "most": most_failures}
    verdict, _ = _tried(sandbox, _step(source, files or {}, limits), plan, again)
    tests = tuple(_named(one, entry_point, cases) for one in verdict.tests)
    return replace(verdict, tests=tests, detail=summary(tests) or verdict.detail)


def _named(test: Outcome, entry_point: str, cases: Sequence[Case]) -> Outcome:
    case = cases[test.index]
    words = [brief(one) for one in case.arguments]
    words += [f"{name}={brief(one)}" for name, one in case.named.items()]
    return replace(test, source=f"{entry_point}({', '.join(words)})")


def _step(source: str, files: Mapping[str, bytes], limits: Limits) -> Step:
    name = f"{MODULE}.py"
    return Step(
        {name: source.encode("utf-8", "surrogatepass"), **files},
        [name],
        python=True,
        limits=limits,
        judge=True,
    )


def _shared(sandbox: Sandbox, step: Step, plan: dict[str, Any], again: bool) -> Verdict:
    step = replace(step, hidden=True)
    verdict, _ = _tried(sandbox, step, {**plan, "shared": True, "canary": False}, again)
    verdict = replace(verdict, method="shared")
    if verdict.verdict != "passed":
        return verdict
    second = replace(step, channel=json.dumps({**plan, "shared": True, "canary": True}).encode())
    done = run_step(sandbox, second, again)
    end = _events(done.said)[2]
    if done.status == "sandbox_error":
        return replace(verdict, verdict="undecided", detail=broken(done))
    if end.get("end") == "finished" and end.get("canary") == "other" and not broken(done):
        again_differs = "its tests passed, and failed when they were run again"
        return replace(verdict, verdict="undecided", detail=again_differs)
    if broken(done) or end.get("end") != "finished" or end.get("canary") != "held":
        return replace(verdict, verdict="failed", detail="forged: tests that must fail did not")
    return verdict


def _tried(sandbox: Sandbox, step: Step, plan: dict[str, Any], again: bool) -> tuple[Verdict, bool]:
    """The verdict of one trial, and whether plain data was enough for it."""
    done = run_step(sandbox, replace(step, channel=json.dumps(plan).encode()), again)
    tests, running, end = _events(done.said)
    total = end.get("total", 0) or len(plan.get("cases", ())) or len(tests)
    total = max(total, len(tests))
    method: Method = "separate"

    def verdict(word: Literal["failed", "undecided"], detail: str) -> Verdict:
        return Verdict(word, detail, tuple(tests), total, method, done)

    how, reason = end.get("end"), str(end.get("reason", ""))
    if done.status == "sandbox_error":
        return verdict("undecided", broken(done)), True
    if how == "not plain":
        return verdict("undecided", reason), False
    if how == "tests":
        return verdict("undecided", f"the tests cannot run: {reason}"), True
    if how == "finished" and not broken(done):
        total = max(len(tests), len(plan.get("cases", ())))
        return decided(tuple(tests), total, method, done), True
    if how == "broken":
        return verdict("failed", f"it fails as it is loaded: {reason}"), True
    if how == "forged":
        return verdict("failed", f"forged: {reason}"), True
    # The test that was running when it ended is the one that failed.
    why = broken(done) or reason or "it ended before its tests did"
    if running is not None:
        tests = [replace(one, passed=False, detail=why) if one.index == running else one for one in tests]
        return decided(tuple(tests), total, method, done), True
    return verdict("failed", why), True


def _events(said: bytes) -> tuple[list[Outcome], int | None, dict[str, Any]]:
    """(tests, the one that ran last if it did not fail, how it ended) of what a judge said."""
    tests: dict[int, Outcome] = {}
    last: int | None = None
    end: dict[str, Any] = {}
    for line in said.splitlines():
        try:
            one = json.loads(line)
        except ValueError:  # the last line of a judge that was ended
            continue
        if "end" in one:
            end = one
        elif "at" in one:
            last = one["at"]
            source = one.get("name") or one.get("source", "")
            tests[one["at"]] = Outcome(one["at"], True, source, one.get("line", 0))
        else:
            begun = tests.get(one["fail"], Outcome(one["fail"], True))
            tests[one["fail"]] = replace(begun, passed=False, detail=one["detail"])
    ordered = [tests[index] for index in sorted(tests)]
    running = last if last is not None and tests[last].passed else None
    return ordered, running, end
