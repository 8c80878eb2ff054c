"""The measurement behind `dtype: auto`."""

from __future__ import annotations

import time

import pytest

torch = pytest.importorskip("torch")

from codekiln.modeling.precision import BF16_MIN_GAIN, DTYPES, choose_dtype, measure_gemm  # noqa: E402


def test_the_choice_follows_the_measured_rates() -> None:
    dtype, rates = choose_dtype(0.6)
    assert set(rates) == set(DTYPES)
    assert min(rates.values()) > 0
    assert (dtype == "bfloat16") == (rates["bfloat16"] >= BF16_MIN_GAIN * rates["float32"])


def test_threads_are_restored_and_the_time_is_kept() -> None:
    before = torch.get_num_threads()
    begun = time.process_time()
    assert measure_gemm("float32", 0.2, threads=before + 1) > 0
    assert torch.get_num_threads() == before
    assert time.process_time() - begun < 10


def test_other_formats_are_refused() -> None:
    with pytest.raises(ValueError, match="float16"):
        measure_gemm("float16")
