from __future__ import annotations

import os
import shutil
import sysconfig

import pytest
from corpus_kit import commit, git, program, reasons, repository, rows, sources, write
from license_kit import MIT

from codekiln.corpus.config import SourceConfig
from codekiln.corpus.sources.stage import find
from codekiln.shards import Dataset

HELLO = "print('hello')\n"


def mark(*paths, **settings):
    return find(SourceConfig(paths=tuple(map(str, paths)), **settings)).fingerprint


def test_working_tree_of_a_repository(tmp_path):
    repo = repository(
        tmp_path / "demo",
        {
            "src/a.py": HELLO,
            "LICENSE": MIT,
            ".gitignore": "*.tmp.py\n",
            "node_modules/x/index.js": "let a = 1\n",
            "web/app.min.js": "let a=1\n",
            "package-lock.json": "{}\n",
            "picture.py": b"a\0b",
            "latin.py": "# caf\xe9\n".encode("latin-1"),
            "wide.py": "# caf\xe9\n".encode("utf-16"),
            "noise.py": bytes(range(128, 256)) * 4,
            "empty.py": "",
            "big.py": "x = 1\n" * 1000,
            "notes.unknown": "text\n",
            "pointer.json": "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
            "tool": "#!/usr/bin/env python3\nprint(1)\n",
        },
    )
    write(repo, {"src/new.py": "x = 2\n", "src/a.tmp.py": HELLO})
    (repo / "link.py").symlink_to(repo / "src/a.py")
    out = sources(tmp_path, repo, max_file_bytes=3000)
    head = git(repo, "rev-parse", "HEAD")
    files = rows(out / "files")
    assert set(files) == {"src/a.py", "src/new.py", "tool", "latin.py", "wide.py"}
    assert files["latin.py"]["content"] == files["wide.py"]["content"] == "# caf\xe9\n"
    assert files["latin.py"]["size"] == files["wide.py"]["size"] == len("# caf\xe9\n".encode())
    assert files["src/a.py"]["revision"] == head
    assert files["src/a.py"]["added_at"] == 1_700_000_000
    assert files["src/a.py"]["licenses"] == ["MIT"]
    assert files["src/a.py"]["license_evidence"] == "LICENSE: MIT (text, 1.00)"
    assert files["src/new.py"]["revision"] == "working tree"
    assert files["src/new.py"]["added_at"] is None
    assert files["tool"]["language"] == "python"
    found = reasons(out / "skipped")
    assert found["node_modules/"] == "vendored or built folder"
    assert found["web/app.min.js"] == found["package-lock.json"] == "generated or minified by its name"
    assert found["picture.py"] == "binary"
    assert found["noise.py"] == "unknown encoding"
    assert found["empty.py"] == "empty"
    assert found["big.py"] == "too large"
    assert found["notes.unknown"] == "unknown language"
    assert found["pointer.json"] == "Git LFS pointer"
    assert found["link.py"] == "symlink"
    assert "src/a.tmp.py" not in found


def test_an_edited_file_is_not_called_the_committed_one(tmp_path):
    repo = repository(tmp_path / "demo", {"a.py": HELLO, "b.py": "y = 1\n"})
    write(repo, {"a.py": "print('changed')\n"})
    files = rows(sources(tmp_path, repo) / "files")
    assert files["a.py"]["revision"] == "working tree"
    assert files["b.py"]["revision"] == git(repo, "rev-parse", "HEAD")


def test_a_revision_is_read_from_git_not_from_disk(tmp_path):
    repo = repository(tmp_path / "demo", {"a.py": HELLO, "gone.py": "z = 1\n", "bin.py": b"\0\1"})
    first = git(repo, "rev-parse", "HEAD")
    (repo / "gone.py").unlink()
    commit(repo, {"a.py": "print('later')\n"}, when=1_700_000_500)
    out = sources(tmp_path, repo, revision=first[:10])
    files = rows(out / "files")
    assert {path: row["content"] for path, row in files.items()} == {"a.py": HELLO, "gone.py": "z = 1\n"}
    assert {row["revision"] for row in files.values()} == {first}
    assert reasons(out / "skipped") == {"bin.py": "binary"}


def test_first_addition_counts_and_merges_are_followed(tmp_path):
    repo = repository(tmp_path / "demo", {"a.py": HELLO}, when=1000)
    git(repo, "checkout", "-q", "-b", "side")
    commit(repo, {"side.py": "s = 1\n"}, when=2000)
    git(repo, "checkout", "-q", "main")
    commit(repo, {"main.py": "m = 1\n"}, when=3000)
    git(repo, "merge", "-q", "--no-commit", "side")
    commit(repo, {"merged.py": "q = 1\n"}, when=4000)
    git(repo, "rm", "-q", "a.py")
    git(repo, "commit", "-q", "-m", "remove", when=5000)
    commit(repo, {"a.py": HELLO + "x = 1\n"}, when=6000)
    times = {path: row["added_at"] for path, row in rows(sources(tmp_path, repo) / "files").items()}
    assert times == {"a.py": 1000, "side.py": 2000, "main.py": 3000, "merged.py": 4000}


