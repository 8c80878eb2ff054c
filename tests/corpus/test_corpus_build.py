"""Deduplication, split and the corpus as a whole."""

from __future__ import annotations

import pytest
from corpus_kit import commit, corpus, git, mutate, plain_jaccard, program, repository, rows, sources, write
from hypothesis import given
from hypothesis import strategies as st
from license_kit import MIT

from codekiln.corpus import minhash, signals
from codekiln.corpus.build import build_corpus, summarize
from codekiln.corpus.config import CorpusConfig
from codekiln.corpus.explain import explain
from codekiln.corpus.split import Item, choose, heldout_count
from codekiln.errors import UserError
from codekiln.shards import Dataset, LocalExecutor


def test_short_files_are_only_compared_whole(tmp_path):
    folder = write(tmp_path / "x", {"a.py": "import os\n", "b.py": "import os\n", "c.py": "import  os\n"})
    write(folder, {f"m{n}.py": program(n) for n in range(4)})
    source = sources(tmp_path, folder)
    found = rows(corpus(tmp_path, source) / "decisions")
    assert {path: found[path]["reason"] for path in ("a.py", "b.py", "c.py")} == {
        "a.py": "", "b.py": "exact_duplicate", "c.py": "",
    }  # fmt: skip
    assert found["b.py"]["near_group"] == found["a.py"]["near_group"] == found["a.py"]["id"]
    assert found["c.py"]["near_group"] == ""


def test_the_permissive_copy_is_kept_then_the_first_by_name(tmp_path):
    text = program(5)
    closed = write(tmp_path / "a-closed", {"x.py": text, "LICENSE": "All rights reserved"})
    free = write(
        tmp_path / "z-free", {"b.py": text, "a.py": text, "pyproject.toml": '[project]\nlicense = "MIT"\n'}
    )
    more = write(tmp_path / "more", {f"m{n}.py": program(n + 50) for n in range(4)})
    built = corpus(tmp_path, sources(tmp_path, closed, free, more))
    found = {(r["repo"], r["path"]): r for r in Dataset.open(built / "decisions").rows()}
    assert found["z-free", "a.py"]["kept"]
    assert found["z-free", "b.py"]["detail"] == "same content as z-free:a.py"
    assert found["a-closed", "x.py"]["reason"] == "exact_duplicate"


@pytest.mark.parametrize(("seed", "comparisons"), [(0, 32), (1, 32), (1, 0)])
def test_no_near_copy_of_a_heldout_file_trains(tmp_path, monkeypatch, seed, comparisons):
    # With no comparisons at all nothing is grouped: what the grouping misses must not leak all the same.
    monkeypatch.setattr("codekiln.corpus.neardup.COMPARISONS", comparisons)
    files = {}
    for number in range(40):
        text = program(number, 8)
        files[f"a/m{number}.py"] = text
        files[f"b/m{number}.py"] = "# a note on top\n" + text.replace("\n", "\r\n")
        files[f"c/m{number}.py"] = mutate(text, 0.01, number)
        files[f"d/m{number}.py"] = text
    built = corpus(tmp_path, sources(tmp_path, write(tmp_path / "x", files)), seed=seed)
    train = [row["content"] for row in Dataset.open(built / "train").rows(["content"])]
    heldout = [row["content"] for row in Dataset.open(built / "heldout").rows(["content"])]
    assert not comparisons or 40 <= len(train) + len(heldout) <= 45
    assert len(heldout) >= 4
    assert all(plain_jaccard(one, two) < 0.7 for one in train for two in heldout)
    # No file is dropped as a copy outside a group, and each group has one kept file, whose id is its name.
    groups: dict[str, list[str]] = {}
    for row in Dataset.open(built / "decisions").rows():
        assert row["near_group"] or "duplicate" not in row["reason"]
        if row["near_group"]:
            groups.setdefault(row["near_group"], []).extend([row["id"]] if row["kept"] else [])
    assert all(kept == [name] for name, kept in groups.items())


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (2, 1),
        (3, 2),
        (4, 3),
        (5, 3),
        (30, 3),
        (35, 4),
        (99, 10),
        (100, 20),
        (199, 20),
        (200, 20),
        (250, 25),
        (1000, 100),
    ],
)
def test_heldout_sizes(files, expected):
    assert heldout_count(files, CorpusConfig()) == expected


