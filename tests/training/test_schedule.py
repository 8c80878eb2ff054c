"""Learning-rate schedules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from codekiln.training.config import TrainingConfig
from codekiln.training.schedule import learning_rate


@given(st.integers(1, 500), st.sampled_from(["wsd", "cosine"]), st.floats(0, 0.5), st.floats(0, 0.5))
def test_every_step_has_a_positive_rate_below_the_peak(
    steps: int, schedule: str, warmup: float, decay: float
) -> None:
    config = TrainingConfig(
        tokens=1, learning_rate=1e-3, schedule=schedule, warmup_fraction=warmup, decay_fraction=decay
    )
    rates = [learning_rate(step, steps, config) for step in range(steps)]
    assert all(0 < rate <= 1e-3 * (1 + 1e-12) for rate in rates)
    peak = rates.index(max(rates))
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)


def test_wsd_holds_then_decays_towards_zero() -> None:
    config = TrainingConfig(tokens=1, learning_rate=1.0, warmup_fraction=0.1, decay_fraction=0.2)
    rates = [learning_rate(step, 100, config) for step in range(100)]
    assert rates[10:80] == [1.0] * 70
    assert rates[99] == pytest.approx(1 / 21)


def test_two_budgets_are_one_too_many() -> None:
    with pytest.raises(ValidationError, match="either tokens or minutes"):
        TrainingConfig(tokens=5, minutes=1)
