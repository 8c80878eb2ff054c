"""Commits as a kind of source: real histories in, rows of message, before and after out, every drop with its reason."""

from __future__ import annotations

import itertools
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from corpus_kit import git, program, repository, write
from hypothesis import given, settings
from hypothesis import strategies as st

from codekiln.corpus.build import build_corpus
from codekiln.corpus.config import CorpusConfig, SourceConfig
from codekiln.corpus.explain import explain
from codekiln.corpus.shown import shows
from codekiln.corpus.sources.gitcommands import Repository
from codekiln.corpus.sources.history import Commit, read_commits
from codekiln.corpus.sources.limits import LIMITS, is_bot, with_limits
from codekiln.corpus.sources.linediff import changes, windows
from codekiln.corpus.sources.messages import message_of
from codekiln.corpus.sources.stage import build_sources
from codekiln.corpus.sources.texts import Piece, commit_text, fenced, parse_commit
from codekiln.errors import UserError
from codekiln.shards import Dataset, LocalExecutor

GOOD = "Return early when the list of orders is empty"


def change(
    folder: Path,
    files: dict[str, str | bytes | None],
    message: str | bytes = GOOD,
    *,
    author: str = "Ada",
    when: int = 0,
) -> str:
    """Commit changed files (None deletes one) and return the commit's id."""
    for name, content in files.items():
        if content is None:
            git(folder, "rm", "-q", name)
        else:
            write(folder, {name: content})
    git(folder, "add", "-A", "-f")
    raw = message.encode() if isinstance(message, str) else message
    (folder / ".git" / "MESSAGE").write_bytes(raw)
    date = f"@{1_700_000_000 + when} +0000"
    environment = os.environ | {
        "GIT_AUTHOR_NAME": author, "GIT_AUTHOR_EMAIL": "ada@example.org", "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@example.org", "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date,
        "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull,
    }  # fmt: skip
    subprocess.run(
        ["git", "commit", "-q", "--allow-empty", "--allow-empty-message", "--cleanup=verbatim", "-F", ".git/MESSAGE"],
        cwd=folder, env=environment, check=True, capture_output=True,
    )  # fmt: skip
    return git(folder, "rev-parse", "HEAD")


