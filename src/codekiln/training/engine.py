"""The training loop: packed rows in, trained tensors and metrics out; stops and starts anywhere.

Loss of a step = sum of the negative log-likelihoods of all live targets / their number over the whole step, so
that splitting a step into rows changes nothing. After a kill the loop goes on from the last checkpoint and gives
the same tensors, bit for bit, on the same machine and number of threads.
"""

from __future__ import annotations

import json
import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from codekiln.errors import RunError
from codekiln.formats import Kind
from codekiln.machine import keep_freed_memory
from codekiln.modeling.lora import save_adapter
from codekiln.progress import Progress, say
from codekiln.shards.disk import disk_errors, read_json, write_bytes, write_json
from codekiln.training.config import TrainingConfig
from codekiln.training.loss import linear_cross_entropy
from codekiln.training.rows import Row, Rows, plan_steps, targets_of
from codekiln.training.schedule import learning_rate
from codekiln.training.state import drop_states, load_state, save_state
from codekiln.training.trainable import Trainable, make_optimizer, make_trainable

METRICS = "metrics.jsonl"


def train(
    folder: Path,
    checkpoint: Path,
    dataset: Path,
    config: TrainingConfig,
    *,
    tokens: int,
    repository_share: float,
    dtype: str,
    threads: int,
    seed: int,
    base_model: str,
    revision: str | None = None,
    note: str = "",
) -> None:
    """Train for a token budget and write the result into `folder`.

    Writes `adapter/` (PEFT's format) or, for full training, `weights.safetensors` (fp32); `metrics.jsonl` with one
    line a step; `run.json` with rate and timings. A folder that holds a checkpoint of the same run is resumed.

    Args:
        checkpoint: Hugging Face checkpoint to start from.
        dataset: folder of `codekiln.dataset.build`.
        tokens: budget in training tokens; the last step is the first to reach it.
        base_model, revision: names written into the adapter's configuration; note: its README.md, Markdown.

    Raises:
        RunError: the dataset is too small or has changed since the checkpoint, the loss is not finite, or the disk
            is full.
    """
    if (folder / "run.json").exists():
        drop_states(folder)
        return
    torch.set_num_threads(threads)
    keep_freed_memory()
    rows = Rows(dataset)
    plan = plan_steps(
        rows, tokens=tokens, repository_share=repository_share, batch_tokens=config.batch_tokens
    )
    trainable = make_trainable(checkpoint, config, dtype=dtype, seed=seed)
    optimizer = make_optimizer(trainable, config)
    state = load_state(folder, trainable, optimizer) or {
        "step": 0,
        "seconds": 0.0,
        "dataset": rows.fingerprint,
    }
    if state["dataset"] != rows.fingerprint:
        raise RunError(
            f"{folder}: the dataset has changed since the checkpoint; delete {folder} and run again"
        )
    folder.mkdir(parents=True, exist_ok=True)
    _cut_metrics(folder / METRICS, state["step"])
    steps, done = len(plan.steps), sum(plan.tokens[: state["step"]])
    begun = saved = time.monotonic()

    def save(step: int) -> None:
        spent = state["seconds"] + time.monotonic() - begun
        save_state(
            folder, trainable, optimizer, {"step": step, "seconds": spent, "dataset": rows.fingerprint}
        )

    with (
        Progress("training", sum(plan.tokens), "tokens", start=done) as progress,
        _stop_requests() as stop,
        disk_errors(folder / METRICS),
        open(folder / METRICS, "a", encoding="utf-8") as log,
    ):
        for step in range(state["step"], steps):
            rate = learning_rate(step, steps, config)
            metrics = train_step(
                trainable, optimizer, [rows.row(*place) for place in plan.steps[step]], rate, config
            )
            done += plan.tokens[step]
            log.write(json.dumps({"step": step + 1, "tokens": done, "learning_rate": rate, **metrics}) + "\n")
            log.flush()
            progress.update(plan.tokens[step], loss=metrics["loss"], step=f"{step + 1}/{steps}")
            if stop or time.monotonic() - saved > config.checkpoint_seconds:
                save(step + 1)
                saved = time.monotonic()
            if stop:
                break
    seconds = state["seconds"] + time.monotonic() - begun
    tensors = {name: tensor.contiguous() for name, tensor in trainable.tensors().items()}
    with disk_errors(folder):
        if config.method == "lora":
            save_adapter(
                folder / "adapter",
                tensors,
                rank=config.rank,
                alpha=config.alpha,
                base_model=base_model,
                revision=revision,
                note=note,
            )
        else:
            save_file(tensors, folder / "weights.safetensors", metadata={"format": "pt"})
    total = sum(plan.tokens)
    write_json(
        folder / "run.json",
        {
            "seconds": seconds,
            "tokens": total,
            "steps": steps,
            "tokens_per_second": total / max(seconds, 1e-9),
        },
    )
    drop_states(folder)


