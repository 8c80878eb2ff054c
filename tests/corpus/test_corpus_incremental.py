"""Adding sources pays for what is new, and gives the same bytes as a build of everything from nothing."""

from __future__ import annotations

import json
import shutil
import time
from contextlib import suppress

import pytest
from corpus_kit import commit, mutate, program, repository, tar, write
from test_corpus_commits import change
from test_corpus_conversations import comment, issue, packed
from test_corpus_kaggle import KAGGLE, MORE, READ
from test_corpus_notebooks import code, notebook

from codekiln.corpus import minhash, signals
from codekiln.corpus.build import build_corpus
from codekiln.corpus.config import CorpusConfig, SourceConfig
from codekiln.corpus.sources import commits, conversations, pieces, reading, stage
from codekiln.corpus.sources.stage import build_sources
from codekiln.errors import UserError
from codekiln.pipeline.runner import folder_files
from codekiln.shards import Dataset, LocalExecutor

_TOKEN = "ghp_" + "Zx8Kq2Lm5Np9Rt3Vw7Yb1Cd4Ef6Gh0JkLmNp"


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(stage, "BATCH_BYTES", 12_000)


@pytest.fixture
def read(monkeypatch):
    """Paths that were read and judged, in order."""
    seen: list[str] = []
    judge = reading.judge

    def noting(path, data, limit):
        seen.append(path)
        return judge(path, data, limit)

    monkeypatch.setattr(reading, "judge", noting)
    return seen


def _everything(tmp_path):
    """A folder, a repository, a revision's archive and a table, with secrets, copies and files that are skipped."""
    folder = write(tmp_path / "b-folder", {f"m{n}.py": program(n) for n in range(9)})
    write(
        folder, {"key.py": f'token = "{_TOKEN}"\n' + program(60), "data.bin": b"\0\1", "log.xyz": "words\n"}
    )
    repo = repository(tmp_path / "d-repo", {f"r{n}.py": program(20 + n) for n in range(4)})
    write(repo, {"untracked.py": mutate(program(3), 0.01, 1), "LICENSE": "MIT"})
    archive = tar(
        tmp_path / "f-1.0.tar.gz",
        [(f"f-1.0/{n}.py", program(40 + n).encode()) for n in range(4)] + [("f-1.0/bad.py", b"\xff\xfe\0")],
        "w:gz",
    )
    table = tmp_path / "t.jsonl"
    lines = [{"content": program(50 + n), "path": f"{n}.py", "repo_name": "x/y"} for n in range(3)]
    table.write_text("".join(json.dumps(line) + "\n" for line in lines))
    time.sleep(0.03)  # older than the build by more than a tick of the file system's clock
    return [folder, repo, archive, table]


def _added(tmp_path):
    first = write(tmp_path / "a-first", {"one.py": program(80), "two.py": program(1), "x.bin": b"\0"})
    between = repository(tmp_path / "c-between", {"three.py": program(81), "four.py": program(82)})
    time.sleep(0.03)
    return [first, between]


def _sources(out, paths, earlier=None, **settings):
    config = SourceConfig(paths=tuple(map(str, paths)), **settings)
    build_sources(out, config, seed=0, executor=LocalExecutor(1), earlier=earlier)
    return out


def _corpus(out, sources, earlier=None, **settings):
    build_corpus(out, sources, CorpusConfig(**settings), seed=0, executor=LocalExecutor(1), earlier=earlier)
    return out


def test_added_sources_alone_are_read_and_measured(tmp_path, read, monkeypatch):
    old, new = _everything(tmp_path), _added(tmp_path)
    first = _sources(tmp_path / "1", old)
    _corpus(tmp_path / "1c", first)
    read.clear()
    measured: list[str] = []
    measure = signals.measure
    monkeypatch.setattr(signals, "measure", lambda path, *rest: measured.append(path) or measure(path, *rest))
    banded: list[bytes] = []
    real = minhash.signatures
    monkeypatch.setattr(minhash, "signatures", lambda texts: banded.extend(texts) or real(texts))
    grown = _sources(tmp_path / "2", [*new, *old], first)
    grown_corpus = _corpus(tmp_path / "2c", grown, tmp_path / "1c")
    assert sorted(set(read)) == ["four.py", "one.py", "three.py", "two.py", "x.bin"]
    assert sorted(measured) == ["four.py", "one.py", "three.py", "two.py"]
    assert len(banded) == 4
    scratch = _sources(tmp_path / "3", [*new, *old])
    assert folder_files(grown) == folder_files(scratch)
    assert folder_files(grown_corpus) == folder_files(_corpus(tmp_path / "3c", scratch))
    counters = Dataset.open(grown / "files").manifest.counters
    assert sum(number for name, number in counters.items() if name.startswith(reading.REDACTED)) == 1
    assert len(Dataset.open(grown / "files").shard_paths) > 3


