"""The rules of ignore files, against git itself."""

from __future__ import annotations

import os
import random
import re
import subprocess
import time

import pytest
from corpus_kit import git, write
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from codekiln.corpus.sources import folders, ignoring, walking


def ignored(lines, path):
    rules = ignoring.parse(lines if isinstance(lines, bytes) else lines.encode())
    return ignoring.verdict(rules, path.rstrip("/"), path.endswith("/"))


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.py", "a.py", True), ("*.py", "d/a.py", True), ("/*.py", "d/a.py", None), ("d/*.py", "d/a.py", True),
        ("d/*.py", "d/e/a.py", None), ("logs/", "logs/", True), ("logs/", "logs", None), ("a\\*b", "a*b", True),
        ("a\\*b", "axb", None), ("**/x", "x", True), ("**/x", "a/b/x", True), ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True), ("a/**", "a/x/y", True), ("a/**", "a", None), ("[!a-c].py", "d.py", True),
        ("[!a-c].py", "b.py", None), ("[]-]x", "]x", True), ("[[:digit:]]", "7", True), ("[a", "[a", None),
        ("a ", "a", True), ("a\\ ", "a ", True), ("\\#x", "#x", True), ("\\!x", "!x", True), ("# x", "# x", None),
        ("x\n!x", "x", False), ("!x\nx", "x", True), ("x\r\n", "x", True), ("a?c", "a/c", None), ("d/a?c", "d/abc", True),
        ("\ufeffx", "x", True), ("a\\", "a\\", None), ("a/[b/]c", "a//c", None), ("***", "x", True), ("/", "x", None),
        ("é?", "éa", True), ("a**c/d", "abbc/d", True), ("a**c/d", "ab/bc/d", None), ("**/a/**/b/*c", "x/a/a/b/b/xc", True),
    ],
)  # fmt: skip
def test_what_a_pattern_matches(pattern, path, expected):
    assert ignored(pattern, path) is expected


_LINE = st.lists(
    st.sampled_from(["*", "**", "/", "**/", "/**", "/**/", "?", "a", "b", "ab", ".py", "[ab]", "[!a]", "[^/b]", "\\a",
                     "[a-c]", "[[:alpha:]]", "[", "\\", "!", "#", " ", "a/b", "\\*", "[]a]", "[\\]]", "-", "[a-]"]),
    min_size=1, max_size=6,
).map("".join)  # fmt: skip
_PATH = st.lists(
    st.lists(st.sampled_from(["a", "b", "ab", ".py", "*", "!", "#", "-", "]"]), min_size=1, max_size=3).map("".join),
    min_size=1, max_size=4,
).map("/".join)  # fmt: skip


def _differs(line):
    """Stars next to a letter in a path pattern: releases of git disagree with each other and with its manual."""
    return "/" in line and re.search(r"[^/*]\*\*|\*\*[^/*]", line.removeprefix("!")) is not None


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ignore")
    git(folder, "init", "-q")
    git(folder, "config", "core.excludesFile", os.devnull)
    return folder


@settings(max_examples=120, deadline=None)
@given(
    lines=st.lists(_LINE, min_size=1, max_size=3), paths=st.lists(_PATH, min_size=1, max_size=12, unique=True)
)
def test_the_verdict_is_that_of_git(empty, lines, paths):
    assume(not any(map(_differs, lines)))
    (empty / ".gitignore").write_text("\n".join(lines))
    rules = ignoring.parse((empty / ".gitignore").read_bytes())
    done = subprocess.run(
        ["git", "check-ignore", "-z", "-v", "-n", "--stdin", "--no-index"],
        cwd=empty, input="\0".join(paths).encode(), capture_output=True, check=False,
    )  # fmt: skip
    fields = done.stdout.decode().split("\0")[:-1]
    for number, path in enumerate(paths):
        pattern = fields[4 * number + 2]
        expected = None if not fields[4 * number] else not pattern.startswith("!")
        folders = [path[: place.start()] for place in re.finditer("/", path)]
        found = any(ignoring.verdict(rules, folder, True) for folder in folders)  # all in one is ignored too
        assert (found or bool(ignoring.verdict(rules, path, False))) == bool(expected), (
            lines,
            path,
            expected,
        )


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 9 + "*b", "a" * 60), ("*a" * 100 + "*b", "a" * 255), ("**/a/" * 50 + "b", "a/" * 100 + "c"),
        ("*/" * 50 + "*a*a*a*b", "a/" * 100 + "a" * 200), ("*?" * 100 + "b", "a" * 255),
        ("**/*a*a*a/" * 40 + "b", "aaaaaaaaaaaaaa/" * 60 + "c"), ("*[ab]" * 60 + "c", "ab" * 127),
    ],
)  # fmt: skip
def test_no_pattern_takes_long(pattern, path):
    start = time.perf_counter()
    assert ignored(pattern, path) is None
    assert time.perf_counter() - start < 1.0


