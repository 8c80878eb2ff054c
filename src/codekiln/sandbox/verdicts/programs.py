"""Tests of programs in any language: by what they print, or with test code appended to them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from codekiln.errors import UserError
from codekiln.sandbox.languages import toolchain
from codekiln.sandbox.program import Execution, Limits, Program
from codekiln.sandbox.sandbox import Sandbox
from codekiln.sandbox.step import Step
from codekiln.sandbox.toolchain import Toolchain
from codekiln.sandbox.verdicts.outputs import OutputCompare, difference
from codekiln.sandbox.verdicts.running import broken, longer, run_step
from codekiln.sandbox.verdicts.verdict import Method, Outcome, Verdict, decided

#: Each byte of a program's channel is answered by that byte with these bits turned.
_TURNED = 0x5A
#: What stderr holds after an assertion failed, in languages where that does not end a program.
_COMPLAINTS = {"c#": b"Fail:"}


@dataclass(frozen=True)
class Exchange:
    """What a program reads, and what it should print."""

    stdin: bytes
    expected: bytes
    arguments: Sequence[str] = ()


def check_stdio(
    sandbox: Sandbox,
    program: Program,
    cases: Sequence[Exchange],
    *,
    compare: OutputCompare = "lines",
    rtol: float = 0.0,
    atol: float = 0.0,
    stop_early: bool = False,
    again: bool = True,
) -> Verdict:
    """Compile a program once, run it for each case, and compare what it prints; what it should stays outside the box.

    A run passes where it also exits with 0.

    Args:
        compare, rtol, atol: see `outputs.difference`.
        stop_early: run nothing more after the first failure.
        again: run what times out once more, alone.

    Raises:
        UserError: a path of the program leads out of its folder.
    """
    tools, missing = _tools(sandbox, program.language, "stdio")
    if tools is None:
        return missing
    step, failed = _compiled(sandbox, program, again)
    if failed:
        return _not_compiled(failed, len(cases), "stdio")
    tests: list[Outcome] = []
    last: Execution | None = None
    for number, case in enumerate(cases):
        words = [*step.command, *case.arguments]
        done = run_step(sandbox, replace(step, stdin=case.stdin, command=words), again)
        if done.status == "sandbox_error":
            return Verdict("undecided", broken(done), tuple(tests), len(cases), "stdio", done)
        detail = broken(done) or difference(done.stdout, case.expected, compare, rtol, atol)
        tests.append(Outcome(number, not detail, f"case {number + 1}", 0, detail))
        if last is None or (detail and tests[-2].passed):
            last = done
        if detail and stop_early:
            break
    if last is None:
        return Verdict("undecided", "no test ran", (), 0, "stdio")
    return decided(tuple(tests), len(cases), "stdio", last)


def check_appended(
    sandbox: Sandbox,
    language: str,
    source: str,
    tests: str,
    *,
    files: Mapping[str, bytes] | None = None,
    limits: Limits = Limits(),  # noqa: B008 - it cannot change
    again: bool = True,
) -> Verdict:
    """Run a program's text with test code appended to it, which fails by how it ends.

    That it exits with 0 is no pass: after the last test it has to answer bytes that it could not know before, on a
    channel of its own. What is left as a risk: a program that is written against this very channel can answer itself.

    Args:
        source: up to where test code begins; of some languages test code closes its last bracket.
    """
    tools, missing = _tools(sandbox, language, "appended")
    if tools is None:
        return missing
    finishing = tools.finishing
    if finishing is None:
        return Verdict(
            "unsupported", f"{tools.language}: no test code can be appended to it", method="appended"
        )
    try:
        text = finishing(_open(source, tools) + "\n" + tests)
    except UserError as error:
        return Verdict("unsupported", str(error), method="appended")
    content = {tools.file: text.encode("utf-8", "surrogatepass"), **(files or {})}
    step, failed = _compiled(sandbox, Program(tools.language, content, limits=limits), again)
    if failed:
        return _not_compiled(failed, 1, "appended")
    token = secrets.token_bytes(16)
    done = run_step(sandbox, replace(step, channel=token, hidden=tools.python), again)
    if done.status == "sandbox_error":
        return Verdict("undecided", broken(done), (), 1, "appended", done)
    detail = broken(done)
    complaint = _COMPLAINTS.get(tools.language)
    if not detail and complaint and complaint in done.stderr:
        detail = "an assertion failed"
    if not detail and done.said != bytes(byte ^ _TURNED for byte in token):
        detail = "it exited with 0 before its tests ended"
        if done.said:
            detail = "forged: what it answered was not the tests' end"
    return decided((Outcome(0, not detail, "its tests", 0, detail),), 1, "appended", done)


def _open(source: str, tools: Toolchain) -> str:
    """A program's text, so that what is appended to it is code: not beyond its end, and not the text around PHP."""
    if tools.ends:
        return tools.ends.split(source, maxsplit=1)[0]
    if tools.language == "php" and source.rfind("?>") > source.rfind("<?"):
        return f"{source}\n<?php"
    return source


def _tools(sandbox: Sandbox, language: str, method: Method) -> tuple[Toolchain | None, Verdict]:
    try:
        tools = toolchain(language)
        tools.need(sandbox.shared)
    except UserError as error:
        return None, Verdict("unsupported", str(error), method=method)
    return tools, Verdict("unsupported")


def _compiled(sandbox: Sandbox, program: Program, again: bool) -> tuple[Step, Execution | None]:
    step, failed = sandbox.compiled(program)
    if failed and failed.status == "timeout" and again:
        return sandbox.compiled(replace(program, compile_limits=longer(program.compile_limits)))
    return step, failed


def _not_compiled(failed: Execution, total: int, method: Method) -> Verdict:
    word = broken(failed)
    if failed.status == "sandbox_error":
        return Verdict("undecided", word, (), total, method, failed)
    return Verdict(
        "failed", word if failed.status == "compile_error" else f"compiler: {word}", (), total, method, failed
    )
