"""Packing: whole documents, each once, never over the row's end, well filled."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codekiln.dataset.pack import pack

LENGTHS = st.lists(st.integers(1, 64), max_size=200)


@given(LENGTHS, st.integers(1, 40), st.booleans())
def test_nothing_is_lost_doubled_or_too_long(lengths: list[int], buffer: int, complete: bool) -> None:
    rows, left = pack(lengths, 64, complete=complete, buffer=buffer)
    assert sorted([*left, *(number for row in rows for number in row)]) == list(range(len(lengths)))
    assert all(0 < sum(lengths[number] for number in row) <= 64 for row in rows)
    assert left == sorted(left)
    if complete:
        assert sum(lengths[number] for number in left) < 0.95 * 64


@given(LENGTHS, LENGTHS, st.integers(1, 40))
def test_rows_stay_when_more_documents_follow(first: list[int], more: list[int], buffer: int) -> None:
    rows, _ = pack(first, 64, complete=False, buffer=buffer)
    longer, _ = pack(first + more, 64, complete=False, buffer=buffer)
    assert longer[: len(rows)] == rows


def test_best_fit_fills_rows_of_mixed_documents() -> None:
    rng = np.random.Generator(np.random.Philox(key=1))
    lengths = [int(n) for n in np.where(rng.random(4000) < 0.6, 1010, rng.integers(20, 1010, 4000))]
    rows, _ = pack(lengths, 1024)
    assert sum(lengths[number] for row in rows for number in row) / (1024 * len(rows)) > 0.97


def test_the_oldest_document_opens_the_next_row() -> None:
    rows, _ = pack([30, 50, 34, 14, 64], 64)
    assert rows == [[0, 2], [1, 3], [4]]


@pytest.mark.parametrize("lengths", [[0], [65]])
def test_a_document_that_cannot_fit_is_refused(lengths: list[int]) -> None:
    with pytest.raises(ValueError, match="between 1 and 64"):
        pack(lengths, 64)
