"""Sources that are broken as a whole cost themselves; traps in folders and git directories cost nothing else."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpus_kit import git, program, reasons, repository, rows, sources, write

from codekiln.corpus.sources import gitcommands, names
from codekiln.corpus.sources.gitcommands import Repository
from codekiln.errors import UserError

HELLO = "print('hello')\n"


def _bad_tree(place: Path) -> Path:
    repo = repository(place / "r", {"a.py": HELLO})
    tree = git(repo, "rev-parse", "HEAD^{tree}")
    path = repo / ".git/objects" / tree[:2] / tree[2:]
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:20])
    return repo


def _mistyped(place: Path) -> Path:
    pq.write_table(pa.table({"content": [1, 2]}), place / "t.parquet")
    return place / "t.parquet"


def _nameless(place: Path) -> Path:
    pq.write_table(pa.table({"a": ["x"]}), place / "t.parquet")
    return place / "t.parquet"


def _bare(place: Path) -> Path:
    bare = place / "r.git"
    git(
        write(place, {"x": ""}),
        "clone",
        "-q",
        "--bare",
        str(repository(place / "r", {"a.py": HELLO})),
        str(bare),
    )
    for kept in bare.rglob("objects/*/*"):
        kept.chmod(0o644)
        kept.write_bytes(b"")
    return bare


BROKEN: list[tuple[Callable[[Path], Path], str]] = [
    (lambda p: write(p, {"a.zip": b"PK nonsense"}) / "a.zip", "a.zip is not a readable archive"),
    (lambda p: write(p, {"a.tar.gz": b"\x1f\x8b nonsense"}) / "a.tar.gz", "a.tar.gz is not a readable archive"),
    (lambda p: write(p, {"a.parquet": b"PAR1 nonsense"}) / "a.parquet", "a.parquet is not a readable Parquet"),
    (lambda p: write(p, {"a.jsonl": b"nonsense\n"}) / "a.jsonl", "a.jsonl:1: not valid JSON"),
    (lambda p: write(p, {"a.jsonl.gz": b"nonsense\n"}) / "a.jsonl.gz", "a.jsonl.gz cannot be read"),
    (_mistyped, "column 'content' is int64 and not text"),
    (_nameless, "no column of file contents"),
    (_bare, "r.git is bare and has no commit that git can read"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "message"), BROKEN)
def test_a_broken_source_costs_itself(
    tmp_path: Path, make: Callable[[Path], Path], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = make(tmp_path)
    good = write(tmp_path / "good", {"a.py": HELLO})
    out = sources(tmp_path / "out", good, broken)
    assert set(rows(out / "files")) == {"a.py"}
    (reason,) = reasons(out / "skipped").values()
    assert reason.startswith("source left out: ")
    assert message in reason
    assert str(tmp_path) not in reason
    told = [line for line in capsys.readouterr().err.splitlines() if message in line]
    assert len(told) == 1
    with pytest.raises(UserError, match=message.replace("(", r"\(")):
        sources(tmp_path / "alone", broken)


def test_a_broken_tree_does_not_cost_the_files_on_disk(tmp_path: Path) -> None:
    repo = _bad_tree(tmp_path)
    out = sources(tmp_path / "out", repo)
    assert set(rows(out / "files")) == {"a.py"}
    assert rows(out / "files")["a.py"]["added_at"] is None
    assert reasons(out / "skipped")[".git"].startswith("its commit: git ls-tree failed")
    with pytest.raises(UserError, match="git ls-tree failed"):
        sources(tmp_path / "revision", repo, revision="HEAD")


@pytest.mark.parametrize(
    "name", ["HEAD", "index", "config", "packed-refs", "objects/pack/x.idx", "info/exclude"]
)
def test_a_pipe_in_a_git_directory_is_not_waited_for(tmp_path: Path, name: str) -> None:
    repo = repository(tmp_path / "r", {"a.py": HELLO})
    place = repo / ".git" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    os.mkfifo(place)
    begun = time.monotonic()
    out = sources(tmp_path / "out", repo)
    assert time.monotonic() - begun < 30
    assert set(rows(out / "files")) == {"a.py"}
    assert reasons(out / "skipped") == {".git": "not a readable git directory; read as a plain folder"}


def test_a_link_to_a_pipe_and_a_socket_in_a_git_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2):
        repo = repository(tmp_path / f"r{number}", {"a.py": HELLO})
        if number:
            os.mkfifo(repo / "pipe")
            (repo / ".git/objects/x").symlink_to(repo / "pipe")
        else:
            monkeypatch.chdir(repo / ".git")
            socket.socket(socket.AF_UNIX).bind("fsmonitor")
        out = sources(tmp_path / f"out{number}", repo)
        assert reasons(out / "skipped")[".git"] == "not a readable git directory; read as a plain folder"


def test_git_that_gives_no_answer_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gitcommands, "_PATIENCE", 0.3)
    repo = repository(tmp_path / "r", {"a.py": HELLO})
    os.mkfifo(tmp_path / "pipe")
    git(repo, "config", "include.path", str(tmp_path / "pipe"))
    place = Repository(str(repo), str(repo / ".git"), bare=False)
    with pytest.raises(UserError, match=r"git ls-files failed .*: no answer in"):
        gitcommands.run(place, "ls-files")


def test_a_folder_deeper_than_a_path_may_be_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path / "x", {"a.py": HELLO})
    monkeypatch.chdir(folder)
    for _ in range(2000):
        os.mkdir("deep")
        os.chdir("deep")
    try:
        out = sources(tmp_path, folder)
        assert set(rows(out / "files")) == {"a.py"}
        assert list(reasons(out / "skipped").values()) == ["path too long"]
    finally:  # from the innermost outwards: no removal that recurses can take it away
        for _ in range(2000):
            os.chdir("..")
            os.rmdir("deep")


def test_names_that_a_terminal_would_obey(tmp_path: Path) -> None:
    odd = {"c1\x9b31m.py": "c1\\x9b31m.py", "a\u202ey.py": "a\\u202ey.py", "l\u2028.py": "l\\u2028.py"}
    folder = write(tmp_path / "x", {"a.py": HELLO, "e\x1b[31m.py": HELLO, **dict.fromkeys(odd, program(1))})
    out = sources(tmp_path, folder)
    assert set(rows(out / "files")) == {"a.py"}
    assert set(reasons(out / "skipped")) == {"e\\x1b[31m.py", *odd.values()}
    assert names.is_storable("ünï 日本 \u200d.py")
