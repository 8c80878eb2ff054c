"""Results on stdout: one JSON document or an aligned table; recipes listed and shown."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codekiln.cli.common import emit, table
from codekiln.recipe import dump, load_recipe


def codekiln(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "codekiln", *words], capture_output=True, text=True, cwd=cwd, timeout=60
    )


def test_recipes_are_listed_and_shown(tmp_path: Path) -> None:
    assert "quickstart" in codekiln("recipes").stdout
    listed = json.loads(codekiln("recipes", "--json").stdout)["recipes"]
    assert "quickstart" in [one["name"] for one in listed]
    shown = codekiln("recipes", "show", "quickstart", "--set", "training.tokens=5_000")
    (tmp_path / "mine.yaml").write_text(shown.stdout)
    expected = dump(load_recipe("quickstart", ["training.tokens=5000"]))
    assert dump(load_recipe(str(tmp_path / "mine.yaml"))) == expected
    as_json = codekiln("recipes", "show", "mine.yaml", "--json", cwd=tmp_path)
    assert json.loads(as_json.stdout) == expected


def test_a_mistake_in_a_recipe_is_one_line_on_stderr(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("extends: quickstart\ntraining:\n  lerning_rate: 1e-4\n")
    done = codekiln("recipes", "show", "my.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "codekiln: error: my.yaml:3: training.lerning_rate: unknown key; did you mean learning_rate?\n"
    )


def test_numbers_stand_right_and_text_left() -> None:
    assert table([("a", 1, None), ("long name", 250, 0.5)], ("name", "n", "x")) == [
        "name         n    x",
        "---------  ---  ---",
        "a            1    -",
        "long name  250  0.5",
    ]
    assert table([], ("name", "n")) == ["name  n", "----  -"]
    assert table([]) == []
    assert table([("a",), ("b", "c")]) == ["a", "b  c"]


def test_wide_characters_keep_columns_and_control_characters_are_escaped() -> None:
    assert table([("世界", "x"), ("ab", "y")]) == ["世界  x", "ab    y"]
    assert table([("a\nb\x1b[31m", "x")]) == ["a\\nb\\x1b[31m  x"]


def test_a_narrow_terminal_wraps_the_widest_column_and_loses_nothing() -> None:
    text = "every word of this sentence is still to be found in the table"
    lines = table([("name", text), ("other", "short")], ("key", "value"), width=40)
    assert all(len(line) <= 40 for line in lines)
    assert " ".join(" ".join(line[7:].strip() for line in lines[2:-1]).split()) == text


@given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=60), st.integers()), min_size=1, max_size=4))
def test_any_cells_make_lines_within_the_width(rows: list[tuple[str, str, int]]) -> None:
    for line in table(rows, ("a", "b", "c"), width=90):
        assert line.isprintable()


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_json_is_valid_on_any_terminal(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding, errors="backslashreplace"))
    document = {"b": ["é世界", "\udcff"], "a": None}
    emit(document, True, [])
    sys.stdout.flush()
    text = raw.getvalue().decode(encoding)
    assert json.loads(text) == document
    assert text.index('"a"') < text.index('"b"')


def test_json_has_no_nan() -> None:
    with pytest.raises(ValueError, match="JSON"):
        emit({"a": float("nan")}, True, [])


@pytest.mark.parametrize("words", [("--json", "show", "quickstart"), ("show", "quickstart", "--json")])
def test_json_before_or_after_the_sub_command(words: tuple[str, ...]) -> None:
    assert json.loads(codekiln("recipes", *words).stdout) == dump(load_recipe("quickstart"))
