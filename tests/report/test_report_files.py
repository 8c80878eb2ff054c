from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import full, hostile, minimal, partial

from codekiln.errors import RunError
from codekiln.report import numerals, render, text_summary, write_report
from codekiln.report.schema import plain


def _refuse(constant: str) -> float:
    raise AssertionError(f"{constant} in report.json")


@pytest.mark.parametrize("make", [full, minimal, partial, hostile])
def test_written_files_are_whole_finite_sorted_and_repeatable(make: Any, tmp_path: Path) -> None:
    write_report(tmp_path / "a" / "run", make())
    write_report(tmp_path / "b", make())
    folder = tmp_path / "a" / "run"
    assert sorted(path.name for path in folder.iterdir()) == ["report.html", "report.json"]
    text = (folder / "report.json").read_text(encoding="utf-8")
    data = json.loads(text, parse_constant=_refuse)
    assert text == json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    assert (folder / "report.html").read_text(encoding="utf-8") == render(make())
    for name in ("report.html", "report.json"):
        assert (folder / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_report_json_draws_the_same_page_again(tmp_path: Path) -> None:
    write_report(tmp_path, partial())
    again = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert again["not_finite"] == ["training.tokens_per_second", "training.curve[0].loss"]
    assert again["metrics"]["before"]["bits_per_byte"]["value"] == 0.75
    assert again["config"]["source"] == "src"
    assert render(again) == (tmp_path / "report.html").read_text(encoding="utf-8")


def test_every_metric_of_a_run_is_in_report_json(tmp_path: Path) -> None:
    report = full()
    write_report(tmp_path, report)
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["metrics"] == report["metrics"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"colour": 1}, "colour"),
        ({"name": None}, "name"),
        ({"training": {"method": "lora", "speed": 3}}, "training.speed"),
        ({"verdict": {"word": "splendid", "sentence": ""}}, "verdict.word"),
    ],
)
def test_a_report_that_does_not_fit_is_refused_by_key(
    change: dict[str, Any], named: str, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match=named) as caught:
        write_report(tmp_path, minimal() | change)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_plain_converts_numpy_and_refuses_objects() -> None:
    made = plain(
        {"a": np.float64(1.5), "b": np.int32(2), "c": np.bool_(True), "d": (1, None), "e": Path("x")}
    )
    assert made == {"a": 1.5, "b": 2, "c": True, "d": [1, None], "e": "x"}
    assert type(made["c"]) is bool
    with pytest.raises(TypeError, match=r"a\[0\]"):
        plain({"a": [object()]})


@pytest.mark.parametrize("report", [full(), full(worse=True), minimal(), partial(), hostile()])
def test_the_summary_fits_a_terminal(report: dict[str, Any]) -> None:
    lines = text_summary(report, Path("runs/quickstart"))
    assert lines
    for line in lines:
        assert len(line) <= 100 or line.startswith("runs/quickstart/")
        assert line.isprintable()
        assert line == line.rstrip()


def test_the_summary_says_what_happened_and_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs/quickstart/adapter").mkdir(parents=True)
    (tmp_path / "runs/quickstart/model-q8_0.gguf").touch()
    lines = text_summary(full(worse=True), Path("runs/quickstart"))
    text = "\n".join(lines)
    assert text.isascii()
    assert (
        "Bits per byte, text                  0.593   0.612      +0.019  +0.014 to +0.024     worse" in lines
    )
    assert "Worse. Bits per byte of the held-out text rose" in text
    assert "1 of 2 passed" in text
    assert "failed: merged checkpoint to GGUF q8_0" in text
    for name in ("report.html", "report.json", "model-q8_0.gguf", "adapter"):
        assert f"runs/quickstart/{name}" in text
    assert "runs/quickstart/model " not in text  # it is not there any more
    assert "lower is better" in text


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (numerals.significant(0.59312), "0.593"),
        (numerals.significant(-0.00021), "\u22122.10 × 10⁻⁴"),
        (numerals.significant(1e-4, trim=True), "1 × 10⁻⁴"),
        (numerals.significant(9.999e-5), "1.00 × 10⁻⁴"),
        (numerals.significant(0.2, trim=True), "0.2"),
        (numerals.significant(431.77), "432"),
        (numerals.significant(21345.0), "21,345"),
        (numerals.significant(None), "–"),
        (numerals.fixed(-0.0001, 3, signed=True), "0.000"),
        (numerals.size(950), "950 B"),
        (numerals.size(999_700), "1.00 MB"),
        (numerals.size(491_400_064), "491 MB"),
        (numerals.percent(0.0417), "4.2 %"),
        (numerals.duration(3.21), "3.2 s"),
        (numerals.duration(59.9), "1 min 00 s"),
        (numerals.duration(7625), "2 h 07 min"),
        (numerals.title("fim_heldout_files"), "FIM held-out files"),
    ],
)
def test_numbers_read_well(shown: str, expected: str) -> None:
    assert shown.replace(numerals.SPACE, " ") == expected


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_number_can_be_shown(value: float) -> None:
    for show in (numerals.significant, numerals.count, numerals.size, numerals.percent):
        assert show(value)
