"""The split by time, builds that end without a corpus, and what `explain` says of them."""

from __future__ import annotations

import shutil

import pytest
from corpus_kit import commit, corpus, git, program, repository, rows, sources, write
from hypothesis import given
from hypothesis import strategies as st

from codekiln.corpus.build import build_corpus
from codekiln.corpus.config import CorpusConfig
from codekiln.corpus.explain import explain, unfinished_beside
from codekiln.corpus.split import Item, choose, heldout_count
from codekiln.errors import UserError
from codekiln.pipeline.runner import Stage, bring

TIME = CorpusConfig(split="time")


def times(*sizes):
    """Items of so many files a time, oldest first."""
    return [Item("r", f"{when}-{n}.py", when) for when, size in enumerate(sizes) for n in range(size)]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ((7, 3), 3),
        ((6, 2, 2), 4),  # the boundary lies in the second time: a little more
        ((4, 6), 6),  # nothing less holds out the minimum
        ((90, 6), 6),  # 10 planned, all would be too many
        ((300, 100), 100),
        ((300, 21), 21),
        ((160, 5, 100), 100),
    ],
)
def test_files_of_one_time_stay_together(sizes, expected):
    items = times(*sizes)
    chosen = choose(items, TIME, 0)
    assert len(chosen) == expected
    train = [item.added_at for number, item in enumerate(items) if number not in chosen]
    assert max(train) < min(items[number].added_at for number in chosen)


@given(st.lists(st.integers(0, 30), min_size=2, max_size=150), st.randoms(use_true_random=False))
def test_all_that_trains_is_older_than_all_that_is_held_out(added, draw):
    items = [Item("r", f"{n}.py", when) for n, when in enumerate(added)]
    count = heldout_count(len(items), TIME)
    fewer = sum(when > min(added) for when in added)
    if min(added) == sorted(added)[-count] and (fewer == 0 or fewer < (20 if len(added) >= 100 else 3)):
        with pytest.raises(UserError, match=r"--set corpus\.split=file"):
            choose(items, TIME, 0)
        return
    chosen = choose(items, TIME, 0)
    train = [when for number, when in enumerate(added) if number not in chosen]
    assert max(train) < min(added[number] for number in chosen)
    assert len(chosen) >= min(3, len(items) - 1)
    draw.shuffle(items)
    assert {items[number].added_at for number in choose(items, TIME, 0)} == {added[n] for n in chosen}


def test_one_commit_and_shallow_clones_have_no_times_to_split_at(tmp_path):
    repo = repository(tmp_path / "demo", {f"m{n}.py": program(n) for n in range(8)})
    with pytest.raises(
        UserError, match=r"two times and more.*git fetch --unshallow.*--set corpus.split=file"
    ):
        corpus(tmp_path / "1", sources(tmp_path / "1", repo), split="time")
    commit(repo, {f"n{n}.py": program(50 + n) for n in range(4)}, when=1_700_000_500)
    assert set(rows(corpus(tmp_path / "2", sources(tmp_path / "2", repo), split="time") / "heldout")) == {
        f"n{n}.py" for n in range(4)
    }
    commit(repo, {"last.py": program(99)}, when=1_700_000_900)
    git(tmp_path, "clone", "-q", "--depth", "2", repo.as_uri(), "clone")
    out = sources(tmp_path / "3", tmp_path / "clone")
    assert {row["added_at"] for row in rows(out / "files").values()} == {None}
    with pytest.raises(
        UserError, match=r"demo is a shallow clone.*git fetch --unshallow.*--set corpus.split=file"
    ):
        corpus(tmp_path / "3", out, split="time")
    git(tmp_path / "clone", "fetch", "-q", "--unshallow")
    whole = sources(tmp_path / "3", tmp_path / "clone")
    assert len(rows(corpus(tmp_path / "3", whole, split="time") / "heldout")) == 5