def test_sources_that_changed_or_went_are_made_anew(tmp_path, read):
    folder, repo, archive, table = _everything(tmp_path)
    first = _sources(tmp_path / "1", [folder, repo, archive, table])
    _corpus(tmp_path / "1c", first)
    commit(repo, {"r0.py": program(90)}, when=1_710_000_000)
    write(folder, {"m0.py": program(91), "log.xyz": "other words\0\n"})
    time.sleep(0.03)
    read.clear()
    changed = _sources(tmp_path / "2", [folder, repo, table], first)
    # Of the folder only the piece with the changed file, of the repository all: its rows name the commit.
    assert {path for path in read if path.startswith("r")} == {f"r{n}.py" for n in range(4)}
    assert "m0.py" in read
    assert "m8.py" not in read
    scratch = _sources(tmp_path / "3", [folder, repo, table])
    assert folder_files(changed) == folder_files(scratch)
    built = _corpus(tmp_path / "2c", changed, tmp_path / "1c")
    assert folder_files(built) == folder_files(_corpus(tmp_path / "3c", scratch))


@pytest.mark.parametrize("settings", [{"redact": ()}, {"max_file_bytes": 1_300}])
def test_other_settings_read_all_again(tmp_path, settings):
    old = _everything(tmp_path)[:2]
    first = _sources(tmp_path / "1", old)
    _corpus(tmp_path / "1c", first)
    again = _sources(tmp_path / "2", old, first, **settings)
    scratch = _sources(tmp_path / "3", old, **settings)
    assert folder_files(again) == folder_files(scratch)
    assert folder_files(again) != folder_files(first)
    built = _corpus(tmp_path / "2c", again, tmp_path / "1c")
    assert folder_files(built) == folder_files(_corpus(tmp_path / "3c", scratch))


def test_a_revision_is_taken_over_without_asking_git_for_a_blob(tmp_path, monkeypatch):
    repo = repository(tmp_path / "repo", {f"r{n}.py": program(n) for n in range(3)})
    other = repository(tmp_path / "zother", {f"r{n}.py": program(9 + n) for n in range(3)})
    time.sleep(0.03)
    first = _sources(tmp_path / "1", [repo], revision="HEAD")
    asked: list[str] = []
    contents = reading.contents

    def noting(source, candidates, limit):
        asked.extend([source.repo] if candidates else [])
        return contents(source, candidates, limit)

    monkeypatch.setattr(reading, "contents", noting)
    grown = _sources(tmp_path / "2", [repo, other], first, revision="HEAD")
    assert set(asked) == {"zother"}
    assert folder_files(grown) == folder_files(_sources(tmp_path / "3", [repo, other], revision="HEAD"))


def test_a_damaged_earlier_build_is_not_believed(tmp_path):
    old = _everything(tmp_path)
    whole = folder_files(_sources(tmp_path / "3", old))
    first = _sources(tmp_path / "1", old)
    corpus = _corpus(tmp_path / "1c", first)
    right = folder_files(_corpus(tmp_path / "3c", first))
    for folder, made in ((first, "files"), (first, "skipped"), (corpus, "signals"), (corpus, "bands")):
        shard = sorted((folder / made).glob("*.parquet"))[-1]
        shutil.copy(sorted((folder / made).glob("*.parquet"))[0], shard)
    assert folder_files(_sources(tmp_path / "2", old, first)) == whole
    assert folder_files(_corpus(tmp_path / "2c", tmp_path / "3", corpus)) == right
    record = first / pieces.RECORD
    for text in ("{}", "[]", "no JSON", record.read_text().replace('"hash":"', '"hash":"0')):
        record.write_text(text)
        assert pieces.earlier_pieces(first) == {}
        shutil.rmtree(tmp_path / "2")
        assert folder_files(_sources(tmp_path / "2", old, first)) == whole


def test_a_file_that_changes_between_hashing_and_reading_is_not_taken_over(tmp_path, read):
    folder = write(tmp_path / "x", {f"m{n}.py": program(n) for n in range(3)})
    time.sleep(0.03)
    config = SourceConfig(paths=(str(folder),))
    found = stage.find(config)
    write(folder, {"m1.py": program(77)})
    build_sources(tmp_path / "1", config, seed=0, executor=None, found=found)
    write(folder, {"m1.py": program(1)})  # as it was when it was hashed
    time.sleep(0.03)
    read.clear()
    again = _sources(tmp_path / "2", [folder], tmp_path / "1")
    assert "m1.py" in read
    assert folder_files(again) == folder_files(_sources(tmp_path / "3", [folder]))


