"""What codekiln wrote itself is never a source; broken repositories and files asked for by name."""

from __future__ import annotations

import tarfile

import pytest
from corpus_kit import commit, git, program, reasons, repository, rows, sources, write

from codekiln.corpus.config import SourceConfig
from codekiln.corpus.sources.listing import list_sources
from codekiln.corpus.sources.stage import find
from codekiln.errors import UserError
from codekiln.shards.store import OUTPUT_MARK

HELLO = "print('hello')\n"
OWN = "codekiln's own output"
#: A folder that somebody had files in before codekiln wrote there.
OUTPUT = {f"runs/one/{OUTPUT_MARK}": "1\n", "runs/one/notes.py": HELLO, "runs/one/model/LICENSE": "all mine"}


def mark(path, **settings):
    return find(SourceConfig(paths=(str(path),), **settings)).fingerprint


@pytest.mark.parametrize("kind", ["folder", "untracked", "tracked", "half"])
def test_an_output_folder_inside_a_source_is_left_out(tmp_path, kind):
    code = tmp_path / "code"
    if kind == "folder":
        write(code, {"a.py": program(1)} | OUTPUT)
    else:
        repository(code, {"a.py": program(1)} | (OUTPUT if kind == "tracked" else {}))
        if kind == "half":  # only a file in it is tracked, the mark is ignored as in a run's own folder
            commit(code, {"runs/one/report.py": HELLO})
            write(code, {"runs/one/.gitignore": "*\n"})
        write(code, OUTPUT)
    out = sources(tmp_path, code)
    assert set(rows(out / "files")) == {"a.py"}
    skipped = rows(out / "skipped")
    assert {path: (row["reason"], row["size"]) for path, row in skipped.items()} == {"runs/one/": (OWN, 0)}
    first = mark(code)
    write(code, {"runs/one/stages/x.py": HELLO, "runs/one/pyproject.toml": '[project]\nlicense = "MIT"\n'})
    assert mark(code) == first


def test_an_output_folder_in_a_revision_or_an_archive_is_left_out(tmp_path):
    repo = repository(tmp_path / "code", {"a.py": program(1)} | OUTPUT)
    with tarfile.open(tmp_path / "code-1.tar.gz", "w:gz") as bundle:
        for name in ["a.py", *OUTPUT]:
            bundle.add(repo / name, f"code-1/{name}")
    for number, (path, settings) in enumerate(
        [(repo, {"revision": "HEAD"}), (tmp_path / "code-1.tar.gz", {})]
    ):
        out = sources(tmp_path / str(number), path, **settings)
        assert set(rows(out / "files")) == {"a.py"}
        assert reasons(out / "skipped") == {"runs/one/": OWN}


def test_an_output_folder_as_source_is_refused(tmp_path):
    repo = repository(tmp_path / "code", {"a.py": program(1)} | OUTPUT)
    plain = write(tmp_path / "plain", {OUTPUT_MARK: "", "model/x.py": HELLO})
    with tarfile.open(tmp_path / "run.tar", "w") as bundle:
        bundle.add(plain, "run")
    asked = [(repo / "runs/one", {}), (repo / "runs/one/model", {}), (plain / "model/x.py", {})]
    asked += [(tmp_path / "run.tar", {}), (repo / "runs/one", {"revision": "HEAD"})]
    for path, settings in asked:
        with pytest.raises(UserError, match=r"own output.*never learned from"):
            list_sources(SourceConfig(paths=(str(path),), **settings))
    # not on disk any more, yet in the revision
    git(repo, "rm", "-q", "-r", "runs")
    write(repo, {"runs/one/new.py": HELLO})
    with pytest.raises(UserError, match="own output"):
        list_sources(SourceConfig(paths=(str(repo / "runs/one"),), revision="HEAD"))


@pytest.mark.parametrize("fault", ["empty", "no such place", "nonsense", "no objects"])
def test_a_folder_with_a_broken_repository_is_read_as_a_plain_one(tmp_path, fault):
    code = write(
        tmp_path / "code",
        {"a.py": HELLO, ".gitignore": "*.gen.py\nlogs/\n", "in/b.py": HELLO, "in/x.gen.py": HELLO,
         "in/deep/logs/c.py": HELLO, "in/deep/d.py": HELLO, "in/deep/.gitignore": "no.py\n", "in/deep/no.py": "1"},
    )  # fmt: skip
    for folder in (code / "in", code / "in/deep"):
        if fault == "empty":
            (folder / ".git").mkdir()
        elif fault == "no objects":
            write(folder, {".git/HEAD": "ref: refs/heads/main\n"})
        else:
            write(folder, {".git": "gitdir: ../nowhere\n" if fault == "no such place" else "?"})
    out = sources(tmp_path / "out", code)
    assert set(rows(out / "files")) == {"a.py", "in/b.py", "in/deep/d.py"}


def test_a_broken_repository_does_not_bring_in_the_one_around_it(tmp_path):
    around = repository(tmp_path / "around", {".gitignore": "/code/\n", "other.py": HELLO})
    write(around, {"code/a.py": HELLO, "code/in/b.py": HELLO})
    (around / "code/in/.git").mkdir()
    (listing,) = list_sources(SourceConfig(paths=(str(around / "code"),)))
    assert [candidate.path for candidate in listing.candidates] == ["a.py", "in/b.py"]


def test_a_file_asked_for_by_name_is_read_wherever_it_lies(tmp_path):
    repo = repository(
        tmp_path / "t1",
        {"build/m1.py": HELLO, "build/vendor/v.py": HELLO, ".cache/c.py": HELLO, "build/m2.py": HELLO},
    )
    for asked, read in (
        (["build/m1.py"], {"build/m1.py"}),
        (["build/vendor/v.py"], {"build/vendor/v.py"}),
        ([".cache/c.py"], {".cache/c.py"}),
        (["build"], {"build/m1.py", "build/m2.py"}),
    ):
        (listing,) = list_sources(SourceConfig(paths=tuple(str(repo / path) for path in asked)))
        assert {candidate.path for candidate in listing.candidates} == read