def test_too_few_files_are_counted_by_reason_and_explained(tmp_path):
    wide = ("word " * 30 + "\n") * 5
    code = write(tmp_path / "x", {"a.py": wide, "b.py": wide + "\n", "c.py": program(1), "d.py": program(1)})
    out = sources(tmp_path, code)
    message = r"only one file is left .*\(dropped: 2 mean_line_length, 1 exact_duplicate\)"

    def build(work):
        source = rows(out / "files")
        assert source
        build_corpus(work, out, CorpusConfig(), seed=0, executor=None)

    with pytest.raises(UserError, match=message):
        bring(tmp_path / "corpus", Stage("corpus", 1, {}, {}, build))
    assert not (tmp_path / "corpus").exists()
    told = explain(out, tmp_path / "corpus", "a.py")
    assert (told["status"], told["reason"], told["unfinished"]) == ("dropped", "mean_line_length", True)
    assert explain(out, tmp_path / "corpus", "c.py")["status"] == "kept"
    assert explain(out, tmp_path / "corpus", "./d.py")["reason"] == "exact_duplicate"
    # sources of another build: what was left behind says nothing about them
    shutil.rmtree(out)
    write(code, {f"m{n}.py": program(10 + n) for n in range(5)})
    again = sources(tmp_path, code)
    built = corpus(tmp_path, again)
    told = explain(again, built, "a.py")
    assert told["reason"] == "mean_line_length"
    assert "unfinished" not in told


def test_a_finished_corpus_is_told_of_before_a_later_build_that_did_not_end(tmp_path):
    code = write(tmp_path / "x", {f"m{n}.py": program(n) for n in range(4)})
    out = sources(tmp_path, code)
    built = corpus(tmp_path, out)
    with pytest.raises(UserError, match="no unfinished build"):
        explain(out, built, "m1.py", unfinished=True)
    assert not unfinished_beside(out, built)
    with pytest.raises(UserError, match="no files left"):
        build_corpus(
            tmp_path / "corpus.partial",
            out,
            CorpusConfig(rules={"max_line_length": 5}),
            seed=0,
            executor=None,
        )
    assert unfinished_beside(out, built)
    told = explain(out, built, "m1.py")
    assert told["status"] in ("train", "heldout")
    assert "unfinished" not in told
    told = explain(out, built, "m1.py", unfinished=True)
    assert (told["status"], told["reason"], told["unfinished"]) == ("dropped", "max_line_length", True)
    # sources that were read again are no longer those of the finished corpus
    write(code, {"m5.py": program(5)})
    shutil.rmtree(out)
    again = sources(tmp_path, code)
    assert not unfinished_beside(again, built)
    shutil.rmtree(tmp_path / "corpus.partial")
    with pytest.raises(UserError, match="no files left"):
        build_corpus(
            tmp_path / "corpus.partial",
            again,
            CorpusConfig(rules={"max_line_length": 5}),
            seed=0,
            executor=None,
        )
    assert explain(again, built, "m5.py")["reason"] == "max_line_length"


def test_paths_are_told_apart_from_their_spelling(tmp_path):
    code = write(tmp_path / "x", {f"src/m{n}.py": program(n) for n in range(5)} | {"vendor/v.py": "1\n"})
    out = sources(tmp_path, code)
    built = corpus(tmp_path, out)
    for text in (
        "./src/m1.py",
        "src//m1.py",
        "x:./src/m1.py",
        "src/../src/m1.py",
        "./m1.py",
        "x/src/m1.py",
        f"{code}/src/m1.py",
    ):
        assert explain(out, built, text)["path"] == "src/m1.py", text
    assert explain(out, built, "./vendor/")["reason"] == "vendored or built folder"
    for text in ("./vendor/v.py", "x/vendor/v.py", "x:vendor/v.py"):
        assert explain(out, built, text)["reason"] == "vendored or built folder"
    with pytest.raises(UserError, match="was looked at"):
        explain(out, built, "./")