def test_submodules_and_nested_repositories_are_passed_over(tmp_path):
    inner = repository(tmp_path / "inner", {"i.py": HELLO})
    repo = repository(tmp_path / "demo", {"a.py": HELLO})
    git(repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "sub")
    git(repo, "commit", "-q", "-m", "submodule")
    repository(repo / "nested", {"n.py": HELLO})
    out = sources(tmp_path, repo)
    assert set(rows(out / "files")) == {"a.py"}
    found = reasons(out / "skipped")
    assert found["sub"] == "submodule"
    assert found["nested/"].startswith("git repository inside another")


def test_a_subfolder_of_a_repository_keeps_its_paths_and_licence(tmp_path):
    repo = repository(
        tmp_path / "demo",
        {
            "third_party/lib/a.py": HELLO,
            "b.py": HELLO,
            "COPYING": "GNU GENERAL PUBLIC LICENSE Version 3, 2007",
        },
    )
    files = rows(sources(tmp_path, repo / "third_party" / "lib") / "files")
    assert set(files) == {"third_party/lib/a.py"}
    assert files["third_party/lib/a.py"]["licenses"] == ["GPL-3.0"]
    assert files["third_party/lib/a.py"]["license_type"] == "non_permissive"


def test_an_ignored_folder_given_by_name_is_read_as_a_plain_one(tmp_path):
    repo = repository(tmp_path / "demo", {"a.py": HELLO, ".gitignore": "/out/\n"})
    write(repo, {"out/generated_by_me.py": HELLO})
    assert set(rows(sources(tmp_path, repo / "out") / "files")) == {"generated_by_me.py"}


def test_plain_folder_respects_ignore_files_and_finds_repositories_inside(tmp_path):
    folder = write(
        tmp_path / "code",
        {
            "a.py": HELLO,
            "secret.py": "x\n",
            ".gitignore": "secret.py\nlogs/\n*.gen.py\n",
            "logs/b.py": HELLO,
            "keep/.gitignore": "!x.gen.py\n",
            "keep/x.gen.py": "k = 1\n",
            "keep/.git": "not a repository",
            "y.gen.py": HELLO,
            "build/made.py": HELLO,
            "pkg/build/__init__.py": "v = 1\n",
            ".venv/lib.py": HELLO,
        },
    )
    (folder / "keep/.git").unlink()
    repository(folder / "project", {"p.py": "p = 1\n"})
    os.mkfifo(folder / "pipe.py")
    out = sources(tmp_path, folder)
    found = {(row["repo"], row["path"]) for row in Dataset.open(out / "files").rows()}
    assert found == {
        ("code", "a.py"),
        ("code", "keep/x.gen.py"),
        ("code", "pkg/build/__init__.py"),
        ("project", "p.py"),
    }
    skipped = reasons(out / "skipped")
    assert skipped["build/"] == skipped[".venv/"] == "vendored or built folder"
    assert skipped["pipe.py"] == "not a regular file"


def test_single_file_outside_git_takes_the_licence_beside_it(tmp_path):
    folder = write(tmp_path / "x", {"a.py": HELLO, "other.py": HELLO, "package.json": '{"license": "MIT"}'})
    files = rows(sources(tmp_path, folder / "a.py") / "files")
    assert list(files) == ["a.py"]
    assert files["a.py"]["licenses"] == ["MIT"]


def test_names_are_short_unique_and_never_a_machine_path(tmp_path):
    one = repository(tmp_path / "p" / "demo", {"a.py": HELLO})
    two = repository(tmp_path / "q" / "demo", {"a.py": HELLO})
    git(two, "remote", "add", "origin", "https://example.org/group/demo.git")
    copy = repository(tmp_path / "copy", {"a.py": HELLO})
    git(copy, "remote", "add", "origin", str(one))
    out = sources(tmp_path, one, two, copy)
    assert sorted(row["repo"] for row in Dataset.open(out / "files").rows()) == ["copy", "demo", "demo-2"]
    for dataset in ("files", "skipped"):
        assert str(tmp_path) not in str(list(Dataset.open(out / dataset).rows()))
        assert str(tmp_path) not in (out / dataset / "manifest.json").read_text()


def test_two_folders_of_one_repository_are_one_source(tmp_path):
    repo = repository(tmp_path / "demo", {"a/x.py": HELLO, "b/y.py": "y = 1\n", "c/z.py": "z = 1\n"})
    out = sources(tmp_path, repo / "a", repo / "b", repo / "a" / "x.py")
    found = [(row["repo"], row["path"]) for row in Dataset.open(out / "files").rows()]
    assert found == [("demo", "a/x.py"), ("demo", "b/y.py")]


def test_content_is_kept_byte_for_byte(tmp_path):
    text = "# caf\u00e9\r\nx = '<|endoftext|>'\r\n\ty = 1"
    folder = write(tmp_path / "x", {"a.py": text})
    row = rows(sources(tmp_path, folder) / "files")["a.py"]
    assert row["content"] == text
    assert row["size"] == len(text.encode())