def train_step(
    trainable: Trainable, optimizer: torch.optim.AdamW, rows: list[Row], rate: float, config: TrainingConfig
) -> dict[str, Any]:
    """One optimizer step over some rows; returns loss (nats a token), losses and targets by kind, the gradient norm.

    Raises:
        RunError: loss or gradient is not finite; nothing is updated then.
    """
    live = [targets_of(row) for row in rows]
    total = sum(len(targets) for _, targets in live)
    if not total:
        raise RunError("a training step has no target token: every token of its rows is masked")
    sums: dict[Kind, Tensor] = {}
    counts: dict[Kind, int] = {}
    loss = 0.0
    for row, (before, targets) in zip(rows, live, strict=True):
        hidden = trainable.model(row.input_ids, row.lengths)
        row_loss, losses = linear_cross_entropy(
            hidden[before], trainable.model.head_weight, row.input_ids[targets]
        )
        (row_loss / total).backward()
        loss += float(row_loss.detach()) / total
        kinds = row.kinds[targets]
        for kind in Kind:
            chosen = losses[kinds == int(kind)]
            if len(chosen):
                sums[kind] = sums.get(kind, torch.zeros((), dtype=torch.float64)) + chosen.double().sum()
                counts[kind] = counts.get(kind, 0) + len(chosen)
    norm = float(torch.nn.utils.clip_grad_norm_(list(trainable.parameters.values()), config.gradient_clip))
    if not math.isfinite(loss) or not math.isfinite(norm):
        raise RunError(
            f"loss {loss} or gradient norm {norm} is not finite; lower training.learning_rate and run again"
        )
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    trainable.publish()
    return {
        "loss": loss,
        "gradient_norm": norm,
        "targets": total,
        "losses": {kind.name.lower(): float(sums[kind]) / counts[kind] for kind in sums},
        "counts": {kind.name.lower(): counts[kind] for kind in sums},
    }


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl, one dictionary a step."""
    return [json.loads(line) for line in (folder / METRICS).read_text(encoding="utf-8").splitlines()]


def read_rate(folder: Path) -> dict[str, Any]:
    """Seconds, tokens, steps and tokens a second of a finished training folder."""
    rate: dict[str, Any] = read_json(folder / "run.json")
    return rate


def _cut_metrics(path: Path, steps: int) -> None:
    """Keep the first `steps` whole lines: what came after the checkpoint is done again."""
    if path.exists():
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)[:steps]
        if len(lines) < steps:
            raise RunError(
                f"{path} holds fewer steps than its checkpoint; delete {path.parent} and run again"
            )
        write_bytes(path, "".join(lines).encode())


@contextmanager
def _stop_requests() -> Iterator[list[int]]:
    """Collect Ctrl-C and SIGTERM so that a step in flight ends and a checkpoint is written; a second one is final.

    A collected signal is sent again when the block is left, so that it ends the program as it would elsewhere.
    """
    requests: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield requests
        return
    before: dict[int, Any] = {}

    def ask(number: int, frame: FrameType | None) -> None:
        requests.append(number)
        signal.signal(number, before[number])
        with suppress(OSError, ValueError):  # nobody reads it any more: no reason not to stop in order
            say("stopping with a checkpoint after this step; once more to stop now")

    for number in (int(signal.SIGINT), int(signal.SIGTERM)):
        if signal.getsignal(number) not in (signal.SIG_IGN, None):
            before[number] = signal.signal(number, ask)
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if requests:
        signal.raise_signal(requests[0])
        # A handler that lets the program go on does not finish the training.
        raise KeyboardInterrupt
