"""The page of a corpus: every reason with real files, safe whatever they hold, the same for the same seed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from corpus_kit import corpus, program, repository, sources, write

from codekiln.cli.main import run
from codekiln.corpus.licenses import attribution
from codekiln.corpus.samples import draw

HOSTILE = "x = '<script>alert(1)</script><img src=http://example.org/a.png>'\n"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `corpus build`, over files that several rules drop."""
    out = tmp_path_factory.mktemp("inspect")
    files: dict[str, str | bytes] = {f"m{number}.py": program(number) for number in range(12)}
    files |= {
        "copy.py": files["m1.py"],
        "near.py": str(files["m2.py"]) + "x = 1\n",
        "long.py": f"x = '{'ab ' * 2000}'\n",
        "generated.py": "# This file is generated.\n" + HOSTILE,
        "<b>.py": HOSTILE + program(90),
        "data.json": json.dumps(["word"] * 3000, indent=1),
        "big.bin": b"\0\1",
    }
    source = sources(out, write(out / "project", files))
    return corpus(out, source).parent


def inspect(folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", "codekiln", "corpus", "inspect", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_page_shows_each_reason_and_loads_nothing(built: Path, tmp_path: Path) -> None:
    said = inspect(built, "-o", str(tmp_path / "page.html"))
    assert said.startswith(str(tmp_path / "page.html"))
    page = (tmp_path / "page.html").read_text()
    for word in (
        "generated",
        "near duplicate",
        "exact duplicate",
        "mean line length",
        "binary",
        "dropped: generated (1 of 1 file)",
        "kept: python (3 of 13 files)",
        "From what was found to training files",
        "What was not read and why (1 path)",
    ):
        assert word in page
    assert "tokens" not in page  # a corpus has none
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "default-src &#x27;none&#x27;" in page
    assert not re.search(r"<(?:script|img|link|iframe)\b|\b(?:src|href)=\"(?!#)", page)
    inspect(built, "-o", str(tmp_path / "again.html"))
    assert (tmp_path / "again.html").read_bytes() == page.encode()


def test_json_holds_what_the_page_shows(built: Path) -> None:
    document = json.loads(inspect(built, "--json", "--samples", "2"))
    assert Path(document["page"]) == built / "corpus.html"
    assert {row["reason"] for row in document["samples"]} == {row["reason"] for row in document["drops"]} | {
        ""
    }
    assert document["funnel"]["kept"]["files"] == 13


def test_samples_are_real_files_and_few(built: Path) -> None:
    places = (built / "sources", built / "corpus")
    rows = draw(*places, 2)
    assert [row["reason"] for row in rows] == sorted(
        (row["reason"] for row in rows), key=lambda r: (not r, r)
    )
    assert sum(not row["reason"] for row in rows) == 2
    texts = {row["path"]: row["text"] for row in rows}
    assert texts["generated.py"] == ("# This file is generated.\n" + HOSTILE).rstrip("\n")
    assert all(len(text) <= 1_700 and text.count("\n") <= 24 for text in texts.values())
    assert draw(*places, 2) == rows
    assert {row["path"] for row in draw(*places, 2, seed=1)} != {row["path"] for row in rows}
    assert draw(*places, 0) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["explain", "{built}/corpus/stage", "a.py"], "does not exist; give the folder of `codekiln corpus build`"),
        (["explain", "{file}", "a.py"], "is a file, not a folder; give the folder of `codekiln corpus build`"),
        (["what-if", "{built}/project", "--set", "alphabetic=0"], "holds no corpus that `codekiln corpus build` or a run has made"),
        (["attribution", "{built}/corpus"], "/corpus holds no corpus that `codekiln corpus build` or a run has made; give {built}"),
        (["explain", "{built}", ""], "PATH is empty; give the path of a file"),
        (["inspect", "{built}", "-o", "{built}"], "{built} is a folder; give the path of a file with -o, such as {built}/corpus.html"),
        (["attribution", "{built}", "-o", ""], "-o is empty; give the path of a file"),
        (["secrets", ""], "a PATH is empty (is a shell variable unset?)"),
        (["secrets", "{built}/nowhere"], "{built}/nowhere does not exist; give a file or folder"),
        (["identify", ""], "a source is empty (is a shell variable unset?)"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_one_line(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    (tmp_path / "file").write_text("x")
    places = {"built": built, "file": tmp_path / "file"}
    assert run(["corpus", *(word.format(**places) for word in words)]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert message.format(**places) in said


def test_explain_is_readable_and_exact(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["corpus", "explain", str(built), "near.py"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "status: dropped"
    assert not any(line.endswith((": None", ": ")) for line in lines)
    assert run(["corpus", "explain", str(built), "near.py", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["added_at"] is None


def test_a_repository_does_not_become_an_output_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = write(tmp_path / "code", {"a.py": program(1)})
    mine = repository(tmp_path / "mine", {"b.py": program(2)})
    assert run(["corpus", "build", str(code), "-o", str(mine)]) == 2
    assert "mine is a git repository; give a folder of its own with -o" in capsys.readouterr().err
    assert sorted(path.name for path in mine.iterdir()) == [".git", "b.py"]


def test_the_commits_of_a_repository_are_one_entry() -> None:
    rows = [
        {
            "repo": "r",
            "path": path,
            "revision": revision,
            "licenses": ["MIT"],
            "license_evidence": "LICENSE: MIT",
        }
        for path, revision in [("a.py", "ff"), ("commit/ff", "ff"), ("commit/ee", "ee"), ("commit/dd", "ff")]
    ]
    found = [(entry["revision"], entry["files"]) for entry in attribution(rows)]
    assert found == [(None, ["commit/ee", "commit/ff"]), ("ff", ["a.py", "commit/dd"])]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("corpus.against=[nowhere]", "test data nowhere: no such file or folder"),
        ("corpus.rules.nope=3", "no rule is called 'nope'"),
        ("training.minutes=3", "this command reads sources, corpus and seed of a recipe, not training"),
    ],
)
def test_wrong_settings_are_told_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: str, message: str
) -> None:
    code = write(tmp_path / "code", {"a.py": program(1)})
    assert run(["corpus", "build", str(code), "-o", str(tmp_path / "out"), "--set", wrong]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert message in said
    assert not (tmp_path / "out").exists()
