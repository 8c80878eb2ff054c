"""Windows and file-level samples: nothing of a file is lost, and every sample rebuilds its text."""

from __future__ import annotations

import unicodedata
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codekiln import formats
from codekiln.dataset.config import DatasetConfig
from codekiln.dataset.documents import (
    Window,
    cell_count,
    cell_text,
    cut_windows,
    encode_checked,
    fit_fim,
    line_units,
    normalise,
    window_sample,
    windows_of,
)
from codekiln.errors import RunError
from codekiln.fim import document_rng

LINE = st.sampled_from(
    ["x = 1", "    return a + b", "", "  ", "é = 'ü'", "日本語👍🏽", "a" * 90, "\r", "def f(a, b):", "}"]
)
BREAK = st.sampled_from(["\n", "\r\n", "\n\n", "\r"])
FILES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=300),
    st.lists(st.tuples(LINE, BREAK).map("".join), max_size=40).map("".join),
).map(normalise)
EVERY = {"fim_rate": 1.0, "length": 128}


class Bytes:
    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def encode_batch(self, texts: list[str]) -> list[list[int]]:
        return [self.encode(text) for text in texts]


BYTES = Bytes()


def text_of(ids: list[int]) -> str:
    return bytes(ids).decode()


@given(FILES)
def test_units_join_to_the_text_and_end_at_line_breaks(text: str) -> None:
    units = line_units(text)
    assert "".join(units) == text
    assert all(unit[-1] in "\r\n" for unit in units[:-1])
    assert all(unit.strip() for unit in units[1:])
    assert not any(a.endswith("\r") and b.startswith("\n") for a, b in pairwise(units))


@given(FILES, st.integers(1, 9))
def test_cells_join_to_the_text(text: str, cells: int) -> None:
    parts = [cell_text(text, cell, cells) for cell in range(cells)]
    assert "".join(part for part, _ in parts) == text
    assert parts[-1][1]


def test_a_file_of_a_few_rows_is_one_cell() -> None:
    assert cell_count(0, 1024) == cell_count(4000, 1024) == cell_count(14_000, 1024) == 1
    assert cell_count(1_000_000, 1024) == 70


@settings(deadline=None)
@given(FILES, st.integers(16, 200))
def test_windows_join_to_the_text_and_fit(text: str, room: int) -> None:
    windows = cut_windows(text, BYTES, room)
    assert "".join(window for window, _ in windows) == text
    assert all(ids == BYTES.encode(window) and 0 < len(ids) <= room for window, ids in windows)


def test_windows_begin_at_line_starts_and_are_full() -> None:
    text = "".join(f"line {number:03d} of the file\n" for number in range(200))
    windows = cut_windows(text, BYTES, 240)
    assert all(window.startswith("line ") and window.endswith("\n") for window, _ in windows)
    assert all(len(ids) > 216 for _, ids in windows[:-2])


def test_a_monstrous_line_is_cut_between_characters() -> None:
    text = "x = '" + "e\u0323👍🏽" * 3000 + "'\n"
    windows = cut_windows(text, BYTES, 100)
    assert "".join(window for window, _ in windows) == text
    assert all(unicodedata.category(window[0]) != "Mn" and window[0] != "🏽" for window, _ in windows)


def test_window_ids_are_distinct_and_only_the_files_end_is_marked() -> None:
    text = "".join(f"value_{number} = {number}\n" for number in range(300))
    windows = [w for cell in range(3) for w in windows_of("f", text, cell, 3, BYTES, 250)]
    assert "".join(window.text for window in windows) == text
    assert len({window.id for window in windows}) == len(windows) > 10
    assert [window.last for window in windows] == [False] * (len(windows) - 1) + [True]


def make_window(text: str, number: int = 0, last: bool = True) -> Window:
    return Window(f"f#{number}", text, BYTES.encode(text), last)


def sample_of(text: str, number: int = 0, *, last: bool = True, room: int = 10**6, **values) -> tuple:  # type: ignore[no-untyped-def]
    config = DatasetConfig(**{**EVERY, **values})
    window = make_window(text, number, last)
    rng = document_rng(0, 0, window.id)
    return window_sample(window, "python", BYTES, rng, config, rate=config.fim_rate, room=room)


