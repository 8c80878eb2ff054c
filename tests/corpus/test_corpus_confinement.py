"""Paths of an index, a tree or a `.git` file that lead out of the source."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading

import pytest
from corpus_kit import git, reasons, repository, rows, sources, write

from codekiln.corpus.sources import git as repositories
from codekiln.corpus.sources import names, reading, walking
from codekiln.corpus.sources.records import Candidate, Source
from codekiln.errors import UserError

HELLO = "print('hello')\n"
SECRET = "key = 'secret'\n"


def crafted_index(repo, old, new):
    """Rename an entry in the bytes of `.git/index`, which git itself refuses, and mend the checksum."""
    assert len(old) == len(new)
    path = repo / ".git/index"
    body = path.read_bytes()[:-20]
    assert body.count(old.encode()) == 1
    body = body.replace(old.encode(), new.encode())
    path.write_bytes(body + hashlib.sha1(body).digest())


@pytest.mark.parametrize(
    "target", ["../secret/k.py", "lib/../../secret/k.py", "./own.py", "lib//own.py", "/absolute"]
)
def test_a_crafted_index_does_not_lead_out(tmp_path, target):
    write(tmp_path / "secret", {"k.py": SECRET})
    if target == "/absolute":
        target = str(tmp_path / "secret/k.py")
    stand_in = "x" * (len(target) - 3) + ".py"
    repo = repository(
        tmp_path / "demo", {"a.py": HELLO, "lib/own.py": "o = 1\n", "own.py": "o = 2\n", stand_in: "s = 1\n"}
    )
    (repo / stand_in).unlink()
    crafted_index(repo, stand_in, target)
    out = sources(tmp_path / "out", repo)
    assert set(rows(out / "files")) == {"a.py", "own.py", "lib/own.py"}
    assert SECRET not in [row["content"] for row in rows(out / "files").values()]
    assert reasons(out / "skipped") == {target: "unsafe path"}


def test_a_crafted_tree_gives_no_unsafe_paths(tmp_path):
    repo = repository(tmp_path / "demo", {"a.py": HELLO})
    blob = git(repo, "rev-parse", "HEAD:a.py")
    entry = b"100644 a.py\0" + bytes.fromhex(blob)

    def tree(content):
        done = subprocess.run(
            ["git", "hash-object", "-t", "tree", "-w", "--literally", "--stdin"],
            cwd=repo, input=content, capture_output=True, check=True,
        )  # fmt: skip
        return done.stdout.decode().strip()

    inner = tree(entry)
    top = tree(b"40000 ..\0" + bytes.fromhex(inner) + entry)
    commit = git(repo, "commit-tree", top, "-m", "crafted", when=1_700_000_000)
    out = sources(tmp_path / "out", repo, revision=commit)
    assert set(rows(out / "files")) == {"a.py"}
    assert reasons(out / "skipped") == {"../a.py": "unsafe path"}


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../x", "a//x", "./x", "a/.", "a/", "a\0b"])
def test_reading_refuses_paths_that_are_not_plain(tmp_path, path):
    write(tmp_path / "demo", {"a/x": "1", "x": "1"})
    assert not names.is_inside(path)
    assert walking.read_inside(tmp_path / "demo", path, 10) == "unsafe path"
    assert walking.size_inside(tmp_path / "demo", path) == "unsafe path"


def test_no_component_may_be_a_symlink(tmp_path):
    root = write(tmp_path / "demo", {"real/deep/x": "1"})
    (root / "link").symlink_to(root / "real")
    (root / "real/up").symlink_to(root)
    for path in ("link/deep/x", "real/up/real/deep/x", "link", "real/up"):
        assert walking.read_inside(root, path, 10) == "symlink"
        assert walking.size_inside(root, path) == "symlink"
    assert walking.read_inside(root, "real/deep/x", 10) == b"1"
    assert walking.size_inside(root, "real/deep/x") == 1
    assert walking.size_inside(root, "real/deep/x/y") == "missing from the working tree"
    assert walking.size_inside(root, "real/none/y") == "missing from the working tree"


def test_a_folder_that_is_swapped_for_a_link_meanwhile_never_leads_out(tmp_path):
    write(tmp_path / "secret", {"x": "secret"})
    root = write(tmp_path / "demo", {"lib/x": "mine"})
    stop = threading.Event()

    def swap():
        while not stop.is_set():
            os.rename(root / "lib", root / "away")
            os.symlink(tmp_path / "secret", root / "lib")
            os.unlink(root / "lib")
            os.rename(root / "away", root / "lib")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        found = {walking.read_inside(root, "lib/x", 10) for _ in range(3000)}
    finally:
        stop.set()
        thread.join()
    assert b"secret" not in found


def test_many_files_of_a_root_are_read_as_each_alone(tmp_path):
    root = write(tmp_path / "demo", {"a/x": "1", "a/y": "2", "a/b/x": "3", "x": "4", "b/x": "5"})
    write(tmp_path / "secret", {"x": "secret", "z": "secret"})
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "a/link").symlink_to(tmp_path / "secret/x")
    paths = ["a/x", "a/y", "a/..", "a/", "a/.", "a/link", "a/none", "a/y", "link/x", "none/x", "x", "", "..", "a/b/x",
             "a/../x", "b/x", "a/x"]  # fmt: skip
    with walking.Inside(root) as inside:
        assert [inside.read(path, 9) for path in paths] == [
            walking.read_inside(root, path, 9) for path in paths
        ]
        assert inside.read("b/x", 9) == b"5"
        (root / "b").rename(tmp_path / "gone")
        (root / "b").symlink_to(tmp_path / "secret")
        assert inside.read("b/z", 9) == "missing from the working tree"
        assert inside.read("x", 9) == b"4"
        assert inside.read("b/x", 9) == "symlink"


@pytest.mark.parametrize("limit", [10**13, 10**23])
def test_a_huge_limit_allocates_no_more_than_the_file(tmp_path, limit):
    folder = write(tmp_path / "demo", {"a.py": HELLO})
    assert walking.read_inside(folder, "a.py", limit) == HELLO.encode()
    source = Source("demo", "folder", str(folder))
    ((_, data),) = reading.contents(source, [Candidate("a.py", 15)], limit)
    assert data == HELLO.encode()


@pytest.mark.parametrize("how", ["file", "link", "commondir", "refs", "branch", "bare"])
def test_another_repository_is_not_read_through_the_git_directory(tmp_path, how):
    victim = repository(tmp_path / "victim", {"secret.py": SECRET})
    folder = write(tmp_path / "demo", {"a.py": HELLO})
    if how == "file":
        (folder / ".git").write_text(f"gitdir: {victim}/.git\n")
    elif how == "link":
        (folder / ".git").symlink_to(victim / ".git")
    elif how == "bare":
        shutil.copy(victim / ".git/HEAD", folder / "HEAD")
        for name in ("objects", "refs"):
            (folder / name).symlink_to(victim / ".git" / name)
    else:
        repository(folder, {"a.py": HELLO})
        if how == "commondir":
            (folder / ".git/commondir").write_text(f"{victim}/.git\n")
        elif how == "refs":
            for name in ("refs", "objects"):
                shutil.rmtree(folder / ".git" / name)
                (folder / ".git" / name).symlink_to(victim / ".git" / name)
        else:
            (folder / ".git/objects/info/alternates").write_text(f"{victim}/.git/objects\n")
            (folder / ".git/refs/heads/main").unlink()
            (folder / ".git/refs/heads/main").symlink_to(victim / ".git/refs/heads/main")
    assert repositories.find(folder) is None
    found = rows(sources(tmp_path / "out", folder) / "files")
    assert "a.py" in found
    assert "secret.py" not in found
    assert {row["revision"] for row in found.values()} == {None}
    if how != "bare":
        said = reasons(tmp_path / "out/sources/skipped")[".git"]
        assert "read as a plain folder" in said
        # as a folder inside a plain one it is read as well, and no repository
        (tmp_path / "around").mkdir()
        shutil.move(folder, tmp_path / "around/demo")
        inside = sources(tmp_path / "out2", tmp_path / "around")
        assert "demo/a.py" in rows(inside / "files")
        assert "read as a plain folder" in reasons(inside / "skipped")["demo/.git"]


def test_submodules_worktrees_and_own_git_directories_are_believed(tmp_path):
    inner = repository(tmp_path / "inner", {"i.py": HELLO})
    repo = repository(tmp_path / "demo", {"a.py": HELLO})
    git(repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "sub")
    assert (repo / "sub/.git").is_file()
    out = sources(tmp_path / "1", repo / "sub")
    assert rows(out / "files")["i.py"]["revision"] == git(inner, "rev-parse", "HEAD")
    git(repo / "sub", "worktree", "add", "-q", str(tmp_path / "tree"), "-b", "side")
    assert rows(sources(tmp_path / "2", tmp_path / "tree") / "files")["i.py"]["revision"]
    (inner / ".git").rename(inner / "store")
    (inner / ".git").write_text("gitdir: store\n")
    found = repositories.find(inner)
    assert found is not None
    assert repositories.resolve(found, "HEAD")
    (tmp_path / "tree").rename(tmp_path / "moved")  # the registration no longer names it
    assert repositories.find(tmp_path / "moved") is None


def test_a_git_file_that_is_none_is_recorded(tmp_path):
    folder = write(tmp_path / "demo", {"a.py": HELLO, ".git": "nonsense"})
    out = sources(tmp_path, folder)
    assert set(rows(out / "files")) == {"a.py"}
    assert reasons(out / "skipped") == {".git": "not a readable git directory; read as a plain folder"}


@pytest.mark.parametrize("damage", ["middle", "cut", "noise", "other", "gone"])
def test_damaged_blobs_cost_only_themselves(tmp_path, damage):
    import random
    import zlib

    text = "".join(random.Random(1).choices("abcdefgh \n", k=20_000))
    repo = repository(tmp_path / "demo", {f"{n}.py": f"# {n}\n{text}" for n in range(5)})
    for name in ("1.py", "2.py", "4.py"):
        blob = git(repo, "rev-parse", f"HEAD:{name}")
        path = repo / ".git/objects" / blob[:2] / blob[2:]
        data = path.read_bytes()
        path.unlink()
        half = len(data) // 2
        if damage != "gone":
            path.write_bytes(
                {
                    "middle": data[:half] + bytes(50) + data[half + 50 :],
                    "cut": data[:half],
                    "noise": b"noise",
                    "other": zlib.compress(b"blob 6\0x = 1\n"),
                }[damage]
            )
    out = sources(tmp_path, repo, revision="HEAD")
    assert set(rows(out / "files")) == {"0.py", "3.py"}
    skipped = rows(out / "skipped")
    assert {row["reason"] for row in skipped.values()} == {"corrupt or missing object"}
    assert set(skipped) == {"1.py", "2.py", "4.py"}
    assert all(row["size"] >= 0 for row in skipped.values())
    if damage in ("gone", "noise"):
        assert {row["size"] for row in skipped.values()} == {0}


def test_an_unsafe_path_of_a_revision_is_refused_when_it_is_read(tmp_path):
    repo = repository(tmp_path / "demo", {"a.py": HELLO})
    source = Source("demo", "blobs", str(repo), str(repo / ".git"))
    blob = git(repo, "rev-parse", "HEAD:a.py")
    found = reading.contents(source, [Candidate("../a.py", 5, blob), Candidate("a.py", 5, blob)], 1000)
    assert [data for _, data in found] == ["unsafe path", HELLO.encode()]


_AS_OTHERS_DO = """
import sys
from pathlib import Path
from codekiln.corpus.sources import git, walking
root = Path(sys.argv[1])
repository = git.find(root)
for path in git.untracked(repository):
    print(path, walking.size_inside(root, path), walking.read_inside(root, path, 3), sep="|")
