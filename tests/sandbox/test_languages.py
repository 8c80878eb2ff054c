"""Programs in every language: how they read, write, end, are compiled and are held, at every level of isolation."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from programs_of_languages import SAMPLES

from codekiln.errors import UserError
from codekiln.sandbox import Execution, Limits, Program, Sandbox
from codekiln.sandbox.artefacts import Artefacts
from codekiln.sandbox.box import Level
from codekiln.sandbox.isolation import why_not
from codekiln.sandbox.languages import toolchain, toolchains
from codekiln.sandbox.program import MB

ROOT = Path(__file__).parents[2]
#: With as little as this every language's programs run.
LIMITS = Limits(wall=10.0, cpu=10.0, memory=256 * MB)
#: Bytes that a program is asked to answer, and what it has to.
ASKED = b"nonce\n\x00\xff"
ANSWERED = bytes(byte ^ 0x5A for byte in ASKED)
FAST = ("python", "shell")


@pytest.fixture(scope="module", params=get_args(Level)[:3])
def sandbox(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    if reason := why_not(request.param):
        pytest.skip(f"isolation {request.param} is not to be had here: {reason}")
    artefacts = Artefacts(tmp_path_factory.mktemp("artefacts"))
    with Sandbox(1, request.param, artefacts=artefacts) as made:
        yield made


def run(
    sandbox: Sandbox, language: str, what: str | dict[str, str], limits: Limits = LIMITS, **more: object
) -> Execution:
    """Run a text, or files; skip what is not installed, and what this level's user may not read."""
    tools = toolchain(language)
    try:
        tools.need(sandbox.level == "C" and os.getuid() == 0)
    except UserError as error:
        pytest.skip(str(error))
    files = {tools.file: what} if isinstance(what, str) else what
    program = Program(language, {path: text.encode() for path, text in files.items()}, limits=limits, **more)  # type: ignore[arg-type]
    return sandbox.run(program)


def finishing(sandbox: Sandbox, language: str, text: str) -> Execution:
    """Run a text with a finishing statement, and a channel to ask it over."""
    tools = toolchain(language)
    assert tools.finishing
    try:
        tools.need(sandbox.level == "C" and os.getuid() == 0)
    except UserError as error:
        pytest.skip(str(error))
    step, failed = sandbox.compiled(
        Program(language, {tools.file: tools.finishing(text).encode()}, limits=LIMITS)
    )
    assert not failed, failed
    return sandbox.step(replace(step, channel=ASKED))


def check_task(sandbox: Sandbox, language: str) -> None:
    done = run(sandbox, language, SAMPLES[language].task, stdin="süß\n".encode(), arguments=["größe"])
    assert (done.status, done.exit_code, done.stdout.decode(), done.stderr) == (
        "exited",
        3,
        "ü→größe→süß\n",
        b"",
    )


def check_broken(sandbox: Sandbox, language: str) -> None:
    done = run(sandbox, language, SAMPLES[language].broken)
    assert (done.status, done.step) == ("compile_error", "compile")
    assert b"main" in done.stdout + done.stderr or b"Main" in done.stderr


def check_finishing(sandbox: Sandbox, language: str) -> None:
    done = finishing(sandbox, language, SAMPLES[language].main)
    assert (done.status, done.exit_code, done.said) == ("exited", 0, ANSWERED), done
    assert b"done\n" in done.stdout
    done = finishing(sandbox, language, SAMPLES[language].early)
    assert (done.status, done.exit_code, done.stdout, done.said) == ("exited", 0, b"done\n", b"")


def check_endless(sandbox: Sandbox, language: str) -> None:
    done = run(sandbox, language, SAMPLES[language].endless, replace(LIMITS, wall=1.0))
    assert (done.status, done.step) == ("timeout", "run")


def check_bomb(sandbox: Sandbox, language: str) -> None:
    done = run(sandbox, language, SAMPLES[language].bomb, replace(LIMITS, wall=30.0, cpu=30.0))
    assert (done.status, done.step) == ("memory_limit", "run"), done


def check_two(sandbox: Sandbox, language: str) -> None:
    done = run(sandbox, language, SAMPLES[language].two)
    assert (done.exit_code, done.stdout) == (0, b"42\n"), done


