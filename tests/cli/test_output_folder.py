"""`-o` and the options of a run: mistakes told with the option's name, and a dry run that checks what a run checks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from codekiln.cli.common import output_folder
from codekiln.errors import UserError


def codekiln(*words: str | bytes, cwd: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "codekiln", *words], capture_output=True, text=True, cwd=cwd, timeout=120
    )
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr
    return done


def refused(*words: str | bytes, cwd: Path) -> str:
    """The one line of a command that ends with exit code 2 and leaves everything as it was."""
    before = sorted(cwd.rglob("*"))
    done = codekiln(*words, cwd=cwd)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.startswith("codekiln: error: ")
    assert done.stderr.count("\n") == 1
    assert sorted(cwd.rglob("*")) == before
    return done.stderr


def test_home_folders_are_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert output_folder("~/runs") == Path("/home/me/runs")
    assert output_folder("a/~b") == Path("a/~b")
    for text in ("~nosuchuser/x", "~nosuchuser", ""):
        with pytest.raises(UserError, match="-o"):
            output_folder(text)


def test_every_command_refuses_a_home_that_is_not_there(tmp_path: Path) -> None:
    assert "nosuchuser" in refused("run", "-o", "~nosuchuser/x", cwd=tmp_path)
    assert "nosuchuser" in refused("corpus", "build", "-o", "~nosuchuser/x", cwd=tmp_path)
    assert "nosuchuser" in refused("eval", "m", "--corpus", "c", "-o", "~nosuchuser/x", cwd=tmp_path)


def test_a_source_that_is_no_utf8_is_told_as_a_source(tmp_path: Path) -> None:
    os.mkdir(os.fsencode(tmp_path) + b"/u\xff")
    assert "error: --source: u\\xff is not UTF-8" in refused("run", "--source", b"u\xff", cwd=tmp_path)
    assert "error: SOURCE: u\\xff is not UTF-8" in refused(
        "corpus", "build", b"u\xff", "-o", "x", cwd=tmp_path
    )


def test_an_empty_source_ends_the_command(tmp_path: Path) -> None:
    done = codekiln("run", "--source", "", cwd=tmp_path)
    assert done.returncode == 2
    assert codekiln("corpus", "build", "", "-o", "x", cwd=tmp_path).returncode == 2


@pytest.mark.parametrize("dry", [("--dry-run",), ()])
def test_a_dry_run_makes_the_checks_of_a_run(tmp_path: Path, dry: tuple[str, ...]) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code/a.py").write_text("a = 1\n")
    (tmp_path / "full/model").mkdir(parents=True)
    for folder, words in (
        (".", ". holds the source code"),
        ("code/a.py/x", "code/a.py is a file"),
        ("full", "full/model: codekiln has not made this"),
    ):
        assert words in refused("run", "--source", "code", "-o", folder, *dry, cwd=tmp_path)
