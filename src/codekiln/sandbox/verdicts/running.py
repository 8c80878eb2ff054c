"""Steps that are run for a verdict: what times out runs once more, alone."""

from __future__ import annotations

from dataclasses import replace

from codekiln.sandbox.program import Execution, Limits
from codekiln.sandbox.sandbox import Sandbox
from codekiln.sandbox.step import Step

#: A second run may take this many times as long, by the clock and of processor time.
PATIENCE = 3.0


def run_step(sandbox: Sandbox, step: Step, again: bool) -> Execution:
    """Run a step; where time runs out and `again`, once more with nothing beside it and a larger budget."""
    done = sandbox.step(step)
    if done.status == "timeout" and again:
        done = sandbox.step(replace(step, limits=longer(step.limits)), alone=True)
    return done


def longer(limits: Limits) -> Limits:
    """Limits with a larger budget of time."""
    return replace(limits, wall=limits.wall * PATIENCE, cpu=limits.cpu * PATIENCE)


def broken(done: Execution) -> str:
    """How a run ended that did not end well, in a few words; "" where it exited with 0."""
    if done.status == "timeout":
        return "it ran out of time"
    if done.status == "memory_limit":
        return "it ran out of memory"
    if done.status == "output_limit":
        return "it wrote too much"
    if done.status == "signalled":
        return f"it was ended by signal {done.signal}"
    if done.status == "compile_error":
        return f"it does not compile: {_last_lines(done)}"
    if done.status == "sandbox_error":
        return f"the sandbox: {done.detail}"
    if done.exit_code:
        said = _last_lines(done)
        return f"it exited with {done.exit_code}" + (f": {said}" if said else "")
    return ""


def _last_lines(done: Execution) -> str:
    lines = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
    if done.status == "compile_error":
        lines = [line for line in lines if "error" in line.lower()][:1] or lines[:1]
    return lines[-1].strip()[:300] if lines else ""
