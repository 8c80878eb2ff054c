"""Whose code is learned from: permissive licences alone, opt-outs never, and who must be named for what was kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from corpus_kit import corpus, program, reasons, rows, sources, write

from codekiln.corpus.summary import summarize
from codekiln.errors import UserError

APACHE = "# SPDX-License-Identifier: Apache-2.0\n# Copyright (c) 2024 Ann Example\n"
GPL = "# SPDX-License-Identifier: GPL-3.0-only\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    files: dict[str, str | bytes] = {f"free/m{n}.py": APACHE + program(n) for n in range(6)}
    files |= {f"copyleft/m{n}.py": GPL + program(n + 20) for n in range(3)}
    files |= {f"unknown/m{n}.py": program(n + 40) for n in range(2)}
    return write(tmp_path / "project", files)


def codekiln(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "codekiln", *map(str, words)], capture_output=True, text=True
    )


def test_permissive_keeps_permissive_files_alone(project: Path, tmp_path: Path) -> None:
    source = sources(tmp_path, project)
    assert sum(row["kept"] for row in rows(corpus(tmp_path / "any", source) / "decisions").values()) == 11
    found = rows(corpus(tmp_path / "free", source, licenses="permissive") / "decisions")
    assert {path for path, row in found.items() if row["kept"]} == {f"free/m{n}.py" for n in range(6)}
    assert {row["reason"] for row in found.values() if not row["kept"]} == {"license"}
    assert found["copyleft/m0.py"]["detail"].startswith("GPL-3.0-only: not permissive (SPDX header")
    assert found["unknown/m0.py"]["detail"] == "no licence: not permissive (no licence found)"


def test_the_command_keeps_permissive_files_unless_told(project: Path, tmp_path: Path) -> None:
    done = codekiln("corpus", "build", project, "-o", tmp_path / "c", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["funnel"]["kept"]["files"] == 6
    done = codekiln("corpus", "build", project / "unknown", "-o", tmp_path / "u")
    assert done.returncode == 2
    assert "(dropped: 2 license); --set corpus.licenses=any keeps" in done.stderr.splitlines()[-1]
    done = codekiln(
        "corpus", "build", project / "unknown", "-o", tmp_path / "u", "--set", "corpus.licenses=any"
    )
    assert done.returncode == 0, done.stderr
    later = codekiln("corpus", "what-if", tmp_path / "c", "--set", "alphabetic=0", "--json")
    assert json.loads(later.stdout)["gained"]["files"] == 0


def test_attribution_names_everybody_that_was_kept(project: Path, tmp_path: Path) -> None:
    codekiln("corpus", "build", project, "-o", tmp_path / "c")
    done = codekiln("corpus", "attribution", tmp_path / "c", "--json")
    (entry,) = json.loads(done.stdout)["entries"]
    assert entry["licenses"] == ["Apache-2.0"]
    assert entry["copyright"] == ["Copyright (c) 2024 Ann Example"]
    train = [row["path"] for row in rows(tmp_path / "c/corpus/train").values()]
    assert entry["files"] == sorted(train)
    text = (tmp_path / "c/ATTRIBUTION.txt").read_text()
    assert "Copyright (c) 2024 Ann Example" in text
    assert all(path in text for path in train)


def test_opted_out_files_are_never_read(project: Path, tmp_path: Path) -> None:
    whole = sources(tmp_path / "whole", project)
    listed = tmp_path / "opt-out.txt"
    listed.write_text("# asked for by mail\nproject:copyleft\nproject:free/m1*\nsomebody/else\n")
    out = sources(tmp_path / "out", project, opt_out=str(listed))
    assert set(rows(whole / "files")) - set(rows(out / "files")) == {
        "free/m1.py",
        *(f"copyleft/m{n}.py" for n in range(3)),
    }
    assert reasons(out / "skipped")["copyleft/m0.py"] == "opted out (project:copyleft)"
    listed.write_text("project\n")
    with pytest.raises(UserError, match=r"no source code found .*opted out \(project\)"):
        sources(tmp_path / "none", project, opt_out=str(listed))


def test_opted_out_records_of_a_table(tmp_path: Path) -> None:
    records = [{"content": program(n), "path": f"m{n}.py", "repo": f"me/r{n % 2}"} for n in range(6)]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (tmp_path / "opt-out.txt").write_text("ME/r1\n")
    out = sources(tmp_path, tmp_path / "t.jsonl", opt_out=str(tmp_path / "opt-out.txt"))
    assert {row["repo"] for row in rows(out / "files").values()} == {"me/r0"}
    assert set(reasons(out / "skipped").values()) == {"opted out (ME/r1)"}


@pytest.mark.parametrize(
    ("text", "message"), [(None, "cannot be read"), ("ok\nrepo:\n", r"opt-out\.txt:2: nothing stands after")]
)
def test_a_wrong_list_is_one_line(project: Path, tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "opt-out.txt").write_text(text)
    with pytest.raises(UserError, match=message):
        sources(tmp_path, project, opt_out=str(tmp_path / "opt-out.txt"))


def test_files_that_hold_test_data_are_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEKILN_CACHE", str(tmp_path / "cache"))
    prompt = (
        "def below_zero(operations):\n    balance = 0\n    for op in operations:\n        balance += op\n"
    )
    tests = tmp_path / "mine.jsonl"
    tests.write_text(json.dumps({"task_id": "T/1", "prompt": prompt}) + "\n")
    files: dict[str, str | bytes] = {f"m{n}.py": program(n) for n in range(8)}
    files["copied.py"] = program(50) + "# " + prompt.replace("\n", "  # ") + "\n"
    source = sources(tmp_path, write(tmp_path / "project", files))
    found = rows(corpus(tmp_path / "c", source, against=(f"{tests}:prompt",)) / "decisions")
    assert {path for path, row in found.items() if not row["kept"]} == {"copied.py"}
    assert found["copied.py"]["reason"] == "contaminated"
    assert "T/1" in found["copied.py"]["detail"]
    assert rows(corpus(tmp_path / "d", source) / "decisions")["copied.py"]["kept"]
    with pytest.raises(UserError, match=r"nowhere\.jsonl"):
        corpus(tmp_path / "e", source, against=(str(tmp_path / "nowhere.jsonl"),))


KEY = "AKIA" + "Z7Q2M4X6N8B3V5L1"[:16]


def test_secrets_and_addresses_are_replaced_and_counted(tmp_path: Path) -> None:
    text = program(1) + f"key = '{KEY}'\nmail = 'ann.lee@corp-mail.io'\n"
    folder = write(tmp_path / "project", {"a.py": text, **{f"m{n}.py": program(n + 2) for n in range(4)}})
    source = sources(tmp_path / "x", folder)
    content = rows(source / "files")["a.py"]["content"]
    assert KEY not in content
    assert "ann.lee" not in content
    compile(content, "a.py", "exec")
    built = corpus(tmp_path / "x", source)
    assert sum(summarize(source, built)["redactions"].values()) == 2
    assert KEY.encode() not in b"".join(path.read_bytes() for path in (tmp_path / "x").rglob("*.json"))
    only = rows(sources(tmp_path / "y", folder, redact=("secrets",)) / "files")["a.py"]["content"]
    assert KEY not in only
    assert "ann.lee" in only
    assert rows(sources(tmp_path / "z", folder, redact=()) / "files")["a.py"]["content"] == text
