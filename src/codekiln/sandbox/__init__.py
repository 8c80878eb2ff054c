"""Untrusted programs in, what came of them out."""

from codekiln.sandbox.program import Execution, Limits, Program
from codekiln.sandbox.sandbox import Sandbox, run

__all__ = ["Execution", "Limits", "Program", "Sandbox", "run"]
