"""What `codekiln doctor` says of the sandbox: how programs are isolated here, and which languages they may be in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from codekiln.cli.checks import Check
from codekiln.sandbox.box import Level
from codekiln.sandbox.isolation import LEVELS, why_not
from codekiln.sandbox.languages import toolchains
from codekiln.sandbox.toolchain import Toolchain


def sandbox_checks() -> list[Check]:
    """The level of isolation, and a line a language."""
    with ThreadPoolExecutor(4) as threads:
        return [isolation(), *threads.map(language, toolchains().values())]


def isolation() -> Check:
    """The best level that this machine has, and why not a better one."""
    reasons: list[str] = []
    levels: tuple[Level, ...] = ("A", "B", "C")
    for level in levels:
        reason = why_not(level)
        if not reason:
            text = f"level {level}: {LEVELS[level]}"
            return Check("sandbox", "warn" if level == "C" else "ok", text, "; ".join(reasons))
        reasons.append(f"not {level}: {reason}")
    advice = f"quickstart runs without it; running generated programs needs it: {'; '.join(reasons)}"
    return Check("sandbox", "missing", "programs cannot be isolated here", advice)


def language(tools: Toolchain) -> Check:
    """The version of what a language needs, or how to get it."""
    version = tools.version_text() if tools.found() else ""
    if not version:
        return Check(f"sandbox: {tools.language}", "warn", "not installed", tools.install)
    return Check(f"sandbox: {tools.language}", "ok", version)
