"""Rendering of rows."""

from __future__ import annotations

from typing import Any

from codekiln.dataset.inspect import render_ids, render_row


def test_control_tokens_are_visible_and_differ_from_text(byte_tokenizer: Any) -> None:
    ids = [151659, *b"a<|fim_suffix|>\n", 151661, 151660, *"é\x1b[31m".encode(), 151643]
    assert render_ids(ids, byte_tokenizer) == (
        "⟦fim_prefix⟧a<|fim_suffix|>\n⟦fim_suffix⟧⟦fim_middle⟧é\\x1b[31m⟦endoftext⟧"
    )


def test_a_row_names_its_documents(byte_tokenizer: Any) -> None:
    row = {
        "row": 7,
        "input_ids": [97, 10, 151643, 98],
        "lengths": [3, 1],
        "loss_mask": [0, 1, 1, 0],
        "documents": ["r:a.py", "r:c.py\nr:b.py"],
        "forms": ["plain", "repository:plain"],
    }
    lines = render_row(row, byte_tokenizer).splitlines()
    assert lines[0] == "── row 7 · 4 tokens · document 1/2 · r:a.py · plain · 3 tokens, 2 targets ──"
    assert lines[1:3] == ["a", "⟦endoftext⟧"]
    assert "document 2/2 · r:b.py · repository:plain" in lines[3]
    assert lines[4] == "b"
