"""Whether programs pass their tests."""

from codekiln.sandbox.verdicts.outputs import difference
from codekiln.sandbox.verdicts.programs import Exchange, check_appended, check_stdio
from codekiln.sandbox.verdicts.python import Case, check_cases, check_python
from codekiln.sandbox.verdicts.verdict import Outcome, Verdict, explained

__all__ = [
    "Case", "Exchange", "Outcome", "Verdict", "check_appended", "check_cases", "check_python", "check_stdio", "difference",
    "explained",
]  # fmt: skip
