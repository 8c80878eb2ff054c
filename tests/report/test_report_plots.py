from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from codekiln.report import metrics as m
from codekiln.report.axes import tick_label, ticks
from codekiln.report.curve import ends, loss_curve, mean, smooth, thin
from codekiln.report.forest import forest
from codekiln.report.schema import CurvePoint, Estimate, Metrics

ordinary = st.floats(-1e12, 1e12)


@given(a=ordinary, b=ordinary, about=st.integers(1, 9))
def test_ticks_are_distinct_ordered_and_span_the_values(a: float, b: float, about: int) -> None:
    low, high = min(a, b), max(a, b)
    marks = ticks(low, high, about)
    assert 2 <= len(marks) <= 2 * about + 3
    assert marks == sorted(set(marks))
    slack = (marks[1] - marks[0]) * 1e-3
    assert marks[0] - slack <= low
    assert high <= marks[-1] + slack


def test_tick_labels_are_short() -> None:
    assert [tick_label(v, [0, 50000, 100000]) for v in (0, 50000, 100000)] == ["0", "50k", "100k"]
    assert [tick_label(v, [-0.1, 0, 0.1]) for v in (-0.1, 0, 0.1)] == ["\u22120.1", "0", "0.1"]
    assert tick_label(2e-4, [0, 1e-4, 2e-4]) == "2e\u22124"


def _check_drawing(html: str) -> None:
    """Every coordinate lies inside its drawing."""
    assert "nan" not in html
    assert "inf" not in html.lower().replace("information", "")
    for box, inner in re.findall(r'viewBox="0 0 ([\d ]+)"[^>]*>(.*?)</svg>', html, re.S):
        width, height = map(float, box.split())
        for name, value in re.findall(r'\b(x|y|x1|x2|y1|y2|cx|cy)="([^"]+)"', inner):
            limit = width if "x" in name else height
            assert -0.51 <= float(value) <= limit + 0.51, (name, value, limit)


losses = st.one_of(st.none(), st.floats(0, 50), st.just(2.5))


@given(
    values=st.lists(losses, max_size=40),
    step=st.sampled_from([0, 1, 512]),
    kinds=st.sets(st.sampled_from(["plain", "end", "other"])),
)
@example(values=[0.0, 5e-324], step=0, kinds=set())
@settings(max_examples=60, deadline=None)
def test_a_loss_curve_stays_inside_its_frame(values: list[float | None], step: int, kinds: set[str]) -> None:
    curve = [
        CurvePoint(
            step=i,
            tokens=i * step,
            loss=v,
            learning_rate=1e-4,
            gradient_norm=v,
            losses=dict.fromkeys(kinds, v),
        )
        for i, v in enumerate(values)
    ]
    drawn = loss_curve(curve)
    if sum(value is not None for value in values) < 2:
        assert drawn is None
    else:
        assert drawn is not None
        _check_drawing(drawn)


def test_long_curves_are_drawn_as_means() -> None:
    drawn = loss_curve([CurvePoint(step=i, loss=3 - i / 5000) for i in range(5000)])
    assert drawn is not None
    assert "Drawn as means of neighbouring steps (240 points)." in drawn
    assert len(drawn) < 200_000


@given(
    values=st.lists(st.tuples(st.floats(-10, 10), st.integers(1, 500)), min_size=1, max_size=50),
    window=st.integers(1, 15),
)
def test_smoothing_keeps_length_range_and_thinning_keeps_the_mean(
    values: list[tuple[float, int]], window: int
) -> None:
    series = [(float(i), v, float(tokens)) for i, (v, tokens) in enumerate(values)]
    made = smooth(series, window)
    assert [x for x, _, _ in made] == [x for x, _, _ in series]
    low, high = min(v for v, _ in values) - 1e-9, max(v for v, _ in values) + 1e-9
    assert all(low <= y <= high for _, y, _ in made)
    thinned = thin(series, 10)
    assert len(thinned) == min(10, len(series))
    assert mean(thinned) == pytest.approx(mean(series), abs=1e-9)


def test_where_a_curve_starts_and_ends_is_a_mean_over_tokens() -> None:
    # One token of a rare kind in the first step does not stand for the first steps.
    series = [(1.0, 9.0, 1.0), (2.0, 2.0, 99.0), *[(float(i), 1.0, 50.0) for i in range(3, 11)]]
    assert ends(series) == pytest.approx(((9 + 2 * 99) / 100, 1.0))


estimates = st.builds(
    lambda a, b, c: Estimate(low=min(a, b, c), value=sorted((a, b, c))[1], high=max(a, b, c)),
    *[st.floats(-2, 2)] * 3,
)


@given(before=estimates, after=estimates, difference=st.one_of(st.just(Estimate()), estimates))
@settings(max_examples=60, deadline=None)
def test_a_forest_stays_inside_its_frame(before: Estimate, after: Estimate, difference: Estimate) -> None:
    keys = ("bits_per_byte", "fim_stop_rate")
    made = m.rows(
        Metrics(
            before=dict.fromkeys(keys, before),
            after=dict.fromkeys(keys, after),
            difference=dict.fromkeys(keys, difference),
        ),
        {},
    )
    drawn = forest(made)
    assert drawn is not None
    _check_drawing(drawn)


def test_nothing_measured_draws_nothing() -> None:
    assert forest([]) is None
    assert m.rows(Metrics(before={"bits_per_byte": Estimate()}), {}) == []


@pytest.mark.parametrize(
    ("key", "low", "high", "word"),
    [
        ("bits_per_byte", -0.2, -0.1, "better"),
        ("bits_per_byte", 0.1, 0.2, "worse"),
        ("bits_per_byte", -0.1, 0.0, "no clear change"),
        ("fim_stop_rate", 0.1, 0.2, "better"),
        ("fim_stop_rate", -0.2, -0.1, "worse"),
        ("fim_stop_rate", -0.1, 0.1, "no clear change"),
        ("fim_stop_rate", None, None, None),
    ],
)
def test_a_change_is_judged_by_its_interval(
    key: str, low: float | None, high: float | None, word: str | None
) -> None:
    row = m.rows(Metrics(difference={key: Estimate(value=0.5, low=low, high=high)}), {})[0]
    assert m.outcome(row) == word


def test_one_file_alone_never_shows_a_clear_change() -> None:
    change = Metrics(
        difference=dict.fromkeys(("bits_per_byte", "fim_stop_rate"), Estimate(value=-1, low=-1, high=-1))
    )
    text, stops = m.rows(change, {"text_files": 1, "probe_files": 5})
    assert m.outcome(text) == "no clear change"
    assert m.outcome(stops) == "worse"


def test_small_differences_keep_the_decimals_that_tell_them_from_zero() -> None:
    bits, share = m.METRICS[0], m.METRICS[-1]
    assert m.difference(bits, Estimate(value=-0.0312, low=-0.04, high=-0.0004)) == (
        "\u22120.0312",
        "\u22120.0400 to \u22120.0004",
    )
    assert m.difference(share, Estimate(value=0.125, low=0.0, high=0.25)) == (
        "+12.5\u00a0points",
        "0.0 to +25.0",
    )
    assert m.difference(bits, Estimate()) == ("\u2013", "")