def read(
    tmp_path: Path, *paths: Path, workers: int = 1, **settings: Any
) -> tuple[dict[str, Any], dict[str, str]]:
    """(rows by path, reasons by path) of a build of sources."""
    out = tmp_path / f"out{len(list(tmp_path.glob('out*')))}"
    config = SourceConfig(paths=tuple(map(str, paths)), **({"kinds": ("files", "commits")} | settings))
    build_sources(out, config, seed=0, executor=LocalExecutor(workers))
    rows = {row["path"]: row for row in Dataset.open(out / "files").rows()}
    return rows, {row["path"]: row["reason"] for row in Dataset.open(out / "skipped").rows()}


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A repository with one commit of each sort; name -> id."""
    folder = tmp_path_factory.mktemp("history") / "shop"
    base = program(1, 30)
    repository(folder, {"a.py": base, "b.py": program(2), "LICENSE": "MIT License\n", "data.bin": b"\0\1"})
    ids = {"root": git(folder, "rev-parse", "HEAD")}
    lines = base.split("\n")
    lines[60] = "    limit = 41  # of the shop"
    ids["good"] = change(
        folder, {"a.py": "\n".join(lines)}, GOOD + "\n\nIt was slow.\n\nSigned-off-by: Ada <a@b.org>\n"
    )
    ids["two files"] = change(folder, {"a.py": base, "b.py": program(2) + "\n\nDONE = True\n"})
    ids["short"] = change(folder, {"a.py": base + "x = 1\n"}, "fix it")
    ids["trivial"] = change(folder, {"a.py": base + "x = 2\n"}, "Can't you see I'm updating the time?")
    ids["bot"] = change(folder, {"a.py": base + "x = 3\n"}, author="dependabot[bot]")
    ids["revert"] = change(folder, {"a.py": base + "x = 2\n"}, 'Revert "Return early when it is empty"')
    ids["binary"] = change(folder, {"data.bin": b"\0\2\3"})
    ids["white"] = change(folder, {"a.py": (base + "x = 2\n").replace("    ", "\t")})
    ids["moved"] = change(folder, {"b.py": None, "lib/b.py": program(2) + "\n\nDONE = True\n"})
    ids["moved and changed"] = change(
        folder, {"lib/b.py": None, "lib/core/b.py": program(2) + "\n\nDONE = False\n"}
    )
    ids["added"] = change(folder, {"new.py": program(3)})
    ids["many"] = change(folder, {f"m{n}.py": f"x = {n}\n" for n in range(300)})
    ids["many changed"] = change(folder, {f"m{n}.py": f"x = {n + 1}\n" for n in range(300)})
    ids["rewritten"] = change(folder, {"a.py": program(9, 40)})
    ids["generated"] = change(folder, {"package-lock.json": "{}\n"})
    ids["generated again"] = change(folder, {"package-lock.json": '{"a": 1}\n'})
    ids["latin"] = change(
        folder, {"new.py": program(3) + "y = 1\n"}, "Größe der Bestellung prüfen wir jetzt".encode("latin-1")
    )
    ids["no message"] = change(folder, {"new.py": program(3) + "y = 2\n"}, "")
    ids["empty"] = change(folder, {})
    ids["secret"] = change(folder, {"new.py": program(3) + "mail = 'ada.lovelace@engine.org'\ny = 3\n"})
    ids["wide"] = change(folder, {"new.py": program(3) + f"y = '{'word ' * 300}'\n"})
    git(folder, "checkout", "-q", "-b", "side", ids["good"])
    change(folder, {"side.py": program(5)})
    git(folder, "checkout", "-q", "main")
    git(folder, "merge", "-q", "--no-ff", "-m", "Take in the work on the side of it", "side")
    ids["merge"] = git(folder, "rev-parse", "HEAD")
    return folder, ids


def test_each_sort_of_commit(tmp_path: Path, history: tuple[Path, dict[str, str]]) -> None:
    folder, ids = history
    rows, skipped = read(tmp_path, folder)
    found = {name: skipped.get(f"commit/{one}", "row") for name, one in ids.items()}
    assert found == {
        "root": "commit: message too short",
        "good": "row",
        "two files": "row",
        "short": "commit: message too short",
        "trivial": "commit: message says nothing of the change",
        "bot": "commit: by a bot",
        "revert": "commit: a revert",
        "binary": "commit: unknown language",
        "white": "commit: changes white space alone",
        "moved": "commit: only adds, deletes or moves files",
        "moved and changed": "row",
        "added": "commit: only adds, deletes or moves files",
        "many": "commit: changes too many files",
        "many changed": "commit: changes too many files",
        "rewritten": "commit: too many changed lines",
        "generated": "commit: generated or minified by its name",
        "generated again": "commit: generated or minified by its name",
        "latin": "row",
        "no message": "commit: no message",
        "empty": "commit: changes no file",
        "wide": "commit: a line too long",
        "secret": "row",
        "merge": "commit: a merge",
    }
    row = rows[f"commit/{ids['good']}"]
    assert (row["kind"], row["language"], row["revision"]) == ("commit", "markdown", ids["good"])
    assert row["size"] == len(row["content"].encode())
    assert row["added_at"] == 1_700_000_000
    message, pieces = parse_commit(row["content"])
    assert message == GOOD + "\n\nIt was slow."
    assert [piece.path for piece in pieces] == ["a.py"]
    assert "limit = 41" in pieces[0].after
    assert "limit = 41" not in (pieces[0].before or "")
    assert pieces[0].after_lines == (29, 93)
    assert [piece.path for piece in parse_commit(rows[f"commit/{ids['two files']}"]["content"])[1]] == [
        "a.py",
        "b.py",
    ]
    (moved,) = parse_commit(rows[f"commit/{ids['moved and changed']}"]["content"])[1]
    assert (moved.old_path, moved.path) == ("lib/b.py", "lib/core/b.py")
    assert rows[f"commit/{ids['latin']}"]["content"].startswith("Größe der Bestellung")
    assert "REDACTED_EMAIL" in rows[f"commit/{ids['secret']}"]["content"]
    assert "lovelace" not in rows[f"commit/{ids['secret']}"]["content"]
    assert "a.py" in rows  # the files are read as ever


def test_only_commits_a_folder_a_language_other_limits(
    tmp_path: Path, history: tuple[Path, dict[str, str]]
) -> None:
    folder, ids = history
    rows, _ = read(tmp_path, folder, kinds=("commits",))
    assert {row["kind"] for row in rows.values()} == {"commit"}
    rows, _ = read(tmp_path, folder / "lib", kinds=("commits",))
    assert set(rows) == {f"commit/{ids['moved and changed']}"}
    with pytest.raises(UserError, match="language not selected"):
        read(tmp_path, folder, kinds=("commits",), languages=("rust",))
    rows, skipped = read(tmp_path, folder, limits={"commit_words_least": 1, "commit_files_most": 1})
    assert f"commit/{ids['short']}" in rows
    assert skipped[f"commit/{ids['two files']}"] == "commit: changes too many files"
    whole, _ = read(tmp_path, folder, limits={"commit_context": float("inf")})
    assert parse_commit(whole[f"commit/{ids['good']}"]["content"])[1][0].after_lines == (0, 0)
    with pytest.raises(UserError, match="did you mean commit_context"):
        read(tmp_path, folder, limits={"commit_contex": 1})


def test_the_default_reads_no_commit_and_says_when_there_is_no_repository(tmp_path: Path) -> None:
    folder = repository(tmp_path / "r", {"a.py": program(1)})
    change(folder, {"a.py": program(1) + "x = 1\n"})
    rows, _ = read(tmp_path, folder, kinds=("files",))
    assert set(rows) == {"a.py"}
    plain = write(tmp_path / "plain", {"a.py": program(1)})
    with pytest.raises(UserError, match="no source is a git repository"):
        read(tmp_path, plain)


def test_shallow_empty_and_damaged_repositories(tmp_path: Path, history: tuple[Path, dict[str, str]]) -> None:
    folder, ids = history
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth", "3", f"file://{folder}", str(shallow))
    rows, skipped = read(tmp_path, shallow)
    assert (
        skipped[f"commit/{ids['secret']}"] == "commit: changes too many files"
    )  # where the history is cut off
    assert skipped[f"commit/{ids['wide']}"] == "commit: a line too long"
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init", "-q")
    write(empty, {"a.py": program(1)})
    rows, skipped = read(tmp_path, empty)
    assert set(rows) == {"a.py"}
    assert skipped["commit/"] == "commit: the repository has none"
    damaged = tmp_path / "damaged"
    git(tmp_path, "clone", "-q", "--no-local", f"file://{folder}", str(damaged))
    packs = list((damaged / ".git/objects/pack").glob("*.pack"))
    loose = tmp_path / "pack"
    loose.write_bytes(packs[0].read_bytes())
    for pack in (damaged / ".git/objects/pack").iterdir():
        pack.chmod(0o644)
        pack.unlink()
    with open(loose, "rb") as stream:
        subprocess.run(["git", "unpack-objects", "-q"], cwd=damaged, stdin=stream, check=True)
    blob = git(damaged, "rev-parse", f"{ids['good']}:a.py")
    place = damaged / ".git/objects" / blob[:2] / blob[2:]
    place.chmod(0o644)
    place.write_bytes(b"broken")
    rows, skipped = read(tmp_path, damaged, kinds=("commits",))
    assert skipped[f"commit/{ids['good']}"] == "commit: corrupt or missing object"
    assert f"commit/{ids['moved and changed']}" in rows
    tree = git(damaged, "rev-parse", f"{ids['latin']}^{{tree}}")
    place = damaged / ".git/objects" / tree[:2] / tree[2:]
    place.chmod(0o644)
    place.write_bytes(b"broken")
    found = list(read_commits(Repository(str(damaged), str(damaged / ".git"), False), list(ids.values()), 10))
    broken = [one for one in found if isinstance(one, str)]
    assert ids["latin"] in broken
    assert len(broken) == 2  # it, and the one that is compared with it
    assert [one if isinstance(one, str) else one.id for one in found] == list(ids.values())


def test_nothing_of_the_repository_runs(tmp_path: Path) -> None:
    folder = repository(
        tmp_path / "r", {"a.py": program(1), ".gitattributes": "*.py diff=evil filter=evil\n"}
    )
    mark = tmp_path / "ran"
    for key in (
        "diff.external",
        "diff.evil.command",
        "diff.evil.textconv",
        "filter.evil.smudge",
        "core.fsmonitor",
    ):
        git(folder, "config", key, f"touch {mark}")
    git(folder, "config", "filter.evil.clean", "cat")
    git(folder, "config", "diff.orderFile", "/etc/hostname")
    git(folder, "config", "color.ui", "always")
    git(folder, "config", "diff.noprefix", "true")
    one = change(folder, {"a.py": program(1) + "x = 1\n"})
    mark.unlink(missing_ok=True)
    os.symlink("/etc/hostname", folder / "link.py")
    two = change(folder, {"a.py": program(1) + "x = 2\n"})
    (folder / "link.py").unlink()
    os.symlink("/etc/passwd", folder / "link.py")
    three = change(folder, {})
    mark.unlink(missing_ok=True)
    rows, skipped = read(tmp_path, folder)
    assert not mark.exists()
    assert "x = 1" in rows[f"commit/{one}"]["content"]
    assert "link" not in rows[f"commit/{two}"]["content"]
    assert skipped[f"commit/{three}"] == "commit: symlink"


def test_opt_outs_and_licences_hold_for_commits(tmp_path: Path) -> None:
    mit = "SPDX-License-Identifier: MIT"
    folder = repository(tmp_path / "shop", {"a.py": f"# {mit}\n" + program(1), "b.py": program(2)})
    one = change(folder, {"a.py": f"# {mit}\n" + program(1) + "x = 1\n"})
    two = change(folder, {"a.py": f"# {mit}\n" + program(1) + "x = 2\n", "b.py": program(2) + "x = 1\n"})
    three = change(folder, {"b.py": program(2) + "x = 2\n"})
    rows, _ = read(tmp_path, folder)
    assert (rows[f"commit/{one}"]["license_type"], rows[f"commit/{one}"]["licenses"]) == (
        "permissive",
        ["MIT"],
    )
    assert rows[f"commit/{two}"]["license_type"] == "no_license"
    refused = tmp_path / "refused"
    refused.write_text("shop:b.py\n")
    rows, skipped = read(tmp_path, folder, opt_out=str(refused))
    assert f"commit/{one}" in rows
    assert skipped[f"commit/{two}"] == skipped[f"commit/{three}"] == "opted out (shop:b.py)"


def test_a_corpus_of_files_and_commits(tmp_path: Path) -> None:
    """Commits pass every later stage, are no near copies of files, and show no held-out file."""
    folder = repository(tmp_path / "shop", {f"f{n}.py": program(n) for n in range(12)})
    ids = [
        change(folder, {f"f{n}.py": program(n) + f"\n\nVALUE = {n}\n"}, GOOD + f" {n}", when=n)
        for n in range(12)
    ]
    sources, corpus = tmp_path / "sources", tmp_path / "corpus"
    build_sources(
        sources, SourceConfig(paths=(str(folder),), kinds=("files", "commits")), seed=0, executor=None
    )
    build_corpus(corpus, sources, CorpusConfig(), seed=0, executor=None)
    rows = {row["path"]: row for row in Dataset.open(corpus / "decisions").rows()}
    held = {path for path, row in rows.items() if row["split"] == "heldout"}
    assert len(held) == 3
    assert not any(path.startswith("commit/") for path in held)
    for number, one in enumerate(ids):
        row = rows[f"commit/{one}"]
        if f"f{number}.py" in held:
            assert (row["reason"], row["detail"]) == ("shows_heldout", f"changes held-out shop:f{number}.py")
        else:
            assert row["split"] == "train"
    told = explain(sources, corpus, ids[0][:9])
    assert (told["kind"], told["path"]) == ("commit", f"commit/{ids[0]}")
    assert told["signals"]["generated"] is None


def test_a_text_that_shows_a_held_out_file_by_its_lines() -> None:
    from codekiln.corpus.shown import all_marks

    held = all_marks([program(1)])
    diff = "\n".join("+" + line for line in program(1).split("\n")[:20])
    assert "stand in held-out files" in shows("pull_request", "r", diff, set(), held)
    assert shows("pull_request", "r", program(2), set(), held) == ""
    assert shows("issue", "r", "", set(), held) == ""


def a_commit(message: str, author: str = "Ada", parents: int = 1) -> Commit:
    return Commit("1" * 40, parents, 0, author, "a@example.org", message.encode())


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("Handle an empty list of orders", ""),
        ("Add a test for it too.\n\nReviewed-by: X <x@y.z>", ""),
        ("Merge branch 'main' into side", "commit: a merge"),
        ("Reverted the change to the parser of it", "commit: a revert"),
        ("Undo it all for now\n\nThis reverts commit abc.", "commit: a revert"),
        ("Update README.md", "commit: message says nothing of the change"),
        ("WIP", "commit: message says nothing of the change"),
        ("x" * 10_001 + " a b c", "commit: message too long"),
        ("one two three", "commit: message too short"),
        (" \n\n ", "commit: no message"),
        ("Signed-off-by: A <a@b.c>", "commit: message too short"),
    ],
)  # fmt: skip
def test_messages(message: str, reason: str) -> None:
    assert message_of(a_commit(message), with_limits({}))[1] == reason


def test_bots() -> None:
    for name in (
        "dependabot[bot]",
        "renovate",
        "CLAassistant",
        "k8s-ci-robot",
        "my-linter",
        "foo-bot",
        "Jenkins Admin",
    ):
        assert is_bot(name), name
    for name in ("Ada Lovelace", "octocat", "", "Peter Talbot", "travers"):
        assert not is_bot(name), name


def test_every_limit_has_a_source() -> None:
    assert all(limit.origin and limit.says for limit in LIMITS)
    assert len({limit.name for limit in LIMITS}) == len(LIMITS)


line = st.text(alphabet="ab {}`\t", max_size=4)


@settings(max_examples=50)
@given(st.lists(line, max_size=30), st.lists(line, max_size=30))
def test_ranges_tell_all_that_changed(before: list[str], after: list[str]) -> None:
    at = other = 0
    for a, a_end, b, b_end in changes(before, after):
        assert before[at:a] == after[other:b]
        assert a < a_end or b < b_end
        assert a <= a_end
        assert b <= b_end
        at, other = a_end, b_end
    assert before[at:] == after[other:]


@settings(max_examples=50)
@given(st.lists(line, max_size=30), st.lists(line, max_size=30), st.integers(0, 5))
def test_windows_hold_all_that_changed(before: list[str], after: list[str], context: int) -> None:
    ranges = changes(before, after)
    wide = windows(ranges, len(before), len(after), context)
    for a, a_end, b, b_end in ranges:
        assert any(w[0] <= a and a_end <= w[1] and w[2] <= b and b_end <= w[3] for w in wide)
    assert all(one[1] < two[0] and one[3] < two[2] for one, two in itertools.pairwise(wide))


safe = st.text(alphabet="ab `\n:,", max_size=40)
name = st.from_regex(r"[a-z ]{0,5}[a-z]\.py", fullmatch=True)
pieces = st.lists(
    st.builds(
        lambda path, before, after, span: Piece(path, "python", before, after, "", span if before is not None else (0, 0), span),
        name, st.none() | safe, safe, st.just((0, 0)) | st.tuples(st.integers(1, 9), st.integers(1, 9)),
    ),
    min_size=1, max_size=4,
)  # fmt: skip


@settings(max_examples=50)
@given(st.from_regex(r"[a-zA-Z `:]{1,30}", fullmatch=True), pieces)
def test_a_commit_comes_back_from_its_text(message: str, made: list[Piece]) -> None:
    assert parse_commit(commit_text(message, made)) == (message, made)


def test_a_message_that_looks_like_a_file_stays_a_message() -> None:
    message = "Explain the form\n\nBefore a.py:\n\n```python\nx\n```"
    found, (piece,) = parse_commit(commit_text(message, [Piece("b.py", "python", "x = 1", "x = 2")]))
    assert (found.replace("\n Before", "\nBefore"), piece.path) == (message, "b.py")


@pytest.mark.parametrize(
    "text", ["a", " ", "(", "\n", '"', "=", "`", "a\n", "``` \n", "@a\n", "> \n", "x wrote:\n"]
)
def test_hostile_texts_take_linear_time(text: str) -> None:
    whole = text * (500_000 // len(text))
    start = time.perf_counter()
    fenced(whole, "x")
    lines = whole.split("\n")
    changes(lines, ["z", *lines, "y"])
    changes(lines[::2], lines)
    message_of(a_commit(whole), with_limits({}))
    assert time.perf_counter() - start < 3
