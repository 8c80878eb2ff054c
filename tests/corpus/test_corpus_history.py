"""When a path was added: renames, roots, cut-off and partial histories."""

from __future__ import annotations

from pathlib import Path

import pytest
from corpus_kit import commit, git, program, repository, rows, sources

from codekiln.corpus.sources import git as repositories
from codekiln.errors import UserError


def times(folder: Path):
    found = repositories.find(folder)
    commit_id = repositories.resolve(found, "HEAD")
    return repositories.added_times(found, commit_id, repositories.tree_entries(found, commit_id))


def test_the_first_commit_counts_whatever_the_configuration_says(tmp_path):
    repo = repository(tmp_path / "demo", {"a.py": program(1)}, when=1000)
    git(repo, "config", "log.showRoot", "false")
    commit(repo, {"b.py": program(2)}, when=2000)
    assert times(repo) == {"a.py": 1000, "b.py": 2000}


def test_a_moved_file_keeps_its_time(tmp_path):
    repo = repository(tmp_path / "demo", {"a.py": program(1), "keep.py": program(2)}, when=1000)
    git(repo, "mv", "a.py", "moved.py")
    git(repo, "commit", "-q", "-m", "move", when=2000)
    git(repo, "mv", "moved.py", "again.py")
    text = (repo / "again.py").read_text()
    commit(repo, {"again.py": text.replace("value", "worth"), "new.py": program(3)}, when=3000)
    assert times(repo) == {"keep.py": 1000, "again.py": 1000, "new.py": 3000}
    assert rows(sources(tmp_path, repo) / "files")["again.py"]["added_at"] == 1000


@pytest.mark.parametrize("setting", ["diff.renames=false", "diff.renameLimit=1", "diff.orderFile=/nowhere",
                                     "log.diffMerges=off", "diff.renames=copies"])  # fmt: skip
def test_the_configuration_of_a_repository_does_not_change_times(tmp_path, setting):
    repo = repository(tmp_path / "demo", {f"{n}.py": program(n) for n in range(3)}, when=1000)
    for n in range(3):
        git(repo, "mv", f"{n}.py", f"m{n}.py")
        (repo / f"m{n}.py").write_text(program(n) + "x = 1\n")
    git(repo, "commit", "-q", "-a", "-m", "move", when=2000)
    commit(repo, {"copy.py": program(1) + "y = 1\n"}, when=3000)
    git(repo, "config", *setting.split("="))
    assert times(repo) == {"m0.py": 1000, "m1.py": 1000, "m2.py": 1000, "copy.py": 3000}


def test_a_move_on_a_branch_and_one_in_a_merge(tmp_path):
    repo = repository(tmp_path / "demo", {"a.py": program(1), "b.py": program(2)}, when=1000)
    git(repo, "checkout", "-q", "-b", "side")
    git(repo, "mv", "a.py", "side.py")
    git(repo, "commit", "-q", "-m", "move", when=2000)
    git(repo, "checkout", "-q", "main")
    commit(repo, {"c.py": program(3)}, when=2500)
    git(repo, "merge", "-q", "--no-commit", "side")
    git(repo, "mv", "b.py", "merged.py")
    git(repo, "commit", "-q", "-m", "merge", when=3000)
    assert times(repo) == {"side.py": 1000, "merged.py": 1000, "c.py": 2500}


def test_odd_names_are_not_taken_for_something_else(tmp_path):
    repo = repository(
        tmp_path / "demo", {"\x0199": program(1), "R100": program(2), "A": program(3)}, when=1000
    )
    commit(repo, {"\nA": program(4)}, when=2000)
    assert times(repo) == {"\x0199": 1000, "R100": 1000, "A": 1000, "\nA": 2000}


def test_a_clone_without_blobs_is_not_completed(tmp_path):
    repo = repository(tmp_path / "demo", {"a.py": program(1), "b.py": program(2)}, when=1000)
    git(repo, "mv", "a.py", "moved.py")
    git(repo, "mv", "b.py", "edited.py")
    (repo / "edited.py").write_text(program(2) + "x = 1\n")
    git(repo, "commit", "-q", "-a", "-m", "move", when=2000)
    git(repo, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "-q", "--bare", "--filter=blob:none", f"file://{repo}", "partial.git")
    before = sorted(path.name for path in (tmp_path / "partial.git/objects").rglob("*"))
    # without contents only a file that was moved as it was can be seen to have been moved
    assert times(tmp_path / "partial.git") == {"moved.py": 1000, "edited.py": 2000}
    assert sorted(path.name for path in (tmp_path / "partial.git/objects").rglob("*")) == before
    with pytest.raises(UserError, match="2 corrupt or missing object"):
        sources(tmp_path, tmp_path / "partial.git")


def test_the_start_of_a_blob_that_is_too_large_is_given(tmp_path):
    repo = repository(tmp_path / "demo", {"a.py": "a" * 1000, "b.py": "b = 1\n"})
    ids = git(repo, "rev-parse", "HEAD:a.py", "HEAD:b.py").split()
    assert list(repositories.blobs(repositories.find(repo), ids, 10)) == [b"a" * 11, b"b = 1\n"]


def test_a_lost_object_of_the_past_does_not_stop_it(tmp_path):
    repo = repository(tmp_path / "demo", {"a.py": program(1)}, when=1000)
    old = git(repo, "rev-parse", "HEAD:a.py")
    git(repo, "mv", "a.py", "b.py")
    (repo / "b.py").write_text(program(1) + "x = 1\n")
    git(repo, "commit", "-q", "-a", "-m", "move", when=2000)
    (repo / ".git/objects" / old[:2] / old[2:]).unlink()
    assert times(repo) == {"b.py": 2000}


def test_shallow_clones_are_known(tmp_path):
    repo = repository(tmp_path / "demo", {"a.py": program(1)})
    commit(repo, {"b.py": program(2)})
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repo}", "shallow")
    assert repositories.is_shallow(repositories.find(tmp_path / "shallow"))
    assert not repositories.is_shallow(repositories.find(repo))
