"""What came of tests, apart from how a program ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from codekiln.sandbox.program import Execution

Word = Literal["passed", "failed", "undecided", "unsupported"]
#: How a verdict was found: test code apart from the program, in its process, by its output, or appended to it.
Method = Literal["separate", "shared", "stdio", "appended", ""]


@dataclass(frozen=True)
class Outcome:
    """What came of one test.

    Attributes:
        index: place among all tests; -1 for what happened beside them.
        source: the assertion, the call or the name of the method; of a case of input and output its number.
        line: of the test code, 0 where there is none.
        detail: of a test that failed: "expected 3, got 4", "ValueError: …".
    """

    index: int
    passed: bool
    source: str = ""
    line: int = 0
    detail: str = ""


@dataclass(frozen=True)
class Verdict:
    """What came of a program's tests.

    Attributes:
        verdict: "passed" only where all tests ran and none failed; "undecided" where the tests or the sandbox are at
            fault; "unsupported" where the language's tools are missing.
        tests: of those that were begun, in their order.
        total: tests that there are, as far as is known.
        execution: the run that decided.
        isolation: its level.
    """

    verdict: Word
    detail: str = ""
    tests: Sequence[Outcome] = ()
    total: int = 0
    method: Method = ""
    execution: Execution | None = field(default=None, repr=False)

    @property
    def passed(self) -> int:
        """How many tests passed."""
        return sum(one.passed for one in self.tests)

    @property
    def isolation(self) -> str:
        return self.execution.isolation if self.execution else ""

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "verdict": self.verdict,
            "detail": self.detail,
            "passed": self.passed,
            "total": self.total,
            "method": self.method,
            "isolation": self.isolation,
            "tests": [asdict(one) for one in self.tests],
            "execution": self.execution.document() if self.execution else None,
        }


def summary(tests: Sequence[Outcome]) -> str:
    """The first failure of tests, and how many more there are; "" where none failed."""
    wrong = [one for one in tests if not one.passed]
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return f"{wrong[0].source}: {wrong[0].detail}{more}" if wrong else ""


def decided(tests: Sequence[Outcome], total: int, method: Method, execution: Execution) -> Verdict:
    """The verdict of tests that all ran, or up to a failure."""
    if wrong := summary(tests):
        return Verdict("failed", wrong, tests, total, method, execution)
    if not tests:
        return Verdict("undecided", "no test ran", (), total, method, execution)
    return Verdict("passed", "", tests, total, method, execution)


def explained(verdict: Verdict, most: int = 5, stderr: int = 1500) -> str:
    """Which tests failed, with which values, as text for who is to repair the program.

    Args:
        most: failures that are told of.
        stderr: characters of the end of stderr that are shown where the program broke.
    """
    if verdict.verdict == "passed":
        return f"All {len(verdict.tests)} tests passed."
    if verdict.verdict in ("undecided", "unsupported"):
        return f"The tests gave no verdict: {verdict.detail}"
    wrong = [one for one in verdict.tests if not one.passed]
    lines = [f"{verdict.passed} of {max(verdict.total, len(verdict.tests))} tests passed."]
    if not wrong:
        lines.append(verdict.detail)
    for one in wrong[:most]:
        place = f"Test {one.index + 1}" if one.index >= 0 else "Beside the tests"
        lines += [f"{place}: {one.source}" if one.source else place, f"  {one.detail}"]
    if len(wrong) > most:
        lines.append(f"{len(wrong) - most} more tests failed.")
    done = verdict.execution
    if done and done.stderr and (done.step == "compile" or done.exit_code or done.signal):
        lines += ["It wrote to stderr:", done.stderr.decode("utf-8", "replace")[-stderr:].strip()]
    return "\n".join(lines)
