"""A repository under someone else's control must not get to run a program or to lead outside itself."""

from __future__ import annotations

import subprocess

import pytest
from corpus_kit import commit, git, reasons, repository, rows, sources, write

from codekiln.errors import UserError

HELLO = "print('hello')\n"


@pytest.fixture
def hostile(tmp_path):
    """A repository whose configuration names a program in every place where git would run one."""
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/RAN\nexit 1\n")
    trap.chmod(0o755)
    repo = repository(tmp_path / "demo", {"a.py": HELLO, ".gitattributes": "*.py filter=evil diff=evil\n"})
    commit(repo, {"b.py": "b = 1\n"}, when=1_700_000_100)
    hooks = repo / "hooks"
    hooks.mkdir()
    for name in ("post-index-change", "fsmonitor-watchman", "pre-commit", "reference-transaction"):
        (hooks / name).symlink_to(trap)
    for key in (
        "core.fsmonitor", "core.sshCommand", "core.pager", "core.editor", "gpg.program", "diff.external",
        "filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "diff.evil.textconv",
        "diff.evil.command", "credential.helper", "core.askPass", "core.alternateRefsCommand", "pager.log",
    ):  # fmt: skip
        git(repo, "config", key, str(trap))
    git(repo, "config", "core.hooksPath", str(hooks))
    git(repo, "config", "log.showSignature", "true")
    git(repo, "config", "remote.origin.url", f"ext::{trap} x/demo")
    git(repo, "config", "remote.origin.promisor", "true")
    git(repo, "config", "remote.origin.uploadpack", str(trap))
    git(repo, "config", "protocol.ext.allow", "always")
    git(repo, "config", "extensions.partialClone", "origin")
    git(repo, "config", "core.repositoryFormatVersion", "1")
    (tmp_path / "RAN").unlink(missing_ok=True)
    return repo


@pytest.mark.parametrize("settings", [{}, {"revision": "HEAD"}])
def test_nothing_that_the_repository_names_is_run(tmp_path, hostile, settings):
    files = rows(sources(tmp_path, hostile, **settings) / "files")
    assert files["a.py"]["content"] == HELLO
    assert not (tmp_path / "RAN").exists()


def test_the_trap_is_armed(tmp_path, hostile):
    subprocess.run(["git", "status"], cwd=hostile, capture_output=True, check=False)
    assert (tmp_path / "RAN").exists()


def test_a_missing_object_is_not_fetched(tmp_path, hostile):
    blob = git(hostile, "rev-parse", "HEAD:b.py")
    (hostile / ".git/objects" / blob[:2] / blob[2:]).unlink()
    (tmp_path / "RAN").unlink(missing_ok=True)
    out = sources(tmp_path, hostile, revision="HEAD")
    assert set(rows(out / "files")) == {"a.py"}
    skip = rows(out / "skipped")["b.py"]
    assert (skip["reason"], skip["size"]) == ("corrupt or missing object", 0)
    assert not (tmp_path / "RAN").exists()


def test_the_environment_does_not_lead_git_elsewhere(tmp_path, monkeypatch):
    other = repository(tmp_path / "other", {"secret.py": HELLO})
    repo = repository(tmp_path / "demo", {"a.py": HELLO})
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git/index"))
    assert set(rows(sources(tmp_path, repo) / "files")) == {"a.py"}


def test_a_work_tree_setting_does_not_widen_the_source(tmp_path):
    write(tmp_path / "outside", {"private.py": HELLO})
    repo = repository(tmp_path / "demo", {"a.py": HELLO})
    git(repo, "config", "core.worktree", str(tmp_path))
    assert set(rows(sources(tmp_path, repo) / "files")) == {"a.py"}


def test_a_tracked_folder_that_became_a_symlink_is_not_followed(tmp_path):
    outside = write(tmp_path / "outside", {"x.py": "secret = 1\n"})
    repo = repository(tmp_path / "demo", {"a.py": HELLO, "lib/x.py": "x = 1\n"})
    (repo / "lib/x.py").unlink()
    (repo / "lib").rmdir()
    (repo / "lib").symlink_to(outside)
    out = sources(tmp_path, repo)
    assert set(rows(out / "files")) == {"a.py"}
    assert "secret" not in str(rows(out / "files"))
    assert reasons(out / "skipped")["lib/x.py"] == "symlink"


def test_symlinks_in_a_plain_folder_are_not_followed(tmp_path):
    outside = write(tmp_path / "outside", {"x.py": "secret = 1\n"})
    folder = write(tmp_path / "demo", {"a.py": HELLO})
    (folder / "lib").symlink_to(outside)
    (folder / "x.py").symlink_to(outside / "x.py")
    (folder / "LICENSE").symlink_to(outside / "x.py")
    out = sources(tmp_path, folder)
    assert set(rows(out / "files")) == {"a.py"}
    assert reasons(out / "skipped") == {"lib": "symlink", "x.py": "symlink", "LICENSE": "symlink"}


def test_worktrees_bare_repositories_and_unborn_branches(tmp_path):
    repo = repository(tmp_path / "demo", {"a.py": HELLO})
    git(repo, "worktree", "add", "-q", str(tmp_path / "tree"), "-b", "side")
    assert set(rows(sources(tmp_path / "1", tmp_path / "tree") / "files")) == {"a.py"}
    git(tmp_path, "clone", "-q", "--bare", str(repo), "bare.git")
    assert set(rows(sources(tmp_path / "2", tmp_path / "bare.git") / "files")) == {"a.py"}
    young = tmp_path / "young"
    young.mkdir()
    git(young, "init", "-q")
    write(young, {"y.py": HELLO})
    assert rows(sources(tmp_path / "3", young) / "files")["y.py"]["revision"] == "working tree"


def test_a_broken_repository_gets_one_line(tmp_path):
    repo = repository(tmp_path / "demo", {"a.py": HELLO})
    (repo / ".git/index").write_bytes(b"not an index")
    with pytest.raises(UserError, match="git ls-files failed"):
        sources(tmp_path, repo)