@settings(max_examples=200, deadline=None)
@given(FILES.filter(bool), st.integers(0, 999))
def test_every_fim_sample_rebuilds_its_text_and_ends(text: str, number: int) -> None:
    sample, form = sample_of(text, number)
    ids, kinds = formats.flatten(sample)
    assert form.startswith("fim:")
    assert [segment.ids for segment in sample if segment.kind == formats.Kind.SENTINEL] == [
        [151659],
        [151661],
        [151660],
    ]
    prefix, suffix, middle = (text_of(sample[place].ids) for place in (1, 3, 5))
    assert prefix + middle + suffix == text
    assert ids[-1] == 151643
    assert formats.loss_mask(kinds)[-1] == 1
    assert all(
        mask == 0
        for mask, kind in zip(formats.loss_mask(kinds), kinds, strict=True)
        if kind == formats.Kind.SENTINEL
    )
    assert (form == "fim:empty") == (middle == "")


@settings(max_examples=200, deadline=None)
@given(FILES.filter(bool), st.integers(0, 999), st.integers(8, 120))
def test_a_sample_that_is_too_long_gives_up_its_outer_lines(text: str, number: int, room: int) -> None:
    ids_of_text = len(BYTES.encode(text))
    sample, form = sample_of(text, number, room=room)
    ids, _ = formats.flatten(sample)
    if form == "plain:unfit":
        assert ids[:-1] == BYTES.encode(text)
        return
    whole, _ = sample_of(text, number)
    assert len(ids) <= room
    assert ids[-1] == 151643
    assert sample[5].ids == whole[5].ids
    prefix, suffix = text_of(sample[1].ids), text_of(sample[3].ids)
    assert text_of(whole[1].ids).endswith(prefix)
    assert text_of(whole[3].ids).startswith(suffix)
    if ids_of_text + 4 <= room:
        assert ids == formats.flatten(whole)[0]


def test_shrinking_cuts_at_line_starts() -> None:
    prefix = "".join(f"first_{number} = {number}\n" for number in range(30)) + "    x = "
    suffix = "\n" + "".join(f"last_{number} = {number}\n" for number in range(30))
    sample = fit_fim(BYTES.encode, prefix, "middle", suffix, 200)
    assert sample is not None
    head, tail = text_of(sample[1].ids), text_of(sample[3].ids)
    assert 150 < sum(len(segment.ids) for segment in sample) <= 200
    assert head.startswith("first_")
    assert head.endswith("\n    x = ")
    assert tail.startswith("\nlast_0")
    assert tail.endswith("\n")
    assert head in prefix
    assert tail in suffix


def test_a_middle_longer_than_the_row_is_told() -> None:
    assert fit_fim(BYTES.encode, "a\n", "m" * 50, "b\n", 40) is None
    _, form = sample_of("word " * 40 + "\n", room=5)
    assert form == "plain:unfit"


@pytest.mark.parametrize("last", [True, False])
def test_plain_text_ends_with_end_of_text_only_at_the_files_end(last: bool) -> None:
    sample, form = sample_of("x = 1\n", last=last, fim_rate=0.0)
    assert form == "plain"
    assert text_of(sample[0].ids) == "x = 1\n"
    assert [segment.ids for segment in sample[1:]] == ([[151643]] if last else [])


def test_rates_over_two_thousand_documents() -> None:
    text = "def f(a, b):\n    total = a + b\n    return total\n\n\nprint(f(1, 2))\n"
    forms = Counter(sample_of(text, number, fim_rate=0.5, empty_middle=0.1)[1] for number in range(2000))
    fim = 2000 - forms["plain"]
    assert abs(fim - 1000) < 4 * (2000 * 0.25) ** 0.5
    assert abs(forms["fim:empty"] - 0.1 * fim) < 4 * (fim * 0.09) ** 0.5
    again = Counter(
        sample_of(text, number, fim_rate=0.5, empty_middle=0.1)[1] for number in reversed(range(2000))
    )
    assert forms == again


def test_decisions_change_with_the_epoch() -> None:
    window, config = make_window("x = compute(1, 2)\ny = x\n" * 20), DatasetConfig()
    forms = {
        window_sample(
            window, "python", BYTES, document_rng(0, epoch, window.id), config, rate=0.5, room=10**6
        )[1]
        for epoch in range(40)
    }
    assert len(forms) >= 4


def test_decomposed_text_is_trained_composed() -> None:
    assert normalise("cafe\u0301") == "café"
    sample, _ = sample_of(normalise("cafe\u0301 = 'na\u0308he'\n" * 5))
    assert text_of(sample[1].ids + sample[5].ids + sample[3].ids) == "café = 'nähe'\n" * 5


def test_a_tokenizer_that_reads_control_tokens_is_refused() -> None:
    class Careless(Bytes):
        def encode(self, text: str) -> list[int]:
            return [151643]

    with pytest.raises(RunError, match="special tokens off"):
        encode_checked(Careless(), ["<|endoftext|>"])
