"""Shingles, signatures and near-duplicate groups against plain definitions and brute force."""

from __future__ import annotations

import math
import re
import sysconfig
from itertools import combinations
from pathlib import Path
from random import Random

import numpy as np
import pytest
from corpus_kit import mutate, plain_jaccard, program
from hypothesis import given, settings
from hypothesis import strategies as st

from codekiln.corpus import minhash, neardup
from codekiln.corpus.neardup import near_groups, near_pairs


def bands_of(grams):
    return minhash.bands_of(minhash.signature(grams)[None])[0]


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["a", "B", "_x", "9", " ", "\n", "(", "é", "long_word_" * 9, "."]), max_size=60)
)
def test_the_numpy_shingler_equals_the_plain_one(pieces):
    text = "".join(pieces)
    lowered = "".join(c.lower() if c.isascii() else c for c in text)
    words = re.findall(r"[a-z0-9_\x80-\U0010ffff]+", lowered)
    plain = {tuple(words[i : i + 5]) for i in range(len(words) - 4)}
    found = minhash.shingles(text.encode())
    assert len(found) == len(plain)
    assert (np.diff(found.astype(object)) > 0).all()
    assert (minhash.shingles((" " + text + "\r\n").encode()) == found).all()


def test_signatures_estimate_jaccard():
    text = program(1, 60)
    for share in (0.005, 0.02, 0.05):
        other = mutate(text, share, 7)
        first, second = (minhash.signature(minhash.shingles(t.encode())) for t in (text, other))
        assert (first == second).mean() == pytest.approx(plain_jaccard(text, other), abs=0.1)
        exact = minhash.jaccard(minhash.shingles(text.encode()), minhash.shingles(other.encode()))
        assert exact == pytest.approx(plain_jaccard(text, other))


def test_near_duplicates_against_brute_force():
    texts = []
    for number in range(60):
        base = program(number, 8)
        texts.append(base)
        texts += [mutate(base, share, number) for share in (0.004, 0.012, 0.03, 0.09) if number % 2]
    sets = [minhash.shingles(text.encode()) for text in texts]
    groups = near_groups([bands_of(s) for s in sets], lambda numbers: {n: sets[n] for n in numbers}, 0.7)
    group_of = {member: number for number, members in enumerate(groups) for member in members}
    near = {0.7: [0, 0], 0.85: [0, 0]}
    for second in range(len(texts)):
        for first in range(second):
            if first // 5 != second // 5 and abs(first - second) > 5:
                continue
            similarity = plain_jaccard(texts[first], texts[second])
            for floor in near:
                if similarity >= floor:
                    near[floor][1] += 1
                    near[floor][0] += first in group_of and group_of.get(first) == group_of.get(second)
    assert near[0.85][1] >= 30
    assert near[0.85][0] == near[0.85][1]
    assert near[0.7][0] >= 0.85 * near[0.7][1]
    for members in groups:  # each member is truly near another of its group
        for one in members:
            assert max(plain_jaccard(texts[one], texts[two]) for two in members if two != one) >= 0.7


def least(texts):
    return minhash.least_of(minhash.filled(minhash.signatures([text.encode() for text in texts])))


def test_pairs_across_the_split_are_found_where_the_banding_is_blind(monkeypatch):
    held = [program(number, 8) for number in range(40)]
    shares = (0.01, 0.03, 0.035, 0.036, 0.037, 0.038, 0.08, 0.2)
    others = [mutate(text, share, n) for text in held for n, share in enumerate(shares)]
    others += [program(900, 8), held[7]]
    found = {tuple(pair) for pair in near_pairs(least(held), least(others), 0.7).tolist()}
    scores = {(n, m): plain_jaccard(text, one) for n, text in enumerate(others) for m, one in enumerate(held)}
    near = {pair for pair, score in scores.items() if score >= 0.7}
    assert len(near) > 40
    banded = [bands_of(minhash.shingles(text.encode())) for text in held + others]
    assert any(not set(banded[m]) & set(banded[len(held) + n]) for n, m in near)
    assert near <= found
    # What is compared in vain: pairs that are not far from the threshold.
    assert all(scores[pair] > 0.2 for pair in found)
    assert len(found) < len(near) + 0.02 * len(scores)
    monkeypatch.setattr(neardup, "_HITS", 1)
    assert {tuple(pair) for pair in near_pairs(least(held), least(others), 0.7).tolist()} == found
    assert near_pairs(least(held)[:0], least(others), 0.7).tolist() == []
    assert near_pairs(least(held), least(others)[:0], 0.7).tolist() == []