@pytest.mark.parametrize("language", FAST)
def test_programs(sandbox: Sandbox, language: str) -> None:
    check_task(sandbox, language)
    check_finishing(sandbox, language)
    if SAMPLES[language].broken:
        check_broken(sandbox, language)


def test_a_compiled_language(tmp_path: Path) -> None:
    with Sandbox(1, artefacts=Artefacts(tmp_path)) as sandbox:
        check_task(sandbox, "c")
        check_finishing(sandbox, "c")
        check_broken(sandbox, "c")


@pytest.mark.slow
@pytest.mark.parametrize("language", SAMPLES)
@pytest.mark.parametrize("check", [check_task, check_two, check_finishing, check_endless, check_bomb])
def test_every_language(sandbox: Sandbox, language: str, check: object) -> None:
    check(sandbox, language)  # type: ignore[operator]


@pytest.mark.slow
@pytest.mark.parametrize("language", [name for name, samples in SAMPLES.items() if samples.broken])
def test_every_compiler_complains(sandbox: Sandbox, language: str) -> None:
    check_broken(sandbox, language)


def test_all_languages_are_there() -> None:
    wanted = [
        "python",
        "javascript",
        "typescript",
        "java",
        "c",
        "c++",
        "c#",
        "go",
        "rust",
        "php",
        "ruby",
        "perl",
        "lua",
        "r",
        "shell",
        "sql",
    ]
    assert sorted(toolchains()) == sorted(wanted)
    names = [name for one in toolchains().values() for name in (one.language, *one.names)]
    assert len(names) == len(set(names))
    assert set(SAMPLES) == set(wanted) - {"sql"}


