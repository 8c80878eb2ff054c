from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codekiln.evaluation.bootstrap import paired
from codekiln.evaluation.metrics import edit_similarity, exact_match, sums, text_bits

SUMS = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=6),
    st.tuples(st.floats(0, 1e6), st.floats(1, 1e6)),
    min_size=1,
    max_size=12,
)


def test_exact_match_ignores_only_surrounding_whitespace() -> None:
    assert exact_match("  return x \n", "return x")
    assert not exact_match("return  x", "return x")
    assert exact_match("\n", "")


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [("abcd", "abcd", 1.0), (" abcd\n", "abcd", 1.0), ("", "", 1.0), ("", "abc", 0.0), ("ab", "cd", 0.0)],
)
def test_edit_similarity_at_its_ends(left: str, right: str, expected: float) -> None:
    assert edit_similarity(left, right) == expected


def test_edit_similarity_is_two_matches_over_both_lengths() -> None:
    # "abcd" to "abxd": three characters in common order, of eight.
    assert edit_similarity("abcd", "abxd") == pytest.approx(2 * 3 / 8)


@given(st.text(max_size=20), st.text(max_size=20))
def test_edit_similarity_is_symmetric_and_a_fraction(left: str, right: str) -> None:
    value = edit_similarity(left, right)
    assert 0 <= value <= 1
    assert value == pytest.approx(edit_similarity(right, left))


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 1e9), st.integers(1, 99)), max_size=20),
    st.randoms(),
)
def test_sums_do_not_depend_on_the_order_of_rows(rows, shuffler: random.Random) -> None:
    made = [
        {"id": file, "window": n, "nll_bits": bits, "bytes": size}
        for n, (file, bits, size) in enumerate(rows)
    ]
    shuffled = made.copy()
    shuffler.shuffle(shuffled)
    assert sums(made, "id", text_bits) == sums(shuffled, "id", text_bits)


@given(SUMS)
def test_equal_sides_differ_by_exactly_zero(side) -> None:
    result = paired(side, dict(side), resamples=200, seed=1)
    assert result["difference"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert result["before"] == result["after"]


def test_metrics_over_the_same_files_share_their_resamples() -> None:
    before = {f"f{i}": (float(i % 7), 10.0) for i in range(12)}
    after = {f"f{i}": (float(i % 5), 10.0) for i in range(12)}
    twice = [paired({f: (k * t, k * b) for f, (t, b) in before.items()},
                    {f: (k * t, k * b) for f, (t, b) in after.items()}, resamples=300, seed=1)
             for k in (1.0, 4.0)]  # fmt: skip
    assert twice[0] == twice[1]
    assert paired(before, after, resamples=300, seed=2) != twice[0]


@given(SUMS, st.randoms())
def test_the_order_of_files_changes_nothing(side, shuffler: random.Random) -> None:
    other = {file: (2 * top, bottom) for file, (top, bottom) in side.items()}
    keys = list(side)
    shuffler.shuffle(keys)
    assert paired(side, other, resamples=50, seed=3) == paired(
        {key: side[key] for key in keys}, {key: other[key] for key in reversed(keys)}, resamples=50, seed=3
    )


def test_a_shift_of_every_file_is_detected_and_noise_is_not() -> None:
    generator = random.Random(5)
    before = {f"f{i}": (generator.gauss(500, 120), 1000.0) for i in range(40)}
    shifted = {f: (top - 30 + generator.gauss(0, 5), bottom) for f, (top, bottom) in before.items()}
    result = paired(before, shifted, resamples=2000, seed=0)
    assert result["difference"]["high"] < 0
    assert result["difference"]["value"] == pytest.approx(-0.03, abs=0.004)
    # Unpaired the two intervals overlap widely: the pairing is what finds the shift.
    assert result["after"]["high"] > result["before"]["low"]
    noisy = {f: (top + generator.gauss(0, 60), bottom) for f, (top, bottom) in before.items()}
    noise = paired(before, noisy, resamples=2000, seed=0)["difference"]
    assert noise["low"] < 0 < noise["high"]


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = random.Random(11)
    hits = 0
    for trial in range(200):
        before = {str(i): (generator.gauss(5, 1), 1.0) for i in range(30)}
        after = {name: (top + generator.gauss(0.2, 0.5), 1.0) for name, (top, _) in before.items()}
        change = paired(before, after, resamples=400, seed=trial)["difference"]
        hits += change["low"] <= 0.2 <= change["high"]
    assert 0.87 <= hits / 200 <= 0.99


def test_large_files_weigh_more_in_a_ratio() -> None:
    side = {"small": (100.0, 10.0), "large": (100.0, 1000.0)}
    assert paired(side, side, resamples=10, seed=0)["before"]["value"] == pytest.approx(200 / 1010)


def test_one_file_has_an_interval_of_no_width_and_none_has_nulls() -> None:
    one = paired({"a": (3.0, 4.0)}, {"a": (1.0, 4.0)}, resamples=100, seed=0)
    assert one["difference"] == {"value": -0.5, "low": -0.5, "high": -0.5}
    none = paired({}, {}, resamples=100, seed=0)
    assert none["before"] == {"value": None, "low": None, "high": None}
    assert paired({"a": (0.0, 0.0)}, {"a": (0.0, 0.0)}, resamples=5, seed=0)["before"]["value"] is None


def test_two_measurements_of_different_files_are_refused() -> None:
    with pytest.raises(ValueError, match="different files"):
        paired({"a": (1.0, 1.0)}, {"b": (1.0, 1.0)}, resamples=5, seed=0)
