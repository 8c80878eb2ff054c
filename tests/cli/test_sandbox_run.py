"""`codekiln sandbox run`: what it prints, how it exits, and what a caller can get wrong."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

needs_bubblewrap = pytest.mark.skipif(
    shutil.which("bwrap") is None, reason="bubblewrap is not installed: apt-get install bubblewrap"
)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "codekiln", "sandbox", "run", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@needs_bubblewrap
def test_a_program_runs_and_its_end_is_told(tmp_path: Path) -> None:
    program, given = tmp_path / "a b.py", tmp_path / "in.txt"
    program.write_text("import sys\nprint(input(), sys.argv[1:])\nsys.exit(3)")
    given.write_text("ü\n")
    done = run(str(program), "--stdin", str(given), "--", "-x", "y")
    assert (done.returncode, done.stdout) == (1, "ü ['-x', 'y']\n")
    assert done.stderr.startswith("exited with 3; ")
    done = run(str(program), "--stdin", str(given), "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["status"], found["exit_code"], found["stdout"]) == (
        0,
        "exited",
        3,
        "ü []\n",
    )
    assert set(found) >= {"stderr", "truncated", "wall_s", "cpu_s", "peak_memory_mb", "isolation"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{}/none.py"], "does not exist"),
        (["{}/a.unknown"], "name it with --language"),
        (["{}/a.py", "--stdin", "/dev/zero"], "/dev/zero: is no file"),
        (["{}/a.py", "--wall", "nan"], "limit wall"),
        (["{}/a.py", "--isolation", "Z"], "not one of auto"),
        (["{}/a.py", "--language", "pyton"], "did you mean python"),
    ],
)
def test_a_mistake_gets_one_line(tmp_path: Path, words: list[str], said: str) -> None:
    for name in ("a.py", "a.unknown"):
        (tmp_path / name).write_text("print(1)")
    done = run(*(word.format(tmp_path) for word in words))
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert said in done.stderr