@given(st.binary(max_size=80), _PATH)
def test_any_bytes_are_rules(data, path):
    assert ignored(data, path) in (None, True, False)


@pytest.mark.parametrize("data", [b"x\n" * 10_001, b"#" * 300_000])
def test_an_ignore_file_that_is_too_large_closes_its_folder(tmp_path, data):
    write(tmp_path, {"d/.gitignore": data, "d/a.py": "a = 1\n", "b.py": "b = 1\n"})
    found, _ = walking.walk(tmp_path)
    assert [path for path, _ in found.files] == ["b.py"]
    assert found.skipped == [("d/", "its .gitignore: too many rules")]


_NAMES = ["a", "b", "ab", "a.py", "b.py", "#x", "!y", "[z]", "c d", "e ", "*s", "-", "A", "é", "\\q"]
_PARTS = ["*", "**", "/", "a", "b", "ab", "*.py", "?", "[ab]", "[!a]", "[^b]", "[a-c]", "[[:alpha:]]", "\\a", "\\#x", "#x",
          "\\!y", "!y", "\\[z\\]", "[z]", "c\\ d", "e\\ ", "e ", "\\*s", "-", "**/", "/**", "/**/", "é", "\\\\q", "[A-Z]",
          "[]-]", "[!]", " ", "\t", "\r"]  # fmt: skip


def _plant(draw, folder, depth=0):
    """A random tree of files in which most folders near the top have a .gitignore of their own."""
    for name in draw.sample(_NAMES, draw.randint(2, 5)):
        if depth < 3 and draw.random() < 0.5:
            (folder / name).mkdir()
            _plant(draw, folder / name, depth + 1)
        else:
            (folder / name).write_text("x")
    if draw.random() < (0.9, 0.4, 0.4, 0.4)[depth]:
        lines = []
        for _ in range(draw.randint(1, 5)):
            line = "".join(draw.choice(_PARTS) for _ in range(draw.randint(1, 4)))
            line = draw.choice(["", "", "/"]) + line + draw.choice(["", "", "/"])
            if not _differs(line):
                lines.append(draw.choice(["", "!"]) + line)
        (folder / ".gitignore").write_bytes("\n".join(lines).encode())


def test_nested_ignore_files_mean_what_they_mean_to_git(tmp_path):
    git(tmp_path, "init", "-q", "--bare", "store")
    taken = 0
    for seed in range(25):
        top = tmp_path / f"{seed}"
        top.mkdir()
        _plant(random.Random(seed), top)
        done = subprocess.run(
            ["git", f"--git-dir={tmp_path}/store", f"--work-tree={top}", "-c", "core.bare=false",
             "-c", f"core.excludesFile={os.devnull}", "ls-files", "-z", "--others", "--exclude-standard"],
            cwd=top, capture_output=True, check=True,
        )  # fmt: skip
        found, _ = walking.walk(top)
        assert sorted(path for path, _ in found.files) == sorted(done.stdout.decode().split("\0")[:-1])
        taken += sum(len(names) for _, _, names in os.walk(top)) - len(found.files)
    assert taken > 40


def test_an_inner_rule_takes_back_an_outer_one_below_a_broken_repository(tmp_path):
    write(tmp_path, {
        ".gitignore": "*.log\n/in/deep/no\n", "in/.git/HEAD": "nonsense", "in/.git/objects/x": "", "in/.git/refs/x": "",
        "in/.gitignore": "!keep.log\n", "in/keep.log": "1", "in/a.log": "1", "in/deep/no": "1", "in/deep/yes": "1",
        "in/deep/.git/HEAD": "nonsense",
    })  # fmt: skip
    found, repositories = folders.walk_folder(tmp_path)
    assert not repositories
    assert sorted(path for path, _ in found.files) == [
        ".gitignore",
        "in/.gitignore",
        "in/deep/yes",
        "in/keep.log",
    ]


@pytest.mark.parametrize("piece", ["a", "*a", "[!a]", "[:", "[[:alpha:]]", "**/", "é"])
def test_a_very_long_pattern_is_soon_read(piece):
    data = piece.encode() * (ignoring.MAX_BYTES // 6 // len(piece.encode()))
    start = time.process_time()
    rules = ignoring.parse(data)
    assert rules is not None
    assert all(ignoring.verdict(rules, path, False) is not True for path in ("b", "a/b"))
    assert time.process_time() - start < 4
