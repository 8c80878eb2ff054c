"""Repositories that are near copies as wholes: labelled forks against brute force, the keep rule, the column."""

from __future__ import annotations

import random
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from corpus_kit import commit, corpus, git, mutate, program, repository, sources, write

from codekiln.corpus import minhash, repositories
from codekiln.corpus.explain import explain
from codekiln.corpus.repositories import sketch_jaccard
from codekiln.corpus.whatif import what_if
from codekiln.shards import Dataset


def _fates(built):
    return {(row["repo"], row["path"]): row for row in Dataset.open(built / "decisions").rows()}


def _union(folder):
    return np.unique(
        np.concatenate([minhash.shingles(path.read_bytes()) for path in sorted(folder.glob("*.py"))])
    )


def test_forks_are_found_as_brute_force_finds_them(tmp_path):
    """Labelled: 16 repositories and their forks, in which files were edited, added, left out, renamed and joined."""
    draw = random.Random(3)
    folders = []
    for number in range(16):
        files = {f"m{n}.py": program(100 * number + n, 4) for n in range(6)}
        folders.append(write(tmp_path / f"r{number:02d}", files))
        for fork in range(3):
            copy = {f"new{draw.randrange(99)}_{name}": mutate(text, draw.choice([0, 0.004, 0.015]), fork)
                    for name, text in files.items()}  # fmt: skip
            if fork == 1:  # the same code, cut into files in another way
                copy = {"all.py": "\n".join(copy.values())}
            if fork == 2:
                copy.pop(min(copy))
                copy["more.py"] = program(5_000 + number, draw.randrange(1, 12))
            folders.append(write(tmp_path / f"r{number:02d}-fork{fork}", copy))
    source = sources(tmp_path, *folders)
    built = corpus(tmp_path, source, repository_jaccard=0.8, near_jaccard=1.0)
    group = {row["repo"]: row["repository_group"] for row in Dataset.open(built / "decisions").rows()}
    sets = [_union(folder) for folder in folders]
    near, met = set(), set()
    for one, two in combinations(range(len(folders)), 2):
        names = folders[one].name, folders[two].name
        if minhash.jaccard(sets[one], sets[two]) >= 0.8:
            near.add(names)
        if group[names[0]] and group[names[0]] == group[names[1]]:
            met.add(names)
    assert len(near) > 35
    assert len(met & near) >= 0.98 * len(near)
    # Groups hold also what is near only by way of a third repository; none of it is another one.
    same = {names for names in met if names[0][:3] == names[1][:3]}
    assert len(same) >= 0.98 * len(met)


def test_a_copy_goes_whole_with_its_reason_and_its_twin(tmp_path):
    files = {f"m{n}.py": program(n) for n in range(5)}
    write(tmp_path / "lib", {**files, "last.py": program(6, 2), "wide.py": "x = '" + "ab " * 400 + "'\n"})
    write(tmp_path / "a-fork", {name: mutate(text, 0.003, 4) for name, text in list(files.items())[:5]})
    (tmp_path / "a-fork" / "own.py").write_text("def own(value):\n    return value + 17\n")
    write(
        tmp_path / "other",
        {"x.py": program(70), "m1.py": files["m1.py"], "y.py": program(71), "z.py": program(72)},
    )
    source = sources(tmp_path, *(tmp_path / name for name in ("lib", "a-fork", "other")))
    built = corpus(tmp_path, source, repository_jaccard=0.6)
    found = _fates(built)
    fork = [row for (repo, _), row in found.items() if repo == "a-fork"]
    assert len(fork) == 6
    assert {row["reason"] for row in fork} == {"repository_duplicate"}
    assert {row["repository_group"] for (repo, _), row in found.items() if repo != "other"} == {"lib"}
    assert "repository a-fork is a near copy of lib (Jaccard of all word 5-grams 0." in fork[0]["detail"]
    assert "threshold 0.6, group of 2), which has" in fork[0]["detail"]
    # Files are compared as before in what is left; one copied file makes no copy of a repository.
    assert found["other", "m1.py"]["reason"] == "exact_duplicate"
    assert found["other", "m1.py"]["repository_group"] == ""
    assert found["lib", "wide.py"]["reason"] == "mean_line_length"
    told = explain(source, built, "a-fork:own.py")
    assert told["repository_twins"] == [{"repo": "lib", "kept": True}]
    assert explain(source, built, "lib:m0.py")["repository_twins"] == [{"repo": "a-fork", "kept": False}]
    assert explain(source, built, "other:x.py")["repository_twins"] == []
    # Looser rules let nothing of the copy in.
    loose = dict.fromkeys(("mean_line_length", "max_line_length", "encoded_run", "encoded_share"), 5_000.0)
    then = what_if(built, loose)
    assert then["gained"]["examples"] == ["lib:wide.py"]
    off = corpus(tmp_path / "off", source)
    assert {row["repository_group"] for row in Dataset.open(off / "decisions").rows()} == {""}
    assert not (off / "signatures").exists()
    assert Dataset.open(off / "bands").content_hash == Dataset.open(built / "bands").content_hash


