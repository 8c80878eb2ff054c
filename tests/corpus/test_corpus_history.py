"""When a path was added: renames, roots, cut-off and partial histories."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from corpus_kit import commit, git, program, repository, rows, sources

from codekiln.corpus.sources import added
from codekiln.corpus.sources import git as repositories
from codekiln.errors import UserError


def times(folder: Path):
    found = repositories.find(folder)
    commit_id = repositories.resolve(found, "HEAD")
    return added.added_times(found, commit_id, repositories.tree_entries(found, commit_id))[0]


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


def _spoil(repo, name, way):
    """An object's file overwritten with zlib garbage, removed, or damaged inside a pack."""
    identity = git(repo, "rev-parse", name)
    loose = repo / ".git/objects" / identity[:2] / identity[2:]
    if way == "packed":
        git(repo, "-c", "pack.window=0", "gc", "-q")
        (index,) = (repo / ".git/objects/pack").glob("*.idx")
        rows = git(repo, "verify-pack", "-v", str(index)).splitlines()
        (place,) = (int(row.split()[4]) for row in rows if row.startswith(identity))
        loose = index.with_suffix(".pack")
        content = bytearray(loose.read_bytes())
        content[place : place + 12] = b"\x25x\x9cgarbage!!"
    else:
        content = b"x\x9cgarbage!!"
    loose.chmod(0o644)
    loose.unlink() if way == "missing" else loose.write_bytes(content)


@pytest.fixture(scope="module")
def storied(tmp_path_factory):
    """Additions, moves with and without a change, a branch and a merge; a file a commit."""
    repo = repository(tmp_path_factory.mktemp("storied") / "demo", {"1.py": program(1)}, when=1000)
    for number in (2, 3, 4, 5):
        commit(repo, {f"{number}.py": program(number)}, when=1000 * number)
    git(repo, "mv", "3.py", "moved.py")
    git(repo, "mv", "1.py", "edited.py")
    (repo / "edited.py").write_text(program(1) + "x = 1\n")
    git(repo, "commit", "-q", "-a", "-m", "move", when=6000)
    git(repo, "checkout", "-q", "-b", "side")
    commit(repo, {"side.py": program(7)}, when=7000)
    git(repo, "checkout", "-q", "main")
    commit(repo, {"8.py": program(8)}, when=8000)
    git(repo, "merge", "-q", "-m", "merge", "side", when=9000)
    return repo


_STORY = {
    "edited.py": 1000,
    "2.py": 2000,
    "moved.py": 3000,
    "4.py": 4000,
    "5.py": 5000,
    "side.py": 7000,
    "8.py": 8000,
}


@pytest.mark.parametrize(
    ("way", "name", "lost"),
    [
        # of a commit neither what it added can be told from its parent, nor what its child added from it
        ("garbage", "HEAD^1~4^{tree}", {"moved.py", "4.py"}), ("missing", "HEAD^1~4^{tree}", {"moved.py", "4.py"}),
        ("packed", "HEAD^1~4^{tree}", {"moved.py", "4.py"}), ("garbage", "HEAD^1^{tree}", {"8.py"}),
        # nothing older than a damaged commit is known; a file from there that was moved is not taken for a new one
        ("garbage", "HEAD^1~4", {"edited.py", "2.py", "moved.py", "4.py"}), ("garbage", "HEAD^1~3", {*_STORY} - {"8.py", "side.py"}),
        ("missing", "HEAD^1~4:3.py", set()),
    ],
)  # fmt: skip
def test_a_damaged_history_costs_the_times_that_cannot_be_known(tmp_path, storied, way, name, lost, capsys):
    repo = tmp_path / "demo"
    shutil.copytree(storied, repo)
    assert times(repo) == _STORY
    _spoil(repo, name, way)
    found = {path: row["added_at"] for path, row in rows(sources(tmp_path, repo) / "files").items()}
    assert found == {path: None if path in lost else time for path, time in _STORY.items()}
    said = f"demo: its git history is damaged (corrupt or missing objects, see `git fsck`): it is not known when {len(lost)} of its 7"
    assert (said in capsys.readouterr().err) == bool(lost)


def test_commit_by_commit_gives_the_same_times(storied):
    found = repositories.find(storied)
    assert added._readable_times(found, "HEAD", added._ALIKE).items() >= _STORY.items()


def test_a_history_without_end_of_damage_is_given_up(monkeypatch, storied, tmp_path):
    repo = tmp_path / "demo"
    shutil.copytree(storied, repo)
    for name in ("HEAD^1~6^{tree}", "HEAD^1~3^{tree}"):
        _spoil(repo, name, "garbage")
    monkeypatch.setattr(added, "_MOST_UNREADABLE", 0)
    assert times(repo) == {}