def test_a_killed_incremental_build_goes_on_to_the_same_bytes(tmp_path, monkeypatch):
    old, new = _everything(tmp_path), _added(tmp_path)
    first = _sources(tmp_path / "1", old)
    corpus = _corpus(tmp_path / "1c", first)
    scratch = _sources(tmp_path / "3", [*old, *new])
    right = folder_files(scratch), folder_files(_corpus(tmp_path / "3c", scratch))
    for after in (0, 3, 7):
        out = tmp_path / f"k{after}"
        for owner, name in ((pieces, "write_bytes"), (signals, "counted"), (minhash, "counted")):
            function, calls = getattr(owner, name), []

            def killed(*arguments, function=function, calls=calls, after=after):
                calls.append(1)
                if len(calls) > after:
                    raise KeyboardInterrupt
                return function(*arguments)

            monkeypatch.setattr(owner, name, killed)
            try:
                _sources(out, [*old, *new], first)
                _corpus(out.with_name(out.name + "c"), out, corpus)
            except KeyboardInterrupt:
                pass
            finally:
                monkeypatch.setattr(owner, name, function)
        _sources(out, [*old, *new], first)
        built = _corpus(out.with_name(out.name + "c"), out, corpus)
        assert (folder_files(out), folder_files(built)) == right


def test_commits_and_conversations_are_taken_over_notebooks_measured_anew(tmp_path, monkeypatch):
    repo = repository(tmp_path / "d-repo", {f"r{n}.py": program(20 + n) for n in range(4)})
    for number in range(3):
        change(repo, {f"r{number}.py": program(20 + number) + program(70 + number)})
    change(repo, {"r3.py": program(76)}, "fix it")
    talk = packed(
        tmp_path / "talk.jsonl", [issue(1), comment(1, "bob", "I see it too."), issue(2, body="No.")]
    )
    folder = write(tmp_path / "k", {"a.ipynb": notebook(code(READ), code(MORE), **KAGGLE)})
    write(folder, {"kernel-metadata.json": "{}", "dataset-metadata.json": '{"title": "Orders"}'})
    new = write(tmp_path / "a-new", {"one.py": program(80), "two.py": program(81)})
    time.sleep(0.03)
    kinds = ("files", "commits", "issues")
    first = _sources(tmp_path / "1", [repo, talk, folder], kinds=kinds)
    _corpus(tmp_path / "1c", first)
    scratch = _sources(tmp_path / "3", [repo, talk, folder, new], kinds=kinds)
    other = _sources(tmp_path / "4", [repo, talk, folder], kinds=kinds, limits={"commit_context": 3})
    write(folder, {"dataset-metadata.json": '{"title": "Orders of a very small shop"}'})
    scratch_other = _sources(tmp_path / "5", [repo, talk, folder], kinds=kinds)
    asked: list[str] = []
    for module in (commits, conversations):
        monkeypatch.setattr(module, "read", lambda batch: asked.append("read"))
    grown = _sources(tmp_path / "6", [repo, talk, folder], first, kinds=kinds)
    assert asked == []
    assert folder_files(grown) == folder_files(scratch_other)
    built = _corpus(tmp_path / "6c", grown, tmp_path / "1c")
    assert folder_files(built) == folder_files(_corpus(tmp_path / "5c", scratch_other))
    write(folder, {"dataset-metadata.json": '{"title": "Orders"}'})
    grown = _sources(tmp_path / "7", [repo, talk, folder, new], first, kinds=kinds)
    assert asked == []
    assert folder_files(grown) == folder_files(scratch)
    monkeypatch.undo()
    monkeypatch.setattr(stage, "BATCH_BYTES", 12_000)
    again = _sources(tmp_path / "8", [repo, talk, folder], first, kinds=kinds, limits={"commit_context": 3})
    assert folder_files(again) == folder_files(other)
    assert {row["kind"] for row in Dataset.open(grown / "files").rows(["kind"])} == {
        "file", "notebook script", "commit", "issue"
    }  # fmt: skip


@pytest.mark.parametrize("settings", [{"rulesets": ("opencoder",)}, {"parse": "on"}])
def test_what_was_measured_otherwise_is_measured_again(tmp_path, settings):
    source = _sources(tmp_path / "1", _everything(tmp_path)[:1])
    first = _corpus(tmp_path / "1c", source)
    for out, earlier in (("2c", first), ("3c", None)):
        with suppress(UserError):  # OpenCoder's rules leave none of these files
            _corpus(tmp_path / out, source, earlier, **settings)
    again = folder_files(tmp_path / "2c" / "signals")
    assert again == folder_files(tmp_path / "3c" / "signals")
    assert again != folder_files(first / "signals")