@pytest.mark.parametrize(("keep", "kept"), [("complete", "big"), ("earliest", "old")])
def test_which_copy_is_kept(tmp_path, keep, kept):
    files = {f"m{n}.py": program(n) for n in range(6)}
    old = repository(tmp_path / "old", files, when=1_500_000_000)
    big = repository(tmp_path / "big", files, when=1_600_000_000)
    commit(big, {"more.py": program(50, 4)}, when=1_650_000_000)
    extra = write(tmp_path / "extra", {f"e{n}.py": program(80 + n) for n in range(3)})
    built = corpus(tmp_path, sources(tmp_path, old, big, extra), repository_jaccard=0.7, repository_keep=keep)
    found = _fates(built)
    assert {row["repository_group"] for (repo, _), row in found.items() if repo != "extra"} == {kept}
    detail = next(row["detail"] for row in found.values() if row["reason"] == "repository_duplicate")
    assert ("began 2017-07-14 to 2020-09-13" in detail) == (kept == "old")


def test_the_copy_under_a_permissive_licence_is_kept(tmp_path):
    files = {f"m{n}.py": program(n) for n in range(6)}
    write(tmp_path / "a", {**files, "more.py": program(50, 3)})
    write(tmp_path / "b", {**files, "pyproject.toml": '[project]\nlicense = "MIT"\n'})
    built = corpus(tmp_path, sources(tmp_path, tmp_path / "a", tmp_path / "b"), repository_jaccard=0.7)
    assert {row["repo"] for row in _fates(built).values() if row["kept"]} == {"b"}


def test_sketches_estimate_what_sets_say(monkeypatch):
    draw = np.random.default_rng(1)
    everything = draw.integers(0, 2**64, 50_000, np.uint64)
    for shared in (0, 20_000, 45_000):
        first, second = np.unique(everything[:47_500]), np.unique(everything[47_500 - shared :])
        exact = minhash.jaccard(first, second)
        assert sketch_jaccard(first, second) == pytest.approx(exact)
        monkeypatch.setattr(repositories, "SKETCH", 4_000)
        assert sketch_jaccard(first[:4_000], second[:4_000]) == pytest.approx(exact, abs=0.03)
        assert sketch_jaccard(first[:4_000], first[:4_000]) == 1
        monkeypatch.undo()
    assert sketch_jaccard(first[:0], second[:0]) == 0


def test_signatures_give_the_bands_of_files():
    texts = [program(1), "", "few words", program(2), program(2), ""]
    kinds = ["file", "file", "file", "file", "commit", "issue"]
    contents = pa.array(texts, pa.large_string())
    files = pa.table({"id": list("abcdef"), "kind": kinds, "content": contents})
    banded = repositories.band_table_of(repositories.signature_table(files))
    assert banded.equals(minhash.band_table(files))
    bands = banded["bands"].to_pylist()
    assert not set(bands[3]) & set(bands[4])


def test_commits_do_not_count_and_go_with_their_repository(tmp_path):
    files = {f"m{n}.py": program(n) for n in range(4)}
    lib, fork = repository(tmp_path / "lib", files), repository(tmp_path / "z-fork", files)
    # The code is the same in the end; the ways there are not.
    for folder, numbers in ((lib, range(20, 22)), (fork, range(30, 36))):
        for number in numbers:
            git(folder, "commit", "-q", "--allow-empty", "-m", "change")
            write(folder, {"m0.py": program(0) + program(number)})
            git(folder, "add", "-A")
            git(folder, "commit", "-q", "-m", f"Read the orders of shop {number} only once")
        commit(folder, {"m0.py": program(0)})
    write(tmp_path / "other", {f"o{n}.py": program(40 + n) for n in range(4)})
    source = sources(tmp_path, lib, fork, tmp_path / "other", kinds=("files", "commits"))
    built = corpus(tmp_path, source, repository_jaccard=0.8, heldout_minimum=1)
    fates = _fates(built)
    assert sum(path.startswith("commit/") for _, path in fates) == 8
    gone = {key for key, row in fates.items() if row["reason"] == repositories.REPOSITORY}
    assert gone == {key for key in fates if key[0] == "z-fork"}
    assert {row["repository_group"] for key, row in fates.items() if key[0] != "other"} == {"lib"}
    assert what_if(built, {})["total"]["now"] == what_if(built, {})["total"]["then"]


def test_the_same_for_any_order_of_sources(tmp_path, monkeypatch):
    monkeypatch.setattr("codekiln.corpus.sources.stage.BATCH_BYTES", 8_000)
    monkeypatch.setattr(repositories, "SKETCH", 500)
    folders = []
    for number in range(4):
        files = {f"m{n}.py": program(10 * number + n) for n in range(4)}
        folders.append(write(tmp_path / f"r{number}", files))
        folders.append(write(tmp_path / f"s{number}", {k: mutate(t, 0.002, 1) for k, t in files.items()}))
    hashes = set()
    for number, order in enumerate((folders, folders[::-1])):
        out = tmp_path / str(number)
        built = corpus(out, sources(out, *order), repository_jaccard=0.8)
        hashes.add(Dataset.open(built / "decisions").content_hash)
        assert sum(row["kept"] for row in Dataset.open(built / "decisions").rows()) == 16
    assert len(hashes) == 1