def test_fingerprint_follows_what_would_be_read(tmp_path):
    repo = repository(tmp_path / "demo", {"a.py": HELLO, "LICENSE": "nothing known"})
    bare = mark(repo)
    write(repo, {"server.log": "", "picture.png": b"\0", "trace.log": "x" * 900})
    first = mark(repo)
    assert first != bare  # `explain` must know them
    write(repo, {"server.log": "a line\n"})
    assert mark(repo) == first
    limited = mark(repo, max_file_bytes=1000)
    write(repo, {"trace.log": "x" * 1100})
    assert mark(repo, max_file_bytes=1000) == limited
    write(repo, {"trace.log": "x" * 900})
    for name in ("link.py", "node_modules/x.js", "app.min.js", "empty.py"):
        path = repo / name
        path.parent.mkdir(exist_ok=True)
        if name == "link.py":
            path.symlink_to("a.py")
        else:
            path.write_text("" if name == "empty.py" else "let a = 1\n")
        assert mark(repo) != first, name
        path.unlink()
        assert mark(repo) == first
    write(repo, {"big.py": "x" * 5000})
    small = mark(repo, max_file_bytes=1000)
    write(repo, {"big.py": "y" * 5000})
    assert mark(repo, max_file_bytes=1000) == small
    write(repo, {"big.py": "y" * 5001})
    assert mark(repo, max_file_bytes=1000) != small
    (repo / "big.py").unlink()
    write(repo, {"LICENSE": "The ISC License. distribute this software for any purpose with or without fee is "
                 "hereby granted, provided that"})  # fmt: skip
    assert mark(repo) != first
    write(repo, {"LICENSE": "nothing known"})
    assert mark(repo) == first
    head = mark(repo, revision="HEAD")
    write(repo, {"a.py": "print('other')\n"})
    assert mark(repo) != first
    assert mark(repo, revision="HEAD") == head
    git(repo, "commit", "-q", "-a", "-m", "x")
    assert mark(repo, revision="HEAD") != head


def test_fingerprint_is_of_contents_not_of_the_place(tmp_path):
    repo = repository(tmp_path / "demo", {"a.py": HELLO})
    shutil.copytree(repo, tmp_path / "elsewhere" / "demo")
    assert mark(repo) == mark(tmp_path / "elsewhere" / "demo")


def test_standard_library_is_the_default(tmp_path):
    from codekiln.corpus.sources.listing import list_sources

    (listing,) = list_sources(SourceConfig())
    paths = {candidate.path for candidate in listing.candidates}
    assert {"argparse.py", "json/decoder.py", "venv/__init__.py"} <= paths
    assert not [
        path for path in paths if "site-packages" in path or path.startswith("test/") or "tests/" in path
    ]
    assert listing.source.license.licenses == ("PSF-2.0",)
    assert listing.source.root == os.path.realpath(sysconfig.get_path("stdlib"))
    assert "/" not in listing.source.repo


def test_languages_can_be_selected(tmp_path):
    folder = write(tmp_path / "x", {"a.py": HELLO, "b.c": "int x;\n", "run": "#!/bin/sh\necho\n"})
    out = sources(tmp_path, folder, languages=("c",))
    assert set(rows(out / "files")) == {"b.c"}
    assert reasons(out / "skipped") == {"a.py": "language not selected", "run": "language not selected"}


def test_rows_are_sorted_and_shards_do_not_depend_on_workers_or_a_kill(tmp_path, monkeypatch):
    import codekiln.corpus.sources.stage as module

    monkeypatch.setattr(module, "BATCH_BYTES", 8000)
    one = repository(tmp_path / "b-repo", {f"m{n:02d}.py": program(n) for n in range(12)})
    two = write(tmp_path / "a-folder", {f"x/{n}.py": program(100 + n) for n in range(8)})
    first = sources(tmp_path / "one", one, two)
    files = Dataset.open(first / "files")
    assert len(files.shard_paths) > 3
    keys = [(row["repo"], row["path"]) for row in files.rows(["repo", "path"])]
    assert keys == sorted(keys)
    assert len(keys) == 20
    again = sources(tmp_path / "two", one, two, workers=2)
    assert Dataset.open(again / "files").content_hash == files.content_hash

    # killed half-way: the finished folder goes back to a partial one that lacks a shard
    made = []
    real = module.reading.read
    monkeypatch.setattr(module.reading, "read", lambda batch: _fail_after(made, batch, real))
    with pytest.raises(KeyboardInterrupt):
        sources(tmp_path / "three", one, two)
    assert (tmp_path / "three/sources/files.partial").exists()
    monkeypatch.setattr(module.reading, "read", real)
    resumed = sources(tmp_path / "three", one, two)
    assert Dataset.open(resumed / "files").content_hash == files.content_hash
    assert not (tmp_path / "three/sources/files.partial").exists()


def _fail_after(made, batch, real):
    if len(made) == 2:
        raise KeyboardInterrupt
    made.append(batch)
    return real(batch)
