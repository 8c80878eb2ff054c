"""Near copies that do not fit into the main process: brought together in partitions, with the same result."""

from __future__ import annotations

from pathlib import Path

import pytest
from corpus_kit import corpus, mutate, program, rows, sources, write

from codekiln.corpus import nearcopies
from codekiln.corpus.sources import stage
from codekiln.shards import Dataset


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sources of several shards: chains of near copies, copies of copies, and files that are like no other."""
    place = tmp_path_factory.mktemp("near")
    files: dict[str, str | bytes] = {}
    for number in range(40):
        text = program(number, 8)
        files[f"a/m{number}.py"] = text
        for copy in range(number % 4):
            text = mutate(text, 0.01, copy)  # the last of a chain is near the one before it alone
            files[f"b{copy}/m{number}.py"] = text
        if number % 5 == 0:
            files[f"c/same{number}.py"] = text
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "BATCH_BYTES", 40_000)
        out = sources(place, write(place / "code", files))
    assert len(Dataset.open(out / "files").shard_paths) > 3
    return out


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_partitions_give_the_groups_of_one_process(
    read: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    plain = corpus(tmp_path / "plain", read)
    monkeypatch.setattr(nearcopies, "PARTITION_BYTES", 10_000)
    used: list[int] = []
    real = nearcopies._apart

    def apart(*arguments: object) -> list[list[int]]:
        used.append(int(str(arguments[5])))
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(nearcopies, "_apart", apart)
    spread = corpus(tmp_path / "spread", read, workers=workers)
    assert used[0] > 5
    for name in ("decisions", "train", "heldout"):
        assert Dataset.open(spread / name).content_hash == Dataset.open(plain / name).content_hash
    assert sorted(path.name for path in spread.iterdir()) == sorted(path.name for path in plain.iterdir())
    fates = rows(spread / "decisions")
    assert sum(row["reason"] == "near_duplicate" for row in fates.values()) >= 30
    assert fates["c/same15.py"]["near_group"] == fates["a/m15.py"]["near_group"] != ""