found, _ = walking.walk(root)
print(sorted(path for path, _ in found.files), found.skipped)
"""


def test_what_git_cannot_open_is_recorded(tmp_path):
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip(
            "PERMISSIONS NOT TESTED: they do not bind root, and there is no setpriv to drop its rights"
        )
    repo = repository(tmp_path / "demo", {"a.py": HELLO})
    write(
        repo,
        {"shut/b.py": HELLO, "half/.gitignore": "*.log.py\n", "half/x.log.py": SECRET, "open/c.py": HELLO},
    )
    (repo / "shut").chmod(0)
    (repo / "half/.gitignore").chmod(0)
    rights = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    try:
        done = subprocess.run(
            [*rights, sys.executable, "-c", _AS_OTHERS_DO, str(repo)],
            capture_output=True,
            text=True,
            check=True,
        )
    finally:
        (repo / "shut").chmod(0o755)
    denied = "unreadable (Permission denied)"
    *listed, walked = done.stdout.splitlines()
    assert sorted(listed) == [
        f"half/.gitignore|9|{denied}", "open/c.py|15|b'pri'", f"shut|{denied}|{denied}",
    ]  # fmt: skip
    assert walked == str(["a.py", "open/c.py"]) + " " + str(
        [("shut/", denied), ("half/", f"its .gitignore: {denied}")]
    )


def test_a_linked_ignore_file_does_not_open_what_it_ignores(tmp_path):
    write(tmp_path / "rules", {"ignore": "*.log.py\n"})
    repo = repository(tmp_path / "demo", {"a.py": HELLO, "half/tracked.py": "t = 1\n"})
    write(repo, {"half/x.log.py": SECRET})
    (repo / "half/.gitignore").symlink_to(tmp_path / "rules/ignore")
    out = sources(tmp_path / "out", repo)
    assert set(rows(out / "files")) == {"a.py", "half/tracked.py"}
    assert reasons(out / "skipped") == {"half/.gitignore": "symlink"}
    shutil.rmtree(repo / ".git")
    out = sources(tmp_path / "out2", repo)
    assert set(rows(out / "files")) == {"a.py"}
    assert reasons(out / "skipped") == {"half/": "its .gitignore: symlink"}


def test_a_refused_git_directory_of_a_source_is_told_with_the_way_out(tmp_path, capsys):
    victim = repository(tmp_path / "victim", {"secret.py": SECRET})
    git(tmp_path, "clone", "-q", f"--separate-git-dir={tmp_path}/a store", str(victim), "demo")
    git(victim, "worktree", "add", "-q", str(tmp_path / "tree"), "-b", "side")
    (tmp_path / "tree").rename(tmp_path / "moved")
    write(
        tmp_path / "around", {"a.py": HELLO, "inner/b.py": HELLO, "inner/.git": "gitdir: ../../victim/.git\n"}
    )
    with pytest.raises(UserError, match=r"demo is not in a git repository.*\(.*does not point back"):
        sources(tmp_path / "0", tmp_path / "demo", revision="HEAD")
    for number, (name, end) in enumerate([
        ("demo", f"git config --file '{tmp_path}/a store/config' core.worktree {tmp_path}/demo"),
        ("moved", f"git -C {tmp_path}/moved worktree repair"),
    ]):  # fmt: skip
        out = sources(tmp_path / f"{number}", tmp_path / name)
        assert rows(out / "files")["secret.py"]["revision"] is None
        said, command = capsys.readouterr().err.split("\n")[0].split(", run: ")
        assert said == (
            f"source {tmp_path}/{name}: its git directory lies elsewhere and does not point back; read as a plain "
            "folder; if it is this folder's"
        )
        assert command == end
        subprocess.run(command, shell=True, check=True, capture_output=True)
        out = sources(tmp_path / f"again-{number}", tmp_path / name)
        assert rows(out / "files")["secret.py"]["revision"] == git(victim, "rev-parse", "HEAD")
        assert "source " not in capsys.readouterr().err
    sources(tmp_path / "2", tmp_path / "around")  # what lies inside is recorded, and no more
    assert "source " not in capsys.readouterr().err


def test_a_git_directory_in_a_work_tree_is_no_source_code(tmp_path):
    made = repository(tmp_path / "made", {"a.py": HELLO})
    (tmp_path / "demo").mkdir()
    git(tmp_path / "demo", "clone", "-q", "--bare", str(made), ".bare")
    write(tmp_path / "demo", {".git": "gitdir: ./.bare\n", "notes.py": HELLO})
    git(tmp_path / "demo", "worktree", "add", "-q", "main")
    assert set(rows(sources(tmp_path / "1", tmp_path / "demo") / "files")) == {"notes.py"}
    (tmp_path / "demo/.git").unlink()
    out = sources(tmp_path / "2", tmp_path / "demo")
    assert set(rows(out / "files")) == {"a.py", "notes.py"}
    assert reasons(out / "skipped")[".bare/"] == "git directory; give it as a source of its own"
