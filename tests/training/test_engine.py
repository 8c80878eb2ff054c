"""The training loop: exact resume, invariance to how a step is split, and honest refusals."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from codekiln.dataset.config import repository_tokens
from codekiln.errors import RunError
from codekiln.training import engine
from codekiln.training.config import TrainingConfig
from codekiln.training.engine import read_metrics, train, train_step
from codekiln.training.rows import Row, Rows, plan_steps, targets_of
from codekiln.training.trainable import make_optimizer, make_trainable

CONFIG = TrainingConfig(tokens=1, learning_rate=5e-3, rank=4, alpha=8, batch_tokens=128)


def run(
    folder: Path, checkpoint: Path, dataset: Path, config: TrainingConfig = CONFIG, **changes: Any
) -> None:
    settings: dict[str, Any] = {
        "tokens": 600,
        "repository_share": 0.25,
        "dtype": "float32",
        "threads": 1,
        "seed": 3,
        "base_model": "pico",
    }
    train(folder, checkpoint, dataset, config, **{**settings, **changes})


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_steps_lower_the_loss_of_their_rows(pico_checkpoint: Path, packed: Path) -> None:
    trainable = make_trainable(pico_checkpoint, CONFIG, dtype="float32", seed=0)
    optimizer, row = make_optimizer(trainable, CONFIG), Rows(packed).row("file", 0)
    losses = [train_step(trainable, optimizer, [row], 1e-2, CONFIG)["loss"] for _ in range(8)]
    assert losses[-1] < losses[0] - 0.5


def test_builder_and_trainer_split_every_budget_alike(packed: Path) -> None:
    """A budget that the rows meet exactly is enough: nothing is rounded in two ways."""
    rows = Rows(packed)
    sizes = rows.sizes("file")
    for share in (0.25, 0.07, 1 / 3, 0.5):
        for tokens in range(1, 1200, 13):
            repository = repository_tokens(tokens, share)
            if tokens - repository <= sum(sizes) and repository <= sum(rows.sizes("repository")):
                plan_steps(rows, tokens=tokens, repository_share=share, batch_tokens=128)
    exact = next(t for t in range(sum(sizes), 4000) if t - repository_tokens(t, 0.25) == sum(sizes))
    plan_steps(rows, tokens=exact, repository_share=0.25, batch_tokens=128)


def test_the_adapter_says_what_it_belongs_to(pico_checkpoint: Path, packed: Path, tmp_path: Path) -> None:
    run(tmp_path / "t", pico_checkpoint, packed, base_model=str(pico_checkpoint), note="For `x`.\n")
    config = json.loads((tmp_path / "t/adapter/adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(pico_checkpoint)
    assert (tmp_path / "t/adapter/README.md").read_text() == "For `x`.\n"


def test_training_writes_an_adapter(pico_checkpoint: Path, packed: Path, tmp_path: Path) -> None:
    run(tmp_path / "t", pico_checkpoint, packed)
    metrics = read_metrics(tmp_path / "t")
    assert set(metrics[0]["losses"]) == set(metrics[0]["counts"]) == {"plain", "end"}
    for line in metrics:
        assert sum(line["counts"].values()) == line["targets"]
        parts = sum(line["losses"][kind] * line["counts"][kind] for kind in line["losses"])
        assert line["loss"] == pytest.approx(parts / line["targets"], rel=1e-5)
    assert 600 <= metrics[-1]["tokens"] < 600 + 64 + 96
    assert (tmp_path / "t/adapter/adapter_model.safetensors").exists()
    assert not list((tmp_path / "t").glob("state-*"))
    assert json.loads((tmp_path / "t/run.json").read_text())["steps"] == len(metrics)


@pytest.mark.parametrize(
    ("method", "dtype", "stop_after"),
    [
        ("lora", "bfloat16", 1),
        ("lora", "bfloat16", 5),
        pytest.param("full", "bfloat16", 3, marks=pytest.mark.slow),
        pytest.param("full", "float32", 3, marks=pytest.mark.slow),
    ],
)
def test_a_stopped_run_goes_on_to_the_same_tensors(
    pico_checkpoint: Path,
    packed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stop_after: int,
    method: str,
    dtype: str,
) -> None:
    config = CONFIG.model_copy(update={"method": method, "checkpoint_seconds": 1e-9})
    result = "adapter/adapter_model.safetensors" if method == "lora" else "weights.safetensors"
    run(tmp_path / "whole", pico_checkpoint, packed, config, dtype=dtype)
    steps: list[int] = []

    def dies(*arguments: Any) -> dict[str, Any]:
        if len(steps) == stop_after:
            raise KeyboardInterrupt
        steps.append(1)
        return train_step(*arguments)

    monkeypatch.setattr(engine, "train_step", dies)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", pico_checkpoint, packed, config, dtype=dtype)
    # A torn last line, as a kill in the middle of a write leaves it.
    with open(tmp_path / "stopped/metrics.jsonl", "a") as log:
        log.write('{"step": ')
    monkeypatch.setattr(engine, "train_step", train_step)
    run(tmp_path / "stopped", pico_checkpoint, packed, config, dtype=dtype)
    for name in (result, "metrics.jsonl"):
        assert digest(tmp_path / "stopped" / name) == digest(tmp_path / "whole" / name)


def test_one_row_or_many_rows_a_step_give_the_same_gradient(pico_checkpoint: Path, packed: Path) -> None:
    rows = [Rows(packed).row("file", number) for number in range(3)]
    joined = Row(
        torch.cat([row.input_ids for row in rows]),
        [length for row in rows for length in row.lengths],
        torch.cat([row.loss_mask for row in rows]),
        torch.cat([row.kinds for row in rows]),
    )
    # Rows of different numbers of live targets: a mean of means would differ.
    for row, start in zip(rows, (0, 10, 40), strict=True):
        row.loss_mask[:start] = False
    joined.loss_mask[:] = torch.cat([row.loss_mask for row in rows])
    updates = []
    for batch in (rows, [joined]):
        trainable = make_trainable(pico_checkpoint, CONFIG, dtype="float32", seed=0)
        metrics = train_step(trainable, make_optimizer(trainable, CONFIG), batch, 1e-3, CONFIG)
        updates.append((metrics, {name: p.detach().clone() for name, p in trainable.parameters.items()}))
    (one, first), (two, second) = updates
    assert one["loss"] == pytest.approx(two["loss"], rel=1e-6)
    assert one["gradient_norm"] == pytest.approx(two["gradient_norm"], rel=1e-4)
    assert one["targets"] == two["targets"]
    for name, tensor in first.items():
        assert torch.allclose(tensor, second[name], atol=2e-5)


def test_targets_never_cross_documents_or_masks() -> None:
    row = Row(
        torch.arange(6),
        [2, 1, 3],
        torch.tensor([1, 1, 1, 1, 0, 1], dtype=torch.bool),
        torch.zeros(6, dtype=torch.uint8),
    )
    before, targets = targets_of(row)
    assert targets.tolist() == [1, 5]
    assert before.tolist() == [0, 4]


def test_steps_reach_the_budget_and_keep_levels_apart(packed: Path) -> None:
    plan = plan_steps(Rows(packed), tokens=1000, repository_share=0.3, batch_tokens=128)
    assert 1000 <= sum(plan.tokens) < 1000 + 64 + 96
    levels = [{level for level, _ in step} for step in plan.steps]
    assert all(len(level) == 1 for level in levels)
    assert levels == sorted(levels, key=lambda level: "repository" in level)
    with pytest.raises(RunError, match="the budget asks for"):
        plan_steps(Rows(packed), tokens=10_000, repository_share=0.0, batch_tokens=128)


def test_a_changed_dataset_is_refused(
    pico_checkpoint: Path, packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = CONFIG.model_copy(update={"checkpoint_seconds": 1e-9})

    def dies(*arguments: Any) -> dict[str, Any]:
        monkeypatch.setattr(engine, "train_step", _raise)
        return train_step(*arguments)

    def _raise(*_: Any) -> dict[str, Any]:
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "train_step", dies)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "t", pico_checkpoint, packed, config)
    other = tmp_path / "other"
    shutil.copytree(packed, other)
    shutil.rmtree(other / "repository")
    with pytest.raises(RunError, match="the dataset has changed"):
        run(tmp_path / "t", pico_checkpoint, other, config, repository_share=0.0)


def test_a_loss_that_is_not_finite_stops_before_the_update(pico_checkpoint: Path, packed: Path) -> None:
    trainable = make_trainable(pico_checkpoint, CONFIG, dtype="float32", seed=0)
    with torch.no_grad():
        next(iter(trainable.layers.values())).lora_B.fill_(float("inf"))
    row = Rows(packed).row("file", 0)
    with pytest.raises(RunError, match="not finite"):
        train_step(trainable, make_optimizer(trainable, CONFIG), [row], 1e-3, CONFIG)