def test_what_all_files_share_is_not_compared_with_all(monkeypatch):
    texts = [f"a b c d e f g h i j x{number} y{number}\n" for number in range(400)]
    values = least(texts)
    held, others = values[:150], values[150:]
    all_ = near_pairs(held, others, 0.5)
    monkeypatch.setattr(neardup, "_LOOKED_AT", 20)
    some = near_pairs(held, others, 0.5)
    assert len(some) <= 20 * len(others) < 32 * len(others) == len(all_)
    # What one file alone shares with another is looked at first, whatever all others share with both.
    twins = near_pairs(held, held, 0.9)
    alone = [row for row in range(len(held)) if ((held == held[row]).sum(axis=0) == 1).any()]
    assert len(alone) > 140
    assert {(row, row) for row in alone} <= {tuple(pair) for pair in twins.tolist()}
    assert (np.lexsort((twins[:, 1], twins[:, 0])) == np.arange(len(twins))).all()


def test_groups_do_not_depend_on_what_is_remembered(monkeypatch):
    texts = [f"a b c d e f g h i j y{number // 3} x{number}\n" for number in range(120)]
    sets = [minhash.shingles(text.encode()) for text in texts]
    bands = [bands_of(one) for one in sets]
    groups = near_groups(bands, lambda numbers: {n: sets[n] for n in numbers}, 0.7)
    assert len(groups) == 40
    monkeypatch.setattr(neardup, "_REMEMBERED", 3)
    assert near_groups(bands, lambda numbers: {n: sets[n] for n in numbers}, 0.7) == groups


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.9, 1.0])
def test_so_many_shared_values_miss_a_pair_once_in_a_million(threshold):
    shared = np.random.default_rng(0).binomial(64, threshold, 200_000)
    needed = neardup.matches(threshold, 64)
    assert (shared >= needed).all()
    assert neardup.matches(threshold, 64) <= 64 * threshold
    # One more would be missed more often than that.
    below = sum(math.comb(64, n) * threshold**n * (1 - threshold) ** (64 - n) for n in range(needed + 1))
    assert below > neardup.MISSED


@pytest.mark.parametrize(("mutated", "one_group"), [(0.002, True), (0.04, False)])
def test_the_work_on_similar_files_grows_with_their_number(monkeypatch, mutated, one_group):
    """Near copies, which join at the first try, and bucket mates of which few are near."""
    compared = []
    real = neardup.jaccard
    monkeypatch.setattr(neardup, "jaccard", lambda *grams: compared.append(1) or real(*grams))
    monkeypatch.setattr(neardup, "COMPARISONS", 4)
    base = program(1, 20)
    sets = [minhash.shingles(mutate(base, mutated, n).encode()) for n in range(300)]
    bands = [bands_of(grams) for grams in sets]
    calls = []
    for count in (150, 300):
        compared.clear()
        groups = near_groups(bands[:count], lambda some: {n: sets[n] for n in some}, 0.7)
        calls.append(len(compared))
        if one_group:
            assert groups == [list(range(count))]
            assert len(compared) < 2 * count
    assert calls[1] < 3 * calls[0]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sets(st.integers(0, 6)), max_size=20), st.integers(2, 40))
def test_one_bucket_within_the_bound_gives_the_connected_components(edges, extra):
    """A bucket of at most `COMPARISONS` + 1 files: all pairs count, whatever the order of joins."""
    links = {frozenset(pair) for pair in edges if len(pair) == 2}
    members = list(range(min(7 + extra, neardup.COMPARISONS + 1)))
    groups = neardup.Groups(len(members))
    neardup._join_bucket(members, groups, lambda one, two: frozenset((one, two)) in links)
    plain = neardup.Groups(len(members))
    for link in links:
        plain.join(*link)
    assert groups.members() == plain.members()


def test_copies_of_real_files_are_found_as_brute_force_finds_them():
    """Standard library modules with 0.2 to 3.5 % of their words changed; every pair of all files is compared."""
    library = Path(sysconfig.get_path("stdlib"))
    random = Random(5)
    sets = []
    for path in sorted(library.glob("*.py"))[:45]:
        words = re.split(r"(\W+)", path.read_text(encoding="utf-8")[:12_000])
        for share in (0, 0.002, 0.005, 0.01, 0.02, 0.035):
            changed = (random.choice(words) if random.random() < share else word for word in words)
            sets.append(minhash.shingles("".join(changed).encode()))
    bands, index = [bands_of(grams) for grams in sets], dict(enumerate(sets))
    groups = near_groups(bands, lambda some: index, 0.8)
    found = {pair for members in groups for pair in combinations(members, 2)}
    everything = combinations(range(len(sets)), 2)
    scores = {(one, two): minhash.jaccard(sets[one], sets[two]) for one, two in everything}
    near = {pair for pair, score in scores.items() if score >= 0.8}
    assert len(near) > 200
    assert len(found & near) >= 0.98 * len(near)
    # Groups hold also what is near only by way of a third file; none of it is another file.
    assert sum(scores[pair] >= 0.6 for pair in found) >= 0.98 * len(found)
    # The label: copies of one module, six of each.
    assert sum(one // 6 == two // 6 for one, two in found) >= 0.98 * len(found)
