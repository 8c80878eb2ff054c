"""What other thresholds would keep: the same as a corpus built with them, from stored signals alone."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from corpus_kit import corpus, program, rows, sources, write

from codekiln.corpus.whatif import what_if
from codekiln.errors import UserError


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(sources, corpus) of files with lines of many lengths, copies, near copies and data."""
    out, draw = tmp_path_factory.mktemp("what"), random.Random(3)
    files: dict[str, str | bytes] = {}
    for number in range(40):
        text = program(number)
        files[f"src/m{number:02d}.py"] = text + f"# {'x' * draw.randrange(20, 3000)}\n"
    files |= {f"copy/m{number:02d}.py": files[f"src/m{number:02d}.py"] for number in range(10)}
    files |= {
        f"near/m{number:02d}.py": str(files[f"src/m{number:02d}.py"]) + f"last = {number}\n"
        for number in range(10)
    }
    for number in range(12):
        files[f"data/d{number}.json"] = json.dumps([draw.random() for _ in range(number * 60 + 1)], indent=1)
    source = sources(out, write(out / "project", files))
    return source, corpus(out, source)


def kept(folder: Path) -> dict[str, tuple[int, int]]:
    """Files and bytes kept by language."""
    found: dict[str, tuple[int, int]] = {}
    for row in rows(folder / "decisions").values():
        files, size = found.get(row["language"], (0, 0))
        found[row["language"]] = (files + row["kept"], size + row["kept"] * row["size"])
    return found


def counts(found: dict, when: str) -> dict[str, tuple[int, int]]:
    return {row["language"]: (row[when]["files"], row[when]["bytes"]) for row in found["languages"]}


@pytest.mark.parametrize(
    "changes",
    [
        {"max_line_length": 500},
        {"max_line_length": 200, "data_too_long": 2000},
        {"alphabetic": 0.6},
        {"data_too_many_lines": 100, "mean_line_length": 40},
        {"max_line_length": 4000, "data_too_long": 10**9, "alphabetic": 0, "alphanumeric": 0},
    ],
)
def test_it_is_what_a_new_corpus_keeps(
    built: tuple[Path, Path], tmp_path: Path, changes: dict[str, float]
) -> None:
    source, made = built
    found = what_if(made, changes)
    assert counts(found, "now") == kept(made)
    again = corpus(tmp_path, source, rules=changes)
    if all(row["then"] <= row["now"] or row["rule"] == "alphabetic" for row in found["rules"]):
        assert counts(found, "then") == kept(again)
        assert found["gained"]["files"] == 0 or found["lost"]["files"]
    else:  # what a looser rule lets in was never compared for near copies
        then, truth = counts(found, "then"), kept(again)
        assert all(truth[language][0] <= then[language][0] <= truth[language][0] + 10 for language in truth)
        assert found["gained"]["files"] > 5
    assert found["total"]["then"]["files"] == sum(files for files, _ in counts(found, "then").values())


def test_no_source_is_needed(built: tuple[Path, Path], tmp_path: Path) -> None:
    _, made = built
    for name in ("signals", "decisions"):
        shutil.copytree(made / name, tmp_path / "corpus" / name)
    assert what_if(tmp_path / "corpus", {"alphabetic": 0.6}) == what_if(made, {"alphabetic": 0.6})


def test_mistakes_are_one_line(built: tuple[Path, Path], tmp_path: Path) -> None:
    _, made = built
    for changes, message in (
        ({"nonsense": 1.0}, "no rule is called 'nonsense'"),
        ({"alphabetic": float("nan")}, "no threshold"),
    ):
        with pytest.raises(UserError, match=message):
            what_if(made, changes)
    with pytest.raises(UserError, match="not a codekiln dataset"):
        what_if(tmp_path, {"alphabetic": 0.5})


def test_the_command(built: tuple[Path, Path]) -> None:
    _, made = built
    words = [sys.executable, "-m", "codekiln", "corpus", "what-if", str(made.parent)]
    done = subprocess.run(
        [*words, "--set", "max_line_length=500", "--json"], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == what_if(made, {"max_line_length": 500})
    plain = subprocess.run(
        [*words, "--set", "max_line_length=500"], capture_output=True, text=True, check=True
    )
    assert "lost: " in plain.stdout
    wrong = subprocess.run([*words, "--set", "max_line_length"], capture_output=True, text=True)
    assert wrong.returncode == 2
    assert "write it as RULE=NUMBER" in wrong.stderr