@pytest.mark.parametrize("language", toolchains())
def test_what_is_not_installed_is_told(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = toolchain(language)
    monkeypatch.setattr("codekiln.sandbox.toolchain.located", lambda program: None)
    missing = replace(tools, lookup=dict.fromkeys(tools.lookup, tuple))
    assert not missing.found()
    with pytest.raises(UserError) as raised:
        missing.need()
    said = str(raised.value)
    assert "\n" not in said
    assert said.startswith(f"{language}: ")
    assert said.endswith(f"is not installed: {tools.install}")
    assert tools.install.startswith(("apt-get install ", "npm install "))
    assert missing.version_text() == ""


@pytest.mark.parametrize("language", toolchains())
def test_versions(language: str) -> None:
    tools = toolchain(language)
    if not tools.found():
        pytest.skip(f"{language} is not installed: {tools.install}")
    assert any(character.isdigit() for character in tools.version_text())


def test_a_toolchain_that_is_closed_to_others(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "tools").mkdir(parents=True)
    closed.chmod(0o700)
    tools = replace(toolchain("shell"), folders=lambda: [str(closed / "tools")])
    tools.need()
    with pytest.raises(UserError, match=r"closed to other users.*apt-get install bash") as raised:
        tools.need(shared=True)
    assert "\n" not in str(raised.value)


@pytest.mark.slow
def test_assertions_are_on(sandbox: Sandbox) -> None:
    failing = {
        "java": 'class Main { public static void main(String[] a) { assert 1 > 2 : "no"; } }',
        "c++": "#include <cassert>\nint main() { assert(1 > 2); }",
        "c": "#include <assert.h>\nint main() { assert(1 > 2); }",
        "php": "<?php assert(1 > 2);",
        "rust": 'fn main() { let x: i32 = std::env::args().count() as i32; println!("{}", i32::MAX + x) }',
    }
    for language, text in failing.items():
        if toolchain(language).found() and not (language == "rust" and sandbox.level == "C"):
            done = run(sandbox, language, text)
            assert done.exit_code != 0, language
            assert done.stderr, language
    if toolchain("c#").found():
        text = "class P { static void Main() { System.Diagnostics.Debug.Assert(1 > 2); } }"
        assert b"Fail" in run(sandbox, "c#", text).stderr


@pytest.mark.slow
def test_test_functions_are_programs(sandbox: Sandbox) -> None:
    go = 'package x_test\nimport "testing"\nfunc TestA(t *testing.T) { if 1 + 1 != %s { t.Errorf("no") } }\n'
    rust = "fn f() -> i32 { 2 }\n#[cfg(test)]\nmod tests { use super::*;\n#[test]\nfn one() { assert_eq!(f(), %s); } }\n"
    for language, text in (("go", go), ("rust", rust)):
        assert run(sandbox, language, text % 2).exit_code == 0
        assert run(sandbox, language, text % 3).exit_code not in (0, None)
        assert finishing(sandbox, language, text % 2).said == ANSWERED
        done = finishing(sandbox, language, text % 3)
        assert done.exit_code not in (0, None)
        assert done.said == b""


@pytest.mark.slow
def test_many_threads(sandbox: Sandbox) -> None:
    """The limit of processes is the program's own; its runtime's threads are beside it."""
    java = """class Main { public static void main(String[] a) throws Exception { Thread[] all = new Thread[20];
      for (int at = 0; at < 20; at++) { all[at] = new Thread(() -> { try { Thread.sleep(300); } catch (Exception e) { } }); all[at].start(); }
      for (Thread one : all) one.join(); System.out.println("done"); } }"""
    done = run(sandbox, "java", java)
    assert (done.exit_code, done.stdout) == (0, b"done\n"), done


@pytest.mark.slow
def test_typescript_without_types_of_node(sandbox: Sandbox) -> None:
    for text in (
        "declare var require: any;\nconst x = require('node:assert');\nx.ok(true);\nconsole.log('done');",
        "import assert from 'node:assert';\nimport { readFileSync } from 'fs';\nassert.equal(typeof readFileSync, 'function');\nconsole.log('done');",
        "import * as path from 'path';\nconst name: string = path.join('a', 'b');\nconst process = 1;\nconsole.log('done');",
        "declare function require(name: string): any;\ninterface Buffer { x: number }\nrequire('fs');\nconsole.log('done');",
        "const t: NodeJS.Timeout = setTimeout(() => console.log('done'), 1);\nconst [a, ...b] = new Set([1, 2]);",
    ):
        done = run(sandbox, "typescript", text)
        assert (done.exit_code, done.stdout) == (0, b"done\n"), (text, done)


@pytest.mark.slow
def test_a_compiler_that_starts_warm_makes_the_same(sandbox: Sandbox, tmp_path: Path) -> None:
    """Only where the program itself includes everything, first of all, the precompiled header stands in for it."""
    tools = toolchain("c++")
    if not tools.found():
        pytest.skip(f"c++ is not installed: {tools.install}")
    body = "\nint main() { std::vector<int> x{1}; std::cout << x.size() << __LINE__ << std::endl; }"
    for begin, warm in (
        ("#include <bits/stdc++.h>", True),
        ("// x\n/* y */\n#include<assert.h>\n#include<bits/stdc++.h>", True),
        ("#define NDEBUG\n#include <bits/stdc++.h>", False),
        ("#include <iostream>\n#include <vector>", False),
        ('#include "own.h"\n#include <bits/stdc++.h>', False),
        ("/* #include <bits/stdc++.h> */\n#include <iostream>\n#include <vector>", False),
    ):
        files = {"main.cpp": (begin + body).encode(), "own.h": b""}
        assert bool(tools.warm_words(files, "main.cpp")) == warm, begin
        lines = begin.count("\n") + 2
        done = run(sandbox, "c++", {path: text.decode() for path, text in files.items()})
        assert (done.exit_code, done.stdout) == (0, f"1{lines}\n".encode()), done


def test_a_folder_below_those_that_programs_write_to(tmp_path: Path) -> None:
    """It is seen, under its own path, and is not emptied."""
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed: apt-get install bubblewrap")
    shown = tmp_path / "shown"
    shown.mkdir()
    (shown / "file").write_text("text")
    for one in (tmp_path, shown):
        one.chmod(0o755)
    with Sandbox(1, folders=[str(shown)]) as sandbox:
        for _ in range(2):
            done = run(sandbox, "shell", f"cat {shown}/file; echo x > {shown}/file; ls -A . | wc -l")
            assert done.stdout == b"text1\n"
    assert (shown / "file").read_text() == "text"
    with (
        Sandbox(1, "B", folders=["/tmp"]) as sandbox,
        pytest.raises(UserError, match="name a folder below it"),
    ):
        run(sandbox, "shell", "true")


def test_streams_can_be_opened_by_name(sandbox: Sandbox) -> None:
    done = run(sandbox, "shell", "echo out > /proc/self/fd/1; echo err > /proc/self/fd/2")
    assert (done.stdout, done.stderr) == (b"out\n", b"err\n")