def test_too_few_files_to_split(tmp_path):
    with pytest.raises(UserError, match="no files left"):
        heldout_count(0, CorpusConfig())
    with pytest.raises(UserError, match="only one file is left"):
        heldout_count(1, CorpusConfig())
    one = sources(tmp_path / "one", write(tmp_path / "a", {"a.py": program(1)}))
    with pytest.raises(UserError, match="only one file is left"):
        corpus(tmp_path / "one", one)
    none = sources(tmp_path / "none", write(tmp_path / "b", {"a.py": "1 + 1\n" * 9}))
    with pytest.raises(UserError, match="no files left"):
        corpus(tmp_path / "none", none)


@given(st.integers(2, 300), st.integers(0, 5), st.randoms(use_true_random=False))
def test_the_split_depends_on_names_and_seed_alone(count, seed, draw):
    items = [Item("r", f"{n}.py") for n in range(count)]
    chosen = {items[n].path for n in choose(items, CorpusConfig(), seed)}
    assert len(chosen) == heldout_count(count, CorpusConfig())
    shuffled = items[:]
    draw.shuffle(shuffled)
    assert {shuffled[n].path for n in choose(shuffled, CorpusConfig(), seed)} == chosen


def test_another_seed_is_another_split():
    items = [Item("r", f"{n}.py") for n in range(300)]
    assert choose(items, CorpusConfig(), 0) != choose(items, CorpusConfig(), 1)


def test_split_by_time_holds_out_what_came_last(tmp_path):
    repo = repository(tmp_path / "demo", {f"old{n}.py": program(n) for n in range(7)}, when=1_600_000_000)
    commit(repo, {f"new{n}.py": program(100 + n) for n in range(3)}, when=1_700_000_000)
    commit(repo, {"old0.py": program(0) + "\nedited = 1\n"}, when=1_710_000_000)
    built = corpus(tmp_path, sources(tmp_path, repo), split="time")
    assert set(rows(built / "heldout")) == {"new0.py", "new1.py", "new2.py"}
    write(repo, {"untracked.py": program(999)})
    with pytest.raises(UserError, match=r"demo:untracked\.py has none"):
        corpus(tmp_path / "2", sources(tmp_path / "2", repo), split="time")


@pytest.fixture
def project(tmp_path):
    """A repository with one file for every fate."""
    files: dict[str, str | bytes] = {f"src/m{n:02d}.py": program(n) for n in range(30)}
    files |= {
        "LICENSE": MIT,
        "src/copy.py": program(3),
        "src/near.py": program(4).replace("Module 4", "Module four, again"),
        "src/wide.py": ("word " * 30 + "\n") * 5,
        "src/tokens.py": program(77) + "x = '<|endoftext|>'\n",
        "vendor/v.py": program(500),
        "logo.png": b"\x89PNG\0",
    }
    return repository(tmp_path / "demo", files)


def test_summary(tmp_path, project):
    source = sources(tmp_path, project)
    built = corpus(tmp_path, source)
    found = summarize(source, built)
    funnel = {name: value["files"] for name, value in found["funnel"].items()}
    assert funnel == {
        "candidates": 37, "skipped": 3, "read": 34, "dropped": 3, "kept": 31, "train": 28, "heldout": 3,
    }  # fmt: skip
    for value in ("files", "bytes"):
        of = {name: row[value] for name, row in found["funnel"].items()}
        assert of["candidates"] == of["skipped"] + of["read"]
        assert of["read"] == of["dropped"] + of["kept"]
        assert of["kept"] == of["train"] + of["heldout"]
    assert {row["reason"]: row["files"] for row in found["drops"]} == {
        "exact_duplicate": 1, "near_duplicate": 1, "mean_line_length": 1,
    }  # fmt: skip
    assert found["drops"][0]["examples"]
    assert found["licenses"] == [
        {"license": "MIT", "license_type": "permissive", "evidence": "LICENSE: MIT (text, 1.00)", "files": 28,
         "bytes": found["funnel"]["train"]["bytes"]}
    ]  # fmt: skip
    assert found["languages"][0]["language"] == "python"
    assert found["languages"][0]["kept_files"] == 31
    assert found["control_tokens"] == 1
    assert len(found["provenance"]) == 28
    assert found["provenance"][0]["revision"] == git(project, "rev-parse", "HEAD")
    assert str(tmp_path) not in str(found)


