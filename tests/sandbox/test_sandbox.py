"""Programs by language: compiled once, several at a time, in order, from threads; what a caller can get wrong."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from codekiln.errors import UserError
from codekiln.sandbox import Execution, Limits, Program, Sandbox, run
from codekiln.sandbox.artefacts import Artefacts
from codekiln.sandbox.isolation import choose
from codekiln.sandbox.program import MB

pytestmark = pytest.mark.skipif(
    os.system("command -v bwrap > /dev/null") != 0,
    reason="bubblewrap is not installed: apt-get install bubblewrap",
)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(2, artefacts=Artefacts(tmp_path_factory.mktemp("artefacts"))) as made:
        yield made


def test_many_at_a_time_come_back_in_order(sandbox: Sandbox) -> None:
    codes = [f"import time; time.sleep({0.02 * (number % 3)}); print({number})" for number in range(24)]
    programs = (Program("python", {"main.py": code.encode()}) for code in codes)
    assert [int(done.stdout) for done in sandbox.map(programs)] == list(range(24))


def test_a_program_is_compiled_once(sandbox: Sandbox) -> None:
    files = {
        "main.cpp": b'#include "a.h"\n#include <cstdio>\nint main() { std::printf("%d", A); return 3; }',
        "a.h": b"#define A 7",
    }
    first = sandbox.run(Program("c++", files))
    assert (first.status, first.exit_code, first.stdout, first.step) == ("exited", 3, b"7", "run")
    step, failed = sandbox.compiled(Program("c++", files, arguments=["x"]))
    assert failed is None
    assert "program" in step.files
    other = sandbox.run(Program("c++", {**files, "a.h": b"#define A 8"}))
    assert other.stdout == b"8"


def test_a_compiler_s_complaint_is_told(sandbox: Sandbox) -> None:
    done = sandbox.run(Program("cpp", {"main.cpp": b"int main() { return x; }"}))
    assert (done.status, done.step, done.exit_code) == ("compile_error", "compile", 1)
    assert b"main.cpp:1" in done.stderr
    done = sandbox.run(Program("c++", {"main.cpp": b"int main() {}"}, compile_limits=Limits(wall=0.01)))
    assert (done.status, done.step) == ("timeout", "compile")


def test_what_is_damaged_is_compiled_again(tmp_path: Path) -> None:
    program = Program("c++", {"main.cpp": b"int main() { return 5; }"})
    with Sandbox(1, artefacts=Artefacts(tmp_path)) as sandbox:
        assert sandbox.run(program).exit_code == 5
        kept = [path for path in tmp_path.rglob("*") if path.is_file() and path.name == "0"]
        assert len(kept) == 1
        kept[0].write_bytes(b"#!/bin/sh\nexit 0\n")
        assert sandbox.run(program).exit_code == 5


@pytest.mark.parametrize("path", ["../x.py", "/x.py", "a/../x.py", ".", "", "a//b.py", "a\0b"])
def test_paths_stay_below_the_folder(sandbox: Sandbox, path: str) -> None:
    with pytest.raises(UserError, match="plain paths"):
        sandbox.run(Program("python", {path: b""}))


def test_what_cannot_be_run_is_told() -> None:
    with pytest.raises(UserError, match="did you mean python"):
        run(Program("pyton", {"a": b""}))
    with pytest.raises(UserError, match="without files"):
        run(Program("python", {}))
    with pytest.raises(UserError, match="nope: not among"):
        run(Program("python", {"a": b""}, main="nope"))
    with pytest.raises(UserError, match="isolation Z"):
        choose("Z")


def test_files_of_a_program_find_one_another(sandbox: Sandbox) -> None:
    files = {
        "main.py": b"import random, pkg.part\nprint(random.NAME, pkg.part.NAME, open('data/x.txt').read())",
        "random.py": b"NAME = 'my own random'",
        "pkg/__init__.py": b"",
        "pkg/part.py": b"NAME = 'part'",
        "data/x.txt": "ö".encode(),
    }
    assert sandbox.run(Program("python", files)).stdout.decode() == "my own random part ö\n"


def test_a_program_meets_the_disk_that_it_was_given(sandbox: Sandbox) -> None:
    code = b"open('x', 'wb').write(bytes(20 << 20)); print('written')"
    small = sandbox.run(Program("python", {"main.py": code}, limits=Limits(disk=10 * MB)))
    assert small.exit_code == 1
    assert (
        sandbox.run(Program("python", {"main.py": code}, limits=Limits(disk=30 * MB))).stdout == b"written\n"
    )


def test_threads_share_a_sandbox(sandbox: Sandbox) -> None:
    found: dict[int, Execution] = {}

    def one(number: int) -> None:
        found[number] = sandbox.run(Program("python", {"main.py": f"print({number})".encode()}))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number].stdout for number in range(8)] == [f"{number}\n".encode() for number in range(8)]


def test_a_box_that_is_killed_is_replaced(sandbox: Sandbox) -> None:
    with Sandbox(1) as own:
        program = Program("python", {"main.py": b"print(1)"})
        assert own.run(program).stdout == b"1\n"
        for boxes in own._all:
            for box in boxes.values():
                box._process.kill()
        assert own.run(program).stdout == b"1\n"
