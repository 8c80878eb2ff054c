"""What stages depend on: side files of the checkpoint, and rows that fit its context."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from codekiln.errors import UserError
from codekiln.modeling.fetch import resolve
from codekiln.pipeline.stages import check_lengths, checkpoint_inputs
from codekiln.recipe import load_recipe


def test_a_changed_chat_template_is_another_checkpoint(pico_checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(pico_checkpoint, folder)
    before = checkpoint_inputs(resolve(str(folder)))
    (folder / "notes.log").write_text("not part of it")
    assert checkpoint_inputs(resolve(str(folder))) == before
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    assert checkpoint_inputs(resolve(str(folder))) != before


def test_rows_longer_than_the_context_are_refused(pico_checkpoint: Path) -> None:
    checkpoint = resolve(str(pico_checkpoint))
    check_lengths(load_recipe("quickstart", ["dataset.repository_length=4096"]), checkpoint)
    with pytest.raises(UserError, match=r"dataset\.repository_length is 4097, but .* has 4096 positions"):
        check_lengths(load_recipe("quickstart", ["dataset.repository_length=4097"]), checkpoint)