def test_explain(tmp_path, project):
    source = sources(tmp_path, project)
    built = corpus(tmp_path, source)
    wide = explain(source, built, "src/wide.py")
    assert wide["status"] == "dropped"
    assert wide["reason"] == "mean_line_length"
    assert wide["detail"] == "mean line length 150 > 100 (StarCoder2, DeepSeek-Coder)"
    rules = {rule["name"]: rule for rule in wide["rules"]}
    assert rules["mean_line_length"]["fired"]
    assert rules["mean_line_length"]["threshold"] == 100
    assert not rules["html_visible_share"]["applies"]
    assert wide["license"] == {
        "licenses": ["MIT"],
        "type": "permissive",
        "evidence": "LICENSE: MIT (text, 1.00)",
    }
    near = explain(source, built, "demo:src/near.py")
    assert near["reason"] == "near_duplicate" or near["status"] != "dropped"
    pair = {near["path"]: near, "src/m04.py": explain(source, built, "m04.py")}
    assert [twin["path"] for twin in pair["src/m04.py"]["twins"]] == ["src/near.py"]
    assert (
        explain(source, built, "src/m03.py")["twins"] == [] or explain(source, built, "src/copy.py")["twins"]
    )
    assert explain(source, built, "logo.png") == {
        "status": "skipped", "repo": "demo", "path": "logo.png", "reason": "binary", "size": 5,
    }  # fmt: skip
    assert explain(source, built, "vendor/v.py")["reason"] == "vendored or built folder"
    assert explain(source, built, "src/tokens.py")["signals"]["control_tokens"] == 1
    with pytest.raises(UserError, match=r"no file nothing\.py was looked at"):
        explain(source, built, "nothing.py")


def test_overrides_reach_decisions_and_explain(tmp_path, project):
    source = sources(tmp_path, project)
    built = corpus(tmp_path, source, rules={"mean_line_length": 200})
    assert rows(built / "decisions")["src/wide.py"]["kept"]
    rules = {rule["name"]: rule for rule in explain(source, built, "src/wide.py")["rules"]}
    assert rules["mean_line_length"]["threshold"] == 200
    with pytest.raises(UserError, match="no rule is called"):
        corpus(tmp_path / "2", source, rules={"nonsense": 1})


def test_same_bytes_for_any_workers_and_after_a_kill(tmp_path, monkeypatch):
    import codekiln.corpus.sources.stage as module

    monkeypatch.setattr(module, "BATCH_BYTES", 20_000)
    folder = write(tmp_path / "x", {f"m{n:02d}.py": program(n % 35) for n in range(40)})
    source = sources(tmp_path, folder)
    assert len(Dataset.open(source / "files").shard_paths) > 2
    names = ("signals", "bands", "decisions", "train", "heldout")

    def hashes(out):
        return {name: Dataset.open(out / name).content_hash for name in names}

    first = hashes(corpus(tmp_path / "1", source))
    assert hashes(corpus(tmp_path / "2", source, workers=2)) == first
    # as a kill leaves it: one stage half done, the later ones not there
    out = corpus(tmp_path / "3", source)
    monkeypatch.setattr(minhash, "signatures", _interrupted(minhash.signatures, after=1))
    with pytest.raises(KeyboardInterrupt):
        build_corpus(out.with_name("4"), source, CorpusConfig(), seed=0, executor=LocalExecutor(1))
    assert (out.with_name("4") / "bands.partial").exists()
    monkeypatch.undo()
    build_corpus(out.with_name("4"), source, CorpusConfig(), seed=0, executor=LocalExecutor(1))
    assert hashes(out.with_name("4")) == first


def _interrupted(function, after):
    calls = []

    def call(*arguments):
        calls.append(1)
        if len(calls) > after:
            raise KeyboardInterrupt
        return function(*arguments)

    return call


def test_a_file_that_a_measure_fails_on_costs_itself(tmp_path, monkeypatch):
    measure = signals.measure

    def poisoned(path, language, data, text, rulesets):
        if "venom" in text:
            raise RecursionError("too deep")
        return measure(path, language, data, text, rulesets)

    files = {f"m{number}.py": program(number) for number in range(8)} | {"LICENSE": MIT}
    files |= {
        "v.py": program(51) + "venom",
        "g.py": f"# SPDX-License-Identifier: GPL-3.0-only\n{program(52)}venom",
    }
    source = sources(tmp_path, write(tmp_path / "x", files))
    with monkeypatch.context() as patch:
        patch.setattr(signals, "measure", poisoned)
        built = corpus(tmp_path, source, licenses="permissive")
    found = rows(built / "decisions")
    dropped = {path: (row["reason"], row["detail"]) for path, row in found.items() if not row["kept"]}
    assert dropped == dict.fromkeys(("v.py", "g.py"), ("unmeasured", "signals: too deep"))
    assert explain(source, built, "v.py")["detail"] == "signals: too deep"
    # The next build of the same takes the others over and measures it again.
    build_corpus(tmp_path / "mended", source, CorpusConfig(), seed=0, executor=None, earlier=built)
    assert all(row["kept"] for row in rows(tmp_path / "mended" / "decisions").values())
